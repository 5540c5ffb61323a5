package io.sessionenforcer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** What the events of the stream mean to a cache: one reader over all its connections. Pure. Not safe for threads. */
final class Following {

    static final String PATH = "/v1/stream?events=session.started,session.claimed,session.ended";

    private static final int CURSOR_REFUSED = 422;
    /** Milliseconds before the stream is opened again, doubled each time. */
    private static final long FIRST_WAIT = 100;
    private static final long LONGEST_WAIT = 5_000;
    /**
     * By which part the steady clocks of two machines may go faster or slower than each other, at most: NTP slews by half of
     * that, and quartz is off by a tenth.
     */
    static final double DRIFT = 0.001;
    /** The part of {@code maxStaleness} that drift may take away before the stream is opened anew, so that it counts anew. */
    private static final double RENEWED_AT = 0.1;
    /** Milliseconds by which the stream may seem to come from the future before the clocks are found to disagree. */
    private static final long AHEAD = 100;

    private final SessionCache cache;
    private final double renewedAfter;
    private long askedAt;
    private boolean renews;
    private ServerSentEvents parser = new ServerSentEvents();
    private boolean openedBefore;
    private boolean resumes;
    private String lastId;
    private long wait = FIRST_WAIT;
    private int resets;

    Following(SessionCache cache, Duration maxStaleness) {
        this.cache = cache;
        this.renewedAfter = maxStaleness.toMillis() * RENEWED_AT / DRIFT;
    }

    /** The stream is about to be opened: behind this id, or, for null, from now. */
    String opening(long now) {
        askedAt = now;
        renews = false;
        parser = new ServerSentEvents();
        resumes = lastId != null;
        return lastId;
    }

    /** It was not opened. A cursor that is not taken is dropped, and with it what was missed. */
    void refused(int status) {
        if (status == CURSOR_REFUSED) {
            lastId = null;
        }
    }

    /** It is closed; the milliseconds until it is opened again, before they are spread by chance. */
    long cut() {
        cache.cut();
        long now = wait;
        wait = Math.min(LONGEST_WAIT, 2 * wait);
        return now;
    }

    /** Whether another connection shall take over from this one, which is not cut: nothing is forgotten. */
    boolean renews() {
        return renews;
    }

    /** How often ends may have been missed so far. */
    int resets() {
        return resets;
    }

    /** Bytes of the stream; the ends that they are the first to tell of. What cannot be read was missed: it goes on from then. */
    List<Ended> take(ByteBuffer part, long now) throws IOException {
        List<Ended> ends = new ArrayList<>();
        try {
            for (ServerSentEvents.Event event : parser.feed(part)) {
                if (!event.data().isEmpty()) {
                    understand(event.name(), parsed(event.data()), now, ends);
                }
                lastId = event.id() == null ? lastId : event.id();
            }
        } catch (IOException | RuntimeException error) {
            lastId = null;
            throw error;
        }
        return ends;
    }

    private void understand(String name, JsonNode data, long now, List<Ended> ends) {
        switch (name) {
            case "ready" -> ready(data.path("cursor").asText(), now);
            case "reset" -> reset(now);
            case "unavailable" -> cache.cut();
            case "session.ended" -> {
                Ended end = new Ended(text(data, "session"), text(data, "room"), text(data, "reason"), text(data, "at"));
                if (cache.ended(end.session())) {
                    ends.add(end);
                }
            }
            case "session.started", "session.claimed" -> cache.began(text(data, "session"));
            case "level" -> level(data.path("elapsed_ms").asLong(), now);
            default -> { } // what later versions may say
        }
    }

    private void ready(String cursor, long now) {
        wait = FIRST_WAIT;
        if (!resumes) {
            if (openedBefore) {
                reset(now); // what was meanwhile is not known
            }
            lastId = cursor;
        }
        openedBefore = true;
        cache.opened(now, resumes);
    }

    /** All was told that was committed until so long after the request came, which was not before it was sent. */
    private void level(long elapsed, long now) {
        long at = askedAt + (long) (elapsed * (1 - DRIFT));
        boolean disagree = at > now + AHEAD; // as after a sleep of this machine
        if (!disagree) {
            cache.level(Math.min(at, now));
        }
        renews = disagree || elapsed > renewedAfter;
    }

    private void reset(long now) {
        resets++;
        cache.reset(now);
    }

    private static JsonNode parsed(String data) throws JsonProcessingException {
        return Transport.JSON.readTree(data);
    }

    private static String text(JsonNode row, String member) {
        return row.path(member).asText();
    }
}
