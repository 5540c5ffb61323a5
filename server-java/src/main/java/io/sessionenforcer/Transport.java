package io.sessionenforcer;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** Sends calls, and repeats them until they are answered or their time is over. Redirects are not followed: the key stays here. */
final class Transport {

    /** Milliseconds before the first repetition; doubled with each one. */
    private static final long FIRST_WAIT = 100;

    static final JsonMapper JSON = JsonMapper.builder()
            .addModule(new JavaTimeModule())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .serializationInclusion(JsonInclude.Include.NON_NULL)
            .build();

    private final HttpClient http;
    private final String url;
    private final String key;
    private final Duration deadline;

    Transport(String url, String key, Duration deadline) {
        this.http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(deadline).build();
        this.url = url.replaceAll("/+$", "");
        this.key = key;
        this.deadline = deadline;
    }

    /**
     * Every call may be repeated: those that change something say what shall be, and a login has its {@code request_id}.
     *
     * @param body an object to send as JSON, or null
     * @return what was answered; missing for 204
     */
    JsonNode call(String method, String path, Object body) {
        long until = System.nanoTime() + deadline.toNanos();
        for (long wait = FIRST_WAIT; ; wait *= 2) {
            try {
                return once(request(method, path, body).timeout(left(until)).build());
            } catch (Unavailable error) {
                long spread = wait / 2 + ThreadLocalRandom.current().nextLong(wait / 2);
                if (Thread.currentThread().isInterrupted() || System.nanoTime() + Duration.ofMillis(spread).toNanos() >= until) {
                    throw error;
                }
                pause(spread, error);
            }
        }
    }

    /** Sends a request whose answer is read as it comes; {@code timeout} is for its head. */
    <T> HttpResponse<T> open(String path, String lastEventId, BodyHandler<T> handler) throws IOException, InterruptedException {
        HttpRequest.Builder request = request("GET", path, null).timeout(deadline).header("Prefer", "level");
        if (lastEventId != null) {
            request.header("Last-Event-ID", lastEventId);
        }
        return http.send(request.build(), handler);
    }

    private static Duration left(long until) {
        return Duration.ofNanos(Math.max(until - System.nanoTime(), 1_000_000));
    }

    private HttpRequest.Builder request(String method, String path, Object body) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path)).header("Authorization", "Bearer " + key);
        if (body == null) {
            return request.method(method, BodyPublishers.noBody());
        }
        try {
            String json = JSON.writeValueAsString(body);
            return request.header("Content-Type", "application/json").method(method, BodyPublishers.ofString(json));
        } catch (JsonProcessingException error) {
            throw new IllegalArgumentException("this cannot be sent as JSON: " + error.getOriginalMessage(), error);
        }
    }

    private JsonNode once(HttpRequest request) {
        HttpResponse<String> answer;
        try {
            answer = http.send(request, BodyHandlers.ofString());
        } catch (IOException error) {
            throw new Unavailable("Enforcer does not answer", error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new Unavailable("interrupted while Enforcer was asked", error);
        }
        int status = answer.statusCode();
        JsonNode body = parsed(answer.body());
        if (status == 204 || status / 100 == 2 && body.isObject()) {
            return body;
        }
        throw Answers.error(status, body);
    }

    private static JsonNode parsed(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException error) {
            return MissingNode.getInstance();
        }
    }

    private static void pause(long millis, Unavailable error) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw error;
        }
    }
}
