package io.sessionenforcer;

import static io.sessionenforcer.SessionCache.Answer.ASK;
import static io.sessionenforcer.SessionCache.Answer.LIVE;
import static io.sessionenforcer.SessionCache.Answer.NOT_LIVE;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SessionCacheTest {

    private static final long STALE = 5_000;

    private final SessionCache cache = new SessionCache(3, STALE);

    /** Told of a live session at 1, with the stream open. */
    @BeforeEach
    void told() {
        cache.opened(0, false);
        cache.asks("s");
        cache.answeredLive("s", "alice", 1, 1);
    }

    @Test
    void asksAboutWhatItDoesNotKnowAndAboutNothingElse() {
        assertThat(cache.known("other", "alice", 1)).isEqualTo(ASK);
        assertThat(cache.known("s", "alice", 1)).isEqualTo(LIVE);
        assertThat(cache.known("s", "bob", 1)).isEqualTo(NOT_LIVE);
    }

    @Test
    void refusesFromTheMomentInWhichTheEndComes() {
        assertThat(cache.ended("s")).isTrue();
        assertThat(cache.ended("s")).as("told once").isFalse();
        assertThat(cache.known("s", "alice", 3)).isEqualTo(NOT_LIVE);
        cache.reset(4);
        assertThat(cache.known("s", "alice", 4)).isEqualTo(ASK);
    }

    @Test
    void believesAnEndMoreThanAnAnswerThatWasUnderWay() {
        cache.asks("t");
        cache.ended("t");
        for (String other : new String[] {"a", "b", "c", "d"}) {
            cache.ended(other); // what was kept of it is gone
        }
        assertThat(cache.answeredLive("t", "alice", 1, 3)).contains(false);
        assertThat(cache.known("t", "alice", 3)).isEqualTo(NOT_LIVE);
    }

    @Test
    void believesWhatItKnowsAsLongAsTheStreamSaysHowFarItHasCome() {
        cache.level(60_000);
        assertThat(cache.known("s", "alice", 60_000 + STALE)).isEqualTo(LIVE);
        cache.began("other"); // which may be late
        assertThat(cache.known("s", "alice", 60_001 + STALE)).isEqualTo(ASK);
    }

    @Test
    void doesNotSayWhatWasSoTooLongAgo() {
        assertThat(cache.answeredLive("s", "alice", 1, STALE + 2)).isEmpty();
        cache.level(10);
        assertThat(cache.answeredLive("s", "alice", 1, STALE + 2)).contains(true);
    }

    @Test
    void asksAgainWhenTheStreamIsCutOrHasLostSomething() {
        cache.cut();
        assertThat(cache.known("s", "alice", 2)).isEqualTo(ASK);
        cache.opened(3, true);
        assertThat(cache.known("s", "alice", 3)).as("nothing was missed").isEqualTo(LIVE);
        cache.opened(4, false);
        assertThat(cache.known("s", "alice", 4)).as("ends may have been missed").isEqualTo(ASK);
    }

    @Test
    void keepsNoMoreThanItMayAndNoAnswerThatIsNone() {
        cache.asks("gone");
        cache.answeredNothing("gone");
        assertThat(cache.known("gone", "alice", 1)).isEqualTo(ASK);
        for (String other : new String[] {"a", "b", "c"}) {
            cache.asks(other);
            cache.answeredLive(other, "alice", 1, 1);
        }
        assertThat(cache.known("s", "alice", 1)).isEqualTo(ASK);
    }
}
