package io.sessionenforcer;

import static org.assertj.core.api.Assertions.assertThat;

import io.sessionenforcer.SessionCache.Answer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random sessions end, questions take their time, and the stream tells of ends in order, twice, or is cut. Its request and its
 * bytes take {@code lag} ms each; the server's clock is a little fast. It never says live for longer than it may after an end, and
 * never "not live" of a live one.
 */
class SessionCacheModelTest {

    private static final long STALE = 5_000;

    /** What is on its way. */
    private record Said(long arrives, String text) {}

    /** A question that is under way; the server has said {@code live}. */
    private record Asked(String session, long at, boolean live) {}

    private final SessionCache cache = new SessionCache(4, STALE);
    private final Following following = new Following(cache, Duration.ofMillis(STALE));
    private final Map<String, Long> ended = new HashMap<>();
    private final List<String> log = new ArrayList<>();
    private final Deque<Said> wire = new ArrayDeque<>();
    private final List<Asked> asked = new ArrayList<>();
    private long lag;
    private String resumes;
    private long arrives;
    private boolean served;
    private int read;
    private long now;
    private int lives;

    @ParameterizedTest
    @ValueSource(longs = {0, 10, 1_000, 30_000, 60_000})
    void neverSaysLiveForTooLongNorEndedOfALiveOne(long lag) throws IOException {
        int lives = 0;
        for (int seed = 0; seed < 100; seed++) {
            SessionCacheModelTest model = new SessionCacheModelTest();
            model.lag = lag;
            model.run(new Random(seed), "seed " + seed);
            lives += model.lives;
        }
        assertThat(lives).as("it says live now and then").isGreaterThan(100);
    }

    private void run(Random random, String seed) throws IOException {
        open();
        for (int step = 0; step < 400; step++) {
            now += random.nextInt(1_200);
            look();
            arrive();
            String session = "s" + random.nextInt(6);
            switch (random.nextInt(14)) {
                case 0 -> end(session, random.nextInt(12));
                case 1 -> cut(random.nextInt(60));
                case 2, 3, 4 -> ask(session);
                case 5, 6, 7 -> answer(random, seed);
                default -> judge(session, cache.known(session, "r", now), seed);
            }
        }
    }

    private void open() {
        wire.clear();
        resumes = following.opening(now);
        arrives = now + lag;
        served = false;
    }

    private void cut(int what) {
        if (what < 3) {
            following.cut();
            if (what == 0) {
                following.refused(422); // its cursor is of another log
            }
            open();
        }
    }

    /** The server reads the log, and says what is new and how far it has come. */
    private void look() {
        if (now < arrives) {
            return;
        }
        if (!served) {
            served = true;
            read = resumes == null ? log.size() : Integer.parseInt(resumes);
            say("event: ready\ndata: {\"cursor\": \"" + read + "\"}\n\n");
        }
        for (; read < log.size(); read++) {
            say("id: " + (read + 1) + "\nevent: session.ended\ndata: {\"session\": \"" + log.get(read) + "\"}\n\n");
        }
        say("event: level\ndata: {\"elapsed_ms\": " + (long) ((now - arrives) * (1 + Following.DRIFT)) + "}\n\n");
    }

    private void say(String text) {
        wire.add(new Said(now + lag, text));
    }

    private void arrive() throws IOException {
        while (!wire.isEmpty() && wire.peek().arrives() <= now) {
            following.take(ByteBuffer.wrap(wire.poll().text().getBytes(StandardCharsets.UTF_8)), now);
            if (following.renews()) {
                open();
            }
        }
    }

    private void end(String session, int what) {
        if (what < 3 && ended.putIfAbsent(session, now) == null) {
            log.add(session);
            if (what == 0) {
                log.add(session);
            }
        }
    }

    private void ask(String session) {
        if (asked.stream().noneMatch(one -> one.session().equals(session))) {
            cache.asks(session);
            asked.add(new Asked(session, now, !ended.containsKey(session)));
        }
    }

    private void answer(Random random, String seed) {
        if (asked.isEmpty()) {
            return;
        }
        Asked one = asked.remove(random.nextInt(asked.size()));
        if (random.nextInt(5) == 0) {
            cache.answeredNothing(one.session()); // it was lost
        } else if (one.live()) {
            cache.answeredLive(one.session(), "r", one.at(), now)
                    .ifPresent(live -> judge(one.session(), live ? Answer.LIVE : Answer.NOT_LIVE, seed));
        } else {
            cache.answeredEnded(one.session());
        }
    }

    private void judge(String session, Answer answer, String seed) {
        Long at = ended.get(session);
        if (at == null) {
            assertThat(answer).as("%s: %s is live", seed, session).isNotEqualTo(Answer.NOT_LIVE);
        } else if (now - at > STALE + 1) {
            assertThat(answer).as("%s: %s ended %d ms ago", seed, session, now - at).isNotEqualTo(Answer.LIVE);
        }
        lives += answer == Answer.LIVE ? 1 : 0;
    }
}
