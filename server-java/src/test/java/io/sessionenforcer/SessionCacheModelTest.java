package io.sessionenforcer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Random sessions end, questions take their time, and the stream tells of ends late, twice, is cut, goes on, or has lost
 * something. It never says live for longer than it may after an end, and never "not live" of a live one.
 */
class SessionCacheModelTest {

    private static final long STALE = 5_000;
    private static final long CLOCKS_APART = 1_000_000;

    /** A row on its way; {@code session} is null for another's login. */
    private record Row(String session, long at) {}

    /** A question that is under way; the server has said {@code live}. */
    private record Asked(String session, long at, boolean live) {}

    private final SessionCache cache = new SessionCache(4, STALE);
    private final Map<String, Long> ended = new HashMap<>();
    private final Deque<Row> coming = new ArrayDeque<>();
    private final List<Asked> asked = new ArrayList<>();
    private boolean open;
    private long now;
    private int lives;

    @Test
    void neverSaysLiveForTooLongNorEndedOfALiveOne() {
        int lives = 0;
        for (int seed = 0; seed < 500; seed++) {
            SessionCacheModelTest model = new SessionCacheModelTest();
            model.run(new Random(seed), "seed " + seed);
            lives += model.lives;
        }
        assertThat(lives).as("it says live now and then").isGreaterThan(1_000);
    }

    private void run(Random random, String seed) {
        openAnew();
        for (int step = 0; step < 300; step++) {
            now += random.nextInt(500);
            String session = "s" + (step / 50 * 3 + random.nextInt(4)); // some that are old, some that nobody has seen
            switch (random.nextInt(24)) {
                case 0 -> end(session, random.nextInt(3));
                case 1 -> cutOrOpen(random.nextInt(4));
                case 2, 3, 4, 5 -> hear();
                case 6, 7, 8, 9, 10 -> ask(session);
                case 11, 12, 13, 14, 15 -> answer(random);
                case 16 -> coming.add(new Row(null, now));
                default -> judge(session, seed);
            }
        }
    }

    private void end(String session, int doubled) {
        if (ended.putIfAbsent(session, now) == null) {
            coming.add(new Row(session, now));
            if (doubled == 0) {
                coming.add(new Row(session, now));
            }
        }
    }

    private void cutOrOpen(int what) {
        open = false;
        cache.cut();
        if (what <= 1) {
            cache.opened(now, true); // what was on its way comes now
            open = true;
        } else if (what == 2) {
            openAnew();
        }
    }

    /** From now on: what was on its way is lost. The first row shows how far the clocks are apart. */
    private void openAnew() {
        coming.clear();
        cache.reset(now);
        cache.opened(now, false);
        cache.began("login", now + CLOCKS_APART, now);
        open = true;
    }

    private void hear() {
        Row row = open ? coming.poll() : null;
        if (row != null && row.session() == null) {
            cache.began("login", row.at() + CLOCKS_APART, now);
        } else if (row != null) {
            cache.ended(row.session(), row.at() + CLOCKS_APART, now);
        }
    }

    private void ask(String session) {
        if (asked.stream().noneMatch(one -> one.session().equals(session))) {
            cache.asks(session);
            asked.add(new Asked(session, now, !ended.containsKey(session)));
        }
    }

    private void answer(Random random) {
        if (asked.isEmpty()) {
            return;
        }
        Asked one = asked.remove(random.nextInt(asked.size()));
        if (random.nextInt(5) == 0) {
            cache.answeredNothing(one.session()); // it was lost
        } else if (one.live()) {
            cache.answeredLive(one.session(), "r", one.at());
        } else {
            cache.answeredEnded(one.session());
        }
    }

    private void judge(String session, String seed) {
        SessionCache.Answer answer = cache.known(session, "r", now);
        Long at = ended.get(session);
        if (at == null) {
            assertThat(answer).as("%s: %s is live", seed, session).isNotEqualTo(SessionCache.Answer.NOT_LIVE);
        } else if (now - at > STALE) {
            assertThat(answer).as("%s: %s ended %d ms ago", seed, session, now - at).isNotEqualTo(SessionCache.Answer.LIVE);
        }
        lives += answer == SessionCache.Answer.LIVE ? 1 : 0;
    }
}
