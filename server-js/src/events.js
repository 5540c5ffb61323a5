/** Reads server-sent events (HTML Living Standard §9.2). Pure but for the stream that it is given. */

/**
 * @typedef {object} StreamEvent
 * @property {string} event its name; "" for a comment, which shows that the stream is alive
 * @property {string} data
 * @property {string | null} id the cursor behind it
 */

/**
 * @param {AsyncIterable<Uint8Array>} bytes
 * @returns {AsyncGenerator<StreamEvent>}
 */
export async function* events(bytes) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of bytes) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) yield read(block);
  }
}

/** @param {string} block @returns {StreamEvent} */
function read(block) {
  /** @type {StreamEvent} */
  const found = { event: "", data: "", id: null };
  for (const line of block.split("\n")) {
    const [field, ...rest] = line.split(": ");
    const value = rest.join(": ");
    if (field === "event") found.event = value;
    else if (field === "data") found.data += value;
    else if (field === "id") found.id = value;
  }
  return found;
}
