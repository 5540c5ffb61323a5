package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;

/** What an answer that is no success means. Pure. */
final class Answers {

    private static final int TOO_MANY = 429;

    private Answers() {}

    /**
     * Only an answer with a {@code code} is Enforcer's word: a wrong address, or a proxy in between, has statuses of its own.
     *
     * @param body what was answered; missing where that was no JSON
     */
    static EnforcerException error(int status, JsonNode body) {
        if (!body.path("code").isTextual()) {
            return new Unavailable("status " + status + " without a code: this is not Enforcer's answer; check its address", null);
        }
        String code = body.get("code").asText();
        if (status >= 500 || status == TOO_MANY) {
            return new Unavailable(code + ": " + body.path("detail").asText(), null);
        }
        return switch (code) {
            case "session-ended" -> new SessionEnded(code, status, body);
            case "session-unknown" -> new SessionUnknown(code, status, body);
            case "session-limit" -> new SessionLimit(code, status, body);
            case "unauthorized", "not-allowed" -> new Unauthorized(code, status, body);
            default -> new Refused.Other(code, status, body);
        };
    }
}
