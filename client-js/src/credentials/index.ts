/** What is loaded only where a page does not bring its ticket along: `data-ticket-url`, and open mode. */

export { fetchTicket } from "./fetch-ticket.ts";
export { openSession } from "./open-session.ts";
