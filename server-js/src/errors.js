/**
 * What can go wrong, one tree:
 *
 *     EnforcerError
 *     ├── Unavailable     no answer, or not Enforcer's: nobody knows whether the session is live
 *     └── Refused         Enforcer said no; `code` is the stable name
 *         ├── SessionEnded      410 `session-ended`, with why
 *         ├── SessionUnknown    404 `session-unknown`
 *         ├── SessionLimit      409 `session-limit`, with the sessions in the way
 *         └── Unauthorized      401, 403: the key is wrong, or may not do this
 */

export class EnforcerError extends Error {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Show an error page (503) and log nobody out: what is asked for is not known. */
export class Unavailable extends EnforcerError {}

export class Refused extends EnforcerError {
  /**
   * @param {string} code the stable name of the reason
   * @param {number} status of HTTP
   * @param {string} detail for people
   * @param {Record<string, unknown>} members everything that the answer says
   */
  constructor(code, status, detail, members) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.status = status;
    this.members = members;
  }
}

export class SessionEnded extends Refused {
  /** Why, such as `displaced` or `idle`. */
  get reason() {
    return String(this.members["end_reason"] ?? "");
  }
}

export class SessionUnknown extends Refused {}

export class SessionLimit extends Refused {
  /** The sessions in the way, as `GET /v1/sessions/{id}` tells of them. */
  get sessions() {
    return /** @type {Record<string, unknown>[]} */ (this.members["sessions"] ?? []);
  }
}

export class Unauthorized extends Refused {}

/** @type {Record<string, typeof Refused>} */
const BY_CODE = {
  "session-ended": SessionEnded,
  "session-unknown": SessionUnknown,
  "session-limit": SessionLimit,
  unauthorized: Unauthorized,
  "not-allowed": Unauthorized,
};

/**
 * The error that an answer means. Only an answer with a `code` is Enforcer's word: a wrong address, or a proxy in
 * between, has statuses of its own.
 *
 * @param {number} status
 * @param {unknown} body
 * @returns {EnforcerError}
 */
export function errorOf(status, body) {
  const members = /** @type {Record<string, unknown>} */ (typeof body === "object" && body !== null ? body : {});
  const code = members["code"];
  if (typeof code !== "string") return new Unavailable(`status ${status} without a code: this is not Enforcer's answer; check its address`);
  const detail = String(members["detail"] ?? members["title"] ?? "");
  if (status >= 500 || status === 429) return new Unavailable(`${code}: ${detail}`);
  const Kind = BY_CODE[code] ?? Refused;
  return new Kind(code, status, detail, members);
}
