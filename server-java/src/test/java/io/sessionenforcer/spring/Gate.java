package io.sessionenforcer.spring;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A way to the server that can be shut: what is connected is cut, and what comes is cut at once. */
final class Gate {

    private final ServerSocket door;
    private final URI server;
    private final List<Socket> through = new CopyOnWriteArrayList<>();
    private volatile boolean shut;

    Gate(String server) {
        this.server = URI.create(server);
        try {
            door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        start(this::open);
    }

    String url() {
        return "http://127.0.0.1:" + door.getLocalPort();
    }

    void shut(boolean now) throws IOException {
        shut = now;
        for (Socket socket : through) {
            socket.close();
        }
        through.clear();
    }

    private void open() throws IOException {
        while (true) {
            Socket near = door.accept();
            if (shut) {
                near.close();
                continue;
            }
            Socket far = new Socket(server.getHost(), server.getPort());
            through.addAll(List.of(near, far));
            start(() -> carry(near, far));
            start(() -> carry(far, near));
        }
    }

    private static void carry(Socket from, Socket to) throws IOException {
        try (from; to) {
            from.getInputStream().transferTo(to.getOutputStream());
        }
    }

    private interface Work {
        void run() throws IOException;
    }

    private static void start(Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (IOException cut) {
                // as it was asked for
            }
        });
        thread.setDaemon(true);
        thread.start();
    }
}
