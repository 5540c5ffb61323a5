package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/**
 * What a login would do.
 *
 * @param outcome {@code admitted} or {@code refused}
 * @param code why it would be refused; null where it would not
 * @param maxSessions the limit; null for an exempt one
 * @param counted the sessions that count for the limit
 * @param wouldEnd the sessions that would end
 * @param why plain sentences
 */
public record Explanation(
        String outcome,
        String code,
        String room,
        String slot,
        String policy,
        Integer maxSessions,
        List<JsonNode> counted,
        List<JsonNode> wouldEnd,
        List<String> why) {}
