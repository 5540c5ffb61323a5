package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;

/** The session is over. */
public final class SessionEnded extends Refused {

    SessionEnded(String code, int status, JsonNode members) {
        super(code, status, members);
    }

    /** Why, such as {@code displaced} or {@code idle}. */
    public String reason() {
        return members().path("end_reason").asText();
    }
}
