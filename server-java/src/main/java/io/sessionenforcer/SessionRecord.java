package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;

/**
 * A session, live or ended.
 *
 * @param active it has not ended
 * @param newest it is the latest login of its slot
 * @param device what is known of the browser: {@code label}, {@code class}, …
 * @param endReason why it ended, such as {@code displaced}; null while it lives
 */
public record SessionRecord(
        String session,
        String room,
        boolean active,
        boolean newest,
        String slot,
        JsonNode device,
        Instant startedAt,
        Instant lastSeenAt,
        Instant endedAt,
        String endReason) {}
