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
        cache.answeredLive("s", "alice", 1);
    }

    @Test
    void asksAboutWhatItDoesNotKnowAndAboutNothingElse() {
        assertThat(cache.known("other", "alice", 1)).isEqualTo(ASK);
        assertThat(cache.known("s", "alice", 1)).isEqualTo(LIVE);
        assertThat(cache.known("s", "bob", 1)).isEqualTo(NOT_LIVE);
    }

    @Test
    void refusesFromTheMomentInWhichTheEndComes() {
        assertThat(cache.ended("s", 2, 2)).isTrue();
        assertThat(cache.ended("s", 2, 3)).as("told once").isFalse();
        assertThat(cache.known("s", "alice", 3)).isEqualTo(NOT_LIVE);
        cache.reset(4);
        assertThat(cache.known("s", "alice", 4)).isEqualTo(ASK);
    }

    @Test
    void believesAnEndMoreThanAnAnswerThatWasUnderWay() {
        cache.asks("t");
        cache.ended("t", 2, 2);
        for (String other : new String[] {"a", "b", "c", "d"}) {
            cache.ended(other, 2, 2); // what was kept of it is gone
        }
        assertThat(cache.answeredLive("t", "alice", 1)).isFalse();
        assertThat(cache.known("t", "alice", 3)).isEqualTo(NOT_LIVE);
    }

    @Test
    void believesWhatItKnowsAsLongAsRowsCome() {
        cache.began("other", 60_000, 60_000);
        long good = 60_000 - SessionCache.SLACK + STALE;
        assertThat(cache.known("s", "alice", good)).isEqualTo(LIVE);
        assertThat(cache.known("s", "alice", good + 1)).isEqualTo(ASK);
    }

    @Test
    void isNotMisledByRowsThatComeLate() {
        cache.began("other", 2, 2);
        cache.began("another", 100, 60_000); // the row tells of 100, though it has come at 60,000
        assertThat(cache.known("s", "alice", 60_000)).isEqualTo(ASK);
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
            cache.answeredLive(other, "alice", 1);
        }
        assertThat(cache.known("s", "alice", 1)).isEqualTo(ASK);
    }
}
