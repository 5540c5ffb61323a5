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

/** The server, by the directory that the script came from: `/client/` is taken off. */
export function serverOf(directory: string): string {
  return directory.replace(/(\/client)?\/$/, "");
}

/** The absolute form of a target that may be navigated to, or `null`: only http and https, never `javascript:`. */
export function safeTarget(target: string, base: string): string | null {
  try {
    const { href } = new URL(target, base);
    return /^https?:/.test(href) ? href : null;
  } catch {
    return null;
  }
}
