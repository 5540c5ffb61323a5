package io.sessionenforcer;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What is known of sessions without asking, and for how long it may be believed. Pure: the time is an argument, in ms of any
 * steady clock. Not safe for threads.
 *
 * <p>While the stream of ends is open, an answer of the server is good for {@code maxStaleness} from when it was asked, and on
 * as long as the stream says how far it has come: all that was committed before some moment was told. That rows come shows
 * nothing, for they may be late. While the stream is not open, everything is asked for. What it says has ended, has.
 *
 * <p>All moments are those of one steady clock, this machine's: when a question was sent, and, for the stream, when its request
 * was sent plus the time that has passed at the server since it came ({@link Following}).
 */
final class SessionCache {

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
    private final Map<String, Live> live = new LinkedHashMap<>();
    /** Those that have ended, and whether the stream told so. */
    private final Map<String, Boolean> ended = new LinkedHashMap<>();
    /** Sessions that the server is being asked about, and whether the stream told of their end meanwhile. */
    private final Map<String, Boolean> asking = new HashMap<>();

    private boolean open;
    private long followingSince = -NEVER;
    /** Up to when all was told that was committed. */
    private long levelAt = NEVER;

    /**
     * @param size live, and ended, sessions that are kept, at most
     * @param maxStaleness ms
     */
    SessionCache(int size, long maxStaleness) {
        this.size = size;
        this.maxStaleness = maxStaleness;
    }

    Answer known(String session, String room, long now) {
        Live found = live.get(session);
        if (found == null) {
            return ended.containsKey(session) ? Answer.NOT_LIVE : Answer.ASK;
        }
        boolean told = open && found.askedAt() > followingSince; // else nobody would tell of its end
        if (!told || tooOld(found.askedAt(), now)) {
            return Answer.ASK;
        }
        return found.room().equals(room) ? Answer.LIVE : Answer.NOT_LIVE;
    }

    private boolean tooOld(long askedAt, long now) {
        return now - Math.max(askedAt, levelAt) > maxStaleness;
    }

    boolean isOpen() {
        return open;
    }

    /** The server is asked about a session from now on. */
    void asks(String session) {
        asking.put(session, false);
    }

    /**
     * Asked at {@code askedAt}, the server said: live, in this room. Whether that is so still.
     *
     * @return empty if it was so when it was asked, which is too long ago to say
     */
    Optional<Boolean> answeredLive(String session, String room, long askedAt, long now) {
        if (Boolean.TRUE.equals(asking.remove(session))) {
            end(session, false);
        }
        live.remove(session);
        if (ended.containsKey(session)) {
            return Optional.of(false);
        }
        live.put(session, new Live(room, askedAt));
        forgetOldest(live);
        return tooOld(askedAt, now) ? Optional.empty() : Optional.of(true);
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
        }
    }

    /** Rows were missed: nothing is known any more. */
    void reset(long now) {
        live.clear();
        ended.clear();
        followingSince = now;
    }

    /** The stream is not open any more, or cannot tell: until it can, everything is asked for. */
    void cut() {
        open = false;
    }

    /** All that was committed before {@code at} was told. */
    void level(long at) {
        open = true;
        levelAt = Math.max(levelAt, at);
    }

    /** A row about a session that is live has come. */
    void began(String session) {
        open = true;
        ended.remove(session); // an id that was forgotten may be used again
    }

    /** A row about an end has come. Whether it is the first to tell of it. */
    boolean ended(String session) {
        open = true;
        asking.computeIfPresent(session, (key, before) -> true);
        return end(session, true);
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
