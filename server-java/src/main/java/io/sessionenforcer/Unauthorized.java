package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;

/** The key is wrong, or may not do this. */
public final class Unauthorized extends Refused {

    Unauthorized(String code, int status, JsonNode members) {
        super(code, status, members);
    }
}
