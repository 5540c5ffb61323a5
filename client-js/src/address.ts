/** Addresses: the server's socket, and the targets that a page may be sent to. Pure. */

/** The server's own address, without query, fragment, and slashes at its end. */
export function serverRoot(server: string): string {
  return server.replace(/\/*([?#].*)?$/, "");
}

/**
 * The address of the server's socket.
 *
 * @param server absolute http(s) URL of the server, with or without a path of its own
 * @param path under it
 */
export function socketAddress(server: string, path: string): string {
  return `${serverRoot(server)}/${path.replace(/^\/+/, "")}`.replace("http", "ws");
}

/** Where the script came from, as a server: `…/client/session-guard.js` is taken off. */
export function serverOfScript(src: string): string {
  return src.replace(/[?#].*/, "").replace(/(\/client)?\/[^/]*$/, "");
}

/** The absolute form of a target that may be navigated to, or `null`: only http and https, never `javascript:`. */
export function safeTarget(target: string, base: string): string | null {
  try {
    const { protocol, href } = new URL(target, base);
    return /^https?:$/.test(protocol) ? href : null;
  } catch {
    return null;
  }
}
