/** What is loaded only where a page needs it: asking over HTTP where sockets are blocked, watching the page's requests. */

export { call } from "./call.ts";
export { pollLink } from "./poll.ts";
export { watchHttp } from "./watch.ts";
