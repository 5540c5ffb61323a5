export { Enforcer } from "./client.js";
export { EnforcerError, Refused, SessionEnded, SessionLimit, SessionUnknown, Unauthorized, Unavailable } from "./errors.js";
export { LiveSessions } from "./live-sessions.js";
