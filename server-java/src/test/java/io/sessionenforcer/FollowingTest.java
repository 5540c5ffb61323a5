package io.sessionenforcer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FollowingTest {

    private static final String ROW = "id: c2\nevent: session.ended\ndata: {\"session\": \"s\", \"room\": \"Zoë\","
            + " \"reason\": \"displaced\", \"at\": \"2026-01-01T00:00:00.000Z\"}\n\n";
    private static final String READY = ": hello\r\n\r\nevent: ready\ndata: {\"cursor\": \"c1\"}\n\n";

    private final SessionCache cache = new SessionCache(3, 5_000);
    private final Following following = new Following(cache, Duration.ofSeconds(5));

    private List<Ended> take(String text) throws IOException {
        return take(text, 0);
    }

    private List<Ended> take(String text, long now) throws IOException {
        return following.take(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), now);
    }

    private static String level(long elapsed) {
        return "event: level\ndata: {\"elapsed_ms\": " + elapsed + "}\n\n";
    }

    @Test
    void readsWhateverTheBytesAreCutInto() throws IOException {
        following.opening(0);
        List<Ended> ends = new ArrayList<>();
        for (byte one : (READY + ROW + ROW).getBytes(StandardCharsets.UTF_8)) {
            ends.addAll(following.take(ByteBuffer.wrap(new byte[] {one}), 0));
        }
        assertThat(ends).containsExactly(new Ended("s", "Zoë", "displaced", "2026-01-01T00:00:00.000Z"));
        assertThat(cache.known("s", "Zoë", 0)).isEqualTo(SessionCache.Answer.NOT_LIVE);
    }

    @Test
    void goesOnBehindWhatItHasRead() throws IOException {
        assertThat(following.opening(0)).isNull();
        take(READY);
        assertThat(following.opening(0)).isEqualTo("c1");
        take(READY.replace("c1", "ignored") + ROW);
        assertThat(following.opening(0)).isEqualTo("c2");
        following.refused(422);
        assertThat(following.opening(0)).isNull();
        assertThat(following.resets()).isZero();
        take(READY);
        assertThat(following.resets()).as("whoever holds sockets must ask again").isEqualTo(1);
        assertThat(cache.known("s", "Zoë", 0)).as("what was missed is not known").isEqualTo(SessionCache.Answer.ASK);
    }

    @Test
    void saysThatEndsMayHaveBeenMissed() throws IOException {
        following.opening(0);
        take(READY + "event: reset\nid: c9\ndata: {\"cursor\": \"c9\"}\n\n");
        assertThat(following.resets()).isEqualTo(1);
        assertThat(following.opening(0)).isEqualTo("c9");
    }

    @Test
    void doesNotTellWhileTheStoreIsAway() throws IOException {
        following.opening(0);
        take(READY);
        assertThat(cache.isOpen()).isTrue();
        take("event: unavailable\ndata: {\"retry_ms\": 500}\n\n");
        assertThat(cache.isOpen()).isFalse();
    }

    @Test
    void isRenewedBeforeDriftCountsOrWhenClocksDisagree() throws IOException {
        following.opening(0);
        take(READY, 1_000);
        cache.asks("s");
        cache.answeredLive("s", "r", 1_500, 1_500);
        take(level(400_000), 400_000);
        assertThat(cache.known("s", "r", 404_500)).isEqualTo(SessionCache.Answer.LIVE);
        assertThat(cache.known("s", "r", 404_700)).as("the server's clock may be fast").isEqualTo(SessionCache.Answer.ASK);
        assertThat(following.renews()).isFalse();
        take(level(501_000), 501_000);
        assertThat(following.renews()).isTrue();
        assertThat(following.opening(502_000)).isEqualTo("c1");
        assertThat(following.renews()).isFalse();
        take(READY + level(3_000), 502_500);
        assertThat(following.renews()).as("that is from the future").isTrue();
        assertThat(cache.known("s", "r", 505_000)).isEqualTo(SessionCache.Answer.LIVE);
        assertThat(cache.known("s", "r", 507_000)).isEqualTo(SessionCache.Answer.ASK);
    }

    @Test
    void doesNotSkipWhatItCannotRead() throws IOException {
        following.opening(0);
        take(READY);
        assertThatThrownBy(() -> take("id: c2\nevent: session.ended\ndata: {\n\n")).isInstanceOf(IOException.class);
        assertThat(following.opening(1)).isNull();
        take(READY);
        assertThat(following.resets()).isEqualTo(1);
    }

    @Test
    void waitsLongerEachTimeUntilItIsReady() throws IOException {
        following.opening(0);
        assertThat(List.of(following.cut(), following.cut())).containsExactly(100L, 200L);
        take(READY);
        assertThat(following.cut()).isEqualTo(100L);
    }
}
