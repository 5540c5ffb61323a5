package io.sessionenforcer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FollowingTest {

    private static final String ROW = "id: c2\nevent: session.ended\ndata: {\"session\": \"s\", \"room\": \"Zoë\","
            + " \"reason\": \"displaced\", \"at\": \"2026-01-01T00:00:00.000Z\"}\n\n";
    private static final String READY = ": hello\r\n\r\nevent: ready\ndata: {\"cursor\": \"c1\"}\n\n";

    private final SessionCache cache = new SessionCache(3, 5_000);
    private final Following following = new Following(cache);

    private List<Ended> take(String text) throws IOException {
        return following.take(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), 0);
    }

    @Test
    void readsWhateverTheBytesAreCutInto() throws IOException {
        following.opening();
        List<Ended> ends = new ArrayList<>();
        for (byte one : (READY + ROW + ROW).getBytes(StandardCharsets.UTF_8)) {
            ends.addAll(following.take(ByteBuffer.wrap(new byte[] {one}), 0));
        }
        assertThat(ends).containsExactly(new Ended("s", "Zoë", "displaced", "2026-01-01T00:00:00.000Z"));
        assertThat(cache.known("s", "Zoë", 0)).isEqualTo(SessionCache.Answer.NOT_LIVE);
    }

    @Test
    void goesOnBehindWhatItHasRead() throws IOException {
        assertThat(following.opening()).isNull();
        take(READY);
        assertThat(following.opening()).isEqualTo("c1");
        take(READY.replace("c1", "ignored") + ROW);
        assertThat(following.opening()).isEqualTo("c2");
        following.refused(422);
        assertThat(following.opening()).isNull();
        assertThat(following.resets()).isZero();
        take(READY);
        assertThat(following.resets()).as("whoever holds sockets must ask again").isEqualTo(1);
        assertThat(cache.known("s", "Zoë", 0)).as("what was missed is not known").isEqualTo(SessionCache.Answer.ASK);
    }

    @Test
    void saysThatEndsMayHaveBeenMissed() throws IOException {
        following.opening();
        take(READY + "event: reset\nid: c9\ndata: {\"cursor\": \"c9\"}\n\n");
        assertThat(following.resets()).isEqualTo(1);
        assertThat(following.opening()).isEqualTo("c9");
    }

    @Test
    void doesNotTellWhileTheStoreIsAway() throws IOException {
        following.opening();
        take(READY);
        assertThat(cache.isOpen()).isTrue();
        take("event: unavailable\ndata: {\"retry_ms\": 500}\n\n");
        assertThat(cache.isOpen()).isFalse();
    }

    @Test
    void waitsLongerEachTimeUntilItIsReady() throws IOException {
        following.opening();
        assertThat(List.of(following.cut(), following.cut())).containsExactly(100L, 200L);
        take(READY);
        assertThat(following.cut()).isEqualTo(100L);
    }
}
