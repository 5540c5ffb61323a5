package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;

/** Enforcer said no. */
public sealed class Refused extends EnforcerException permits SessionEnded, SessionUnknown, SessionLimit, Unauthorized, Refused.Other {

    private final String code;
    private final int status;
    private final transient JsonNode members;

    Refused(String code, int status, JsonNode members) {
        super(code + ": " + members.path("detail").asText(members.path("title").asText()), null);
        this.code = code;
        this.status = status;
        this.members = members;
    }

    /** The stable name of the reason, such as {@code invalid-request}. */
    public String code() {
        return code;
    }

    /** The status of HTTP. */
    public int status() {
        return status;
    }

    /** Everything that the answer says. */
    public JsonNode members() {
        return members;
    }

    /** Any reason that has no class of its own. */
    static final class Other extends Refused {
        Other(String code, int status, JsonNode members) {
            super(code, status, members);
        }
    }
}
