package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/** The user is logged in elsewhere, and the policy is to refuse. */
public final class SessionLimit extends Refused {

    SessionLimit(String code, int status, JsonNode members) {
        super(code, status, members);
    }

    /** The sessions in the way. */
    public List<JsonNode> sessions() {
        return List.copyOf(members().path("sessions").findParents("session"));
    }
}
