package io.sessionenforcer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The parts of a body, taken one by one with a limit of time, which the JDK's streams of bytes do not have. */
final class Parts implements Flow.Subscriber<List<ByteBuffer>>, AutoCloseable {

    /** What has come: bytes, or the error that it ended with. */
    private record Part(List<ByteBuffer> bytes, IOException end) {}

    private final BlockingQueue<Part> come = new LinkedBlockingQueue<>();
    private volatile Flow.Subscription subscription;

    Parts(Flow.Publisher<List<ByteBuffer>> body) {
        body.subscribe(this);
    }

    /** The next part; throws when there is none within {@code limit}, or no more at all. */
    List<ByteBuffer> next(Duration limit) throws IOException, InterruptedException {
        Part part = come.poll(limit.toMillis(), TimeUnit.MILLISECONDS);
        if (part == null) {
            throw new IOException("nothing was heard for " + limit.toSeconds() + " s");
        }
        if (part.end() != null) {
            throw part.end();
        }
        subscription.request(1);
        return part.bytes();
    }

    @Override
    public void close() {
        subscription.cancel();
    }

    @Override
    public void onSubscribe(Flow.Subscription made) {
        subscription = made;
        made.request(1);
    }

    @Override
    public void onNext(List<ByteBuffer> bytes) {
        come.add(new Part(bytes, null));
    }

    @Override
    public void onError(Throwable error) {
        come.add(new Part(null, new IOException("the stream is cut", error)));
    }

    @Override
    public void onComplete() {
        come.add(new Part(null, new IOException("the server has closed it")));
    }
}
