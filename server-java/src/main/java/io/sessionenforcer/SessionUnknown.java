package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;

/** There is no such session, or not in this room. */
public final class SessionUnknown extends Refused {

    SessionUnknown(String code, int status, JsonNode members) {
        super(code, status, members);
    }
}
