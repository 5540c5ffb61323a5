package io.sessionenforcer;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Flow;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * "Is this session live?" from memory, no older than the push. Safe for threads; one daemon thread follows the stream.
 *
 * <p>What is not known is asked once and kept. An end that the stream tells of holds at once; one that it cannot tell of (it is
 * cut, late or quiet) after {@code maxStaleness} at most, for then Enforcer is asked.
 */
public final class LiveSessions implements AutoCloseable {

    /** For how long a session may be called live after its end, if nothing tells of it, unless given. */
    public static final Duration MAX_STALENESS = Duration.ofSeconds(5);
    /** Sessions that are remembered, unless given. */
    public static final int SIZE = 100_000;

    private static final Logger log = LoggerFactory.getLogger(LiveSessions.class);
    /** A stream in which nothing is heard for so long is given up: there is a comment every fifteen seconds. */
    private static final Duration HEARD_WITHIN = Duration.ofSeconds(40);

    private final Enforcer enforcer;
    private final Object lock = new Object();
    private final SessionCache cache; // guarded by lock, as following and flights
    private final Following following;
    private final Map<String, CompletableFuture<Optional<String>>> flights = new HashMap<>();
    private final List<Consumer<Ended>> endListeners = new CopyOnWriteArrayList<>();
    private final List<Runnable> resetListeners = new CopyOnWriteArrayList<>();
    private final Thread thread;
    private volatile boolean closed;

    /** @param enforcer with a key that may {@code validate} and {@code stream} */
    public LiveSessions(Enforcer enforcer, Duration maxStaleness, int size) {
        this.enforcer = enforcer;
        this.cache = new SessionCache(size, maxStaleness.toMillis());
        this.following = new Following(cache, maxStaleness);
        this.thread = new Thread(this::follow, "enforcer-stream");
        thread.setDaemon(true);
        thread.start();
    }

    public LiveSessions(Enforcer enforcer) {
        this(enforcer, MAX_STALENESS, SIZE);
    }

    /**
     * Whether the session is live and this room's. From memory where it is known, else Enforcer is asked, once.
     *
     * @throws Unavailable when nobody can say
     */
    public boolean isLive(String session, String room) {
        CompletableFuture<Optional<String>> flight;
        boolean mine;
        synchronized (lock) {
            SessionCache.Answer known = cache.known(session, room, now());
            if (known != SessionCache.Answer.ASK) {
                return known == SessionCache.Answer.LIVE;
            }
            flight = flights.get(session);
            mine = flight == null;
            if (mine) {
                flight = new CompletableFuture<>();
                flights.put(session, flight);
                cache.asks(session);
            }
        }
        if (mine) {
            ask(session, flight);
        }
        try {
            return flight.join().filter(room::equals).isPresent();
        } catch (CompletionException error) {
            throw error.getCause() instanceof EnforcerException ours ? ours : error;
        }
    }

    /** Whether the stream is open. */
    public boolean isFollowing() {
        synchronized (lock) {
            return cache.isOpen();
        }
    }

    /** Is told of each end, once, on the thread that follows the stream: close the sockets and streams of that session. */
    public void onEnd(Consumer<Ended> listener) {
        endListeners.add(listener);
    }

    /** Is told, on the same thread, when ends may have been missed: ask {@code isLive} again for whoever holds a socket. */
    public void onReset(Runnable listener) {
        resetListeners.add(listener);
    }

    /** Ends the thread. */
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }

    /** Whoever asks meanwhile waits for the same answer. What the stream says meanwhile is newer than it. */
    private void ask(String session, CompletableFuture<Optional<String>> flight) {
        long askedAt = now();
        try {
            SessionRecord found = enforcer.validate(session).orElse(null);
            Optional<String> room;
            synchronized (lock) {
                room = answered(session, found, askedAt);
                flights.remove(session);
            }
            flight.complete(room);
        } catch (RuntimeException | Error error) { // whoever waits must be told, whatever it is
            synchronized (lock) {
                cache.answeredNothing(session);
                flights.remove(session);
            }
            flight.completeExceptionally(error);
        }
    }

    private Optional<String> answered(String session, SessionRecord found, long askedAt) {
        if (found == null) {
            cache.answeredNothing(session);
        } else if (!found.active()) {
            cache.answeredEnded(session);
        } else {
            boolean live = cache.answeredLive(session, found.room(), askedAt, now())
                    .orElseThrow(() -> new Unavailable("the answer took longer than maxStaleness", null));
            return live ? Optional.of(found.room()) : Optional.empty();
        }
        return Optional.empty();
    }

    private void follow() {
        boolean warned = false;
        while (!closed) {
            try {
                read();
                continue;
            } catch (InterruptedException error) {
                return;
            } catch (IOException | RuntimeException error) {
                if ((isFollowing() || !warned) && !closed) {
                    log.warn("The stream of Enforcer is cut ({}); sessions are asked for one by one until it is back", error.getMessage());
                }
                warned = true;
            }
            long wait;
            synchronized (lock) {
                wait = following.cut();
            }
            try {
                Thread.sleep(wait / 2 + ThreadLocalRandom.current().nextLong(wait / 2));
            } catch (InterruptedException error) {
                return;
            }
        }
    }

    /** Reads one stream until it is cut, which is an error, or to be renewed. */
    private void read() throws IOException, InterruptedException {
        String lastId;
        synchronized (lock) {
            lastId = following.opening(now());
        }
        HttpResponse<Flow.Publisher<List<ByteBuffer>>> answer =
                enforcer.transport().open(Following.PATH, lastId, BodyHandlers.ofPublisher());
        try (Parts parts = new Parts(answer.body())) {
            if (answer.statusCode() != 200) {
                synchronized (lock) {
                    following.refused(answer.statusCode());
                }
                throw new IOException("status " + answer.statusCode());
            }
            while (!closed) {
                for (ByteBuffer part : parts.next(HEARD_WITHIN)) {
                    if (!take(part)) {
                        return;
                    }
                }
            }
        }
    }

    /** Whether the stream is to be read on. */
    private boolean take(ByteBuffer part) throws IOException {
        boolean reset;
        boolean renews;
        List<Ended> ends;
        synchronized (lock) {
            int resets = following.resets();
            ends = following.take(part, now());
            reset = following.resets() != resets;
            renews = following.renews();
        }
        if (reset) {
            resetListeners.forEach(LiveSessions::tell);
        }
        ends.forEach(end -> endListeners.forEach(listener -> tell(() -> listener.accept(end))));
        return !renews;
    }

    /** One that fails keeps nobody else from hearing of it. */
    private static void tell(Runnable listener) {
        try {
            listener.run();
        } catch (RuntimeException error) {
            log.error("A listener has failed", error);
        }
    }

    private static long now() {
        return System.nanoTime() / 1_000_000;
    }
}
