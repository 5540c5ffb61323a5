package io.sessionenforcer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.MissingNode;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What answers mean, over HTTP. */
@Timeout(30)
class TransportTest {

    private record Answer(int status, String body) {}

    private final Deque<Answer> answers = new ArrayDeque<>();
    private final List<String> bodies = new ArrayList<>();
    private HttpServer server;
    private Enforcer enforcer;
    private Enforcer hasty;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            bodies.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            Answer answer = answers.size() > 1 ? answers.poll() : answers.peek();
            byte[] bytes = answer.body().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(answer.status(), bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        String url = "http://127.0.0.1:" + server.getAddress().getPort() + "/";
        enforcer = new Enforcer(url, "key", Duration.ofSeconds(30));
        hasty = new Enforcer(url, "key", Duration.ofMillis(500));
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    @Test
    void goesByTheCodeAndNotByTheStatus() {
        answers.add(new Answer(404, "<h1>Not found</h1>"));
        assertThatThrownBy(() -> hasty.validate("s")).isInstanceOf(Unavailable.class);
        assertThat(Answers.error(404, MissingNode.getInstance())).hasMessageContaining("check its address");
        answers.clear();
        answers.add(new Answer(404, "{\"code\": \"session-unknown\", \"detail\": \"no such session\"}"));
        assertThat(enforcer.validate("s")).isEmpty();
        answers.clear();
        answers.add(new Answer(200, "welcome to the hotel"));
        assertThatThrownBy(() -> hasty.validate("s")).isInstanceOf(Unavailable.class);
    }

    @Test
    void repeatsALoginUnderOneName() {
        answers.add(new Answer(503, "{\"code\": \"store-unavailable\"}"));
        answers.add(new Answer(201, "{\"session\": \"s\", \"room\": \"alice\", \"ticket\": \"t\", \"created\": true, \"new\": 1}"));
        assertThat(enforcer.login("alice")).isEqualTo(new Login("s", "alice", "t", null, true, List.of()));
        assertThat(bodies).hasSize(2).containsOnly(bodies.get(0));
        assertThat(bodies.get(0)).contains("\"request_id\":\"");
    }

    @Test
    void givesUpWhenItsTimeIsOver() {
        answers.add(new Answer(503, "{\"code\": \"store-unavailable\"}"));
        assertThatThrownBy(() -> hasty.end("s")).isInstanceOf(Unavailable.class);
        assertThat(bodies).hasSizeBetween(1, 4); // 100, 200 and 400 ms between them, at least half of each
    }

    @Test
    void hasAClassForWhatAnApplicationTellsApart() {
        answers.add(new Answer(409, "{\"code\": \"session-limit\", \"sessions\": [{\"session\": \"a\"}]}"));
        assertThatThrownBy(() -> enforcer.login("alice"))
                .isInstanceOfSatisfying(SessionLimit.class, error -> assertThat(error.sessions()).hasSize(1));
        answers.clear();
        answers.add(new Answer(410, "{\"code\": \"session-ended\", \"end_reason\": \"idle\"}"));
        assertThatThrownBy(() -> enforcer.activity("s"))
                .isInstanceOfSatisfying(SessionEnded.class, error -> assertThat(error.reason()).isEqualTo("idle"));
        enforcer.end("s");
        answers.clear();
        answers.add(new Answer(403, "{\"code\": \"not-allowed\"}"));
        assertThatThrownBy(() -> enforcer.sessions("alice")).isInstanceOf(Unauthorized.class);
        answers.clear();
        answers.add(new Answer(422, "{\"code\": \"invalid-request\"}"));
        assertThatThrownBy(() -> enforcer.explain("alice", Map.of()))
                .isInstanceOfSatisfying(Refused.class, error -> assertThat(error.code()).isEqualTo("invalid-request"));
    }
}
