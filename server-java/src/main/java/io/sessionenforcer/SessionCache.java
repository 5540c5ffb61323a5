package io.sessionenforcer;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What is known of sessions without asking, and for how long it may be believed. Pure: the time is an argument, in ms of any
 * steady clock. Not safe for threads.
 *
 * <p>While the stream of ends is open, an answer of the server is good for {@code maxStaleness} from when it was asked, and on
 * as long as rows come: a row says that all that happened before it was told, for a room keeps its order and nothing is left
 * out. How old a row is, its own time says, so a stream that is late is not believed longer than one that is silent. While it
 * is not open, everything is asked for. What the stream says has ended, has.
 */
final class SessionCache {

    /** Milliseconds by which rows of different rooms may come out of order, at most a third of what is believed. */
    static final long SLACK = 1_500;

    private static final long NEVER = Long.MIN_VALUE / 4;

    /** What is known of a session. */
    enum Answer {
        LIVE,
        NOT_LIVE,
        /** Ask the server. */
        ASK
    }

    /** A session that was live in this room when the server was asked. */
    private record Live(String room, long askedAt) {}

    private final int size;
    private final long maxStaleness;
    private final long slack;
    private final Map<String, Live> live = new LinkedHashMap<>();
    /** Those that have ended, and whether the stream told so. */
    private final Map<String, Boolean> ended = new LinkedHashMap<>();
    /** Sessions that the server is being asked about, and whether the stream told of their end meanwhile. */
    private final Map<String, Boolean> asking = new HashMap<>();

    private boolean open;
    private long followingSince = -NEVER;
    private long freshAt = NEVER;
    /** The least difference between this clock and the time of a row: a row that took no time. */
    private long offset = -NEVER;

    /**
     * @param size live, and ended, sessions that are kept, at most
     * @param maxStaleness ms
     */
    SessionCache(int size, long maxStaleness) {
        this.size = size;
        this.maxStaleness = maxStaleness;
        this.slack = Math.min(SLACK, maxStaleness / 3);
    }

    Answer known(String session, String room, long now) {
        Live found = live.get(session);
        if (found == null) {
            return ended.containsKey(session) ? Answer.NOT_LIVE : Answer.ASK;
        }
        boolean told = open && found.askedAt() > followingSince; // else nobody would tell of its end
        if (!told || now - Math.max(found.askedAt(), freshAt) > maxStaleness) {
            return Answer.ASK;
        }
        return found.room().equals(room) ? Answer.LIVE : Answer.NOT_LIVE;
    }

    boolean isOpen() {
        return open;
    }

    /** The server is asked about a session from now on. */
    void asks(String session) {
        asking.put(session, false);
    }

    /** Asked at {@code askedAt}, the server said: live, in this room. Whether that is so still. */
    boolean answeredLive(String session, String room, long askedAt) {
        if (Boolean.TRUE.equals(asking.remove(session))) {
            end(session, false);
        }
        live.remove(session);
        if (ended.containsKey(session)) {
            return false;
        }
        live.put(session, new Live(room, askedAt));
        forgetOldest(live);
        return true;
    }

    /** The server said: over. */
    void answeredEnded(String session) {
        asking.remove(session);
        end(session, false);
    }

    /** There was no answer, or there is no such session. That is not kept: a login may make it known at any time. */
    void answeredNothing(String session) {
        if (Boolean.TRUE.equals(asking.remove(session))) {
            end(session, false);
        }
        live.remove(session);
    }

    /** The stream is open. {@code resumed}: behind the last row, so that nothing is missed. */
    void opened(long now, boolean resumed) {
        open = true;
        if (!resumed) {
            followingSince = now;
            offset = -NEVER;
        }
        freshAt = NEVER;
    }

    /** Rows were missed: nothing is known any more. */
    void reset(long now) {
        live.clear();
        ended.clear();
        followingSince = now;
        freshAt = NEVER;
    }

    /** The stream is not open any more, or cannot tell: until it can, everything is asked for. */
    void cut() {
        open = false;
        freshAt = NEVER;
    }

    /** A row about a session that is live has come; {@code at} is its own time. */
    void began(String session, long at, long now) {
        fresh(at, now);
        ended.remove(session); // an id that was forgotten may be used again
    }

    /** A row about an end has come. Whether it is the first to tell of it. */
    boolean ended(String session, long at, long now) {
        fresh(at, now);
        asking.computeIfPresent(session, (key, before) -> true);
        return end(session, true);
    }

    private void fresh(long at, long now) {
        open = true;
        offset = Math.min(offset, now - at);
        freshAt = Math.max(freshAt, at + offset - slack);
    }

    private boolean end(String session, boolean told) {
        live.remove(session);
        boolean before = Boolean.TRUE.equals(ended.remove(session));
        ended.put(session, told || before);
        forgetOldest(ended);
        return told && !before;
    }

    private <T> void forgetOldest(Map<String, T> kept) {
        var keys = kept.keySet().iterator();
        while (kept.size() > size) {
            keys.next();
            keys.remove();
        }
    }
}
