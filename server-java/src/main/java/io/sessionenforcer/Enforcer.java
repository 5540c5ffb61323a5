package io.sessionenforcer;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.StreamSupport;

/**
 * The calls of an application's server. Bodies and answers are as docs/protocol.md has them; a room is your name for a user.
 *
 * <p>Each call is repeated until it is answered, for {@code deadline} in all. Safe for threads. All throw
 * {@link EnforcerException}.
 */
public final class Enforcer {

    /** For a call with all its repetitions, unless given. */
    public static final Duration DEADLINE = Duration.ofSeconds(3);

    private final Transport transport;

    /**
     * @param url where Enforcer answers, such as {@code http://127.0.0.1:8080}
     * @param key the authkey, or a key that may what you call
     */
    public Enforcer(String url, String key, Duration deadline) {
        this.transport = new Transport(url, key, deadline);
    }

    public Enforcer(String url, String key) {
        this(url, key, DEADLINE);
    }

    /**
     * This user has just logged in. Repeated with one {@code request_id} until it is answered: it happens once.
     *
     * @param more other members of {@code POST /v1/sessions}: {@code session}, {@code replaces}, {@code device}, {@code slot}, …
     */
    public Login login(String room, Map<String, ?> more) {
        Map<String, Object> body = new HashMap<>(more);
        body.putIfAbsent("request_id", UUID.randomUUID().toString());
        body.put("room", room);
        return read(transport.call("POST", "/v1/sessions", body), Login.class);
    }

    public Login login(String room) {
        return login(room, Map.of());
    }

    /** The record of a session, live or ended; empty if there is none, or if it is another room's. */
    public Optional<SessionRecord> validate(String session, String room) {
        return validated(Map.of("session", session, "room", room));
    }

    public Optional<SessionRecord> validate(String session) {
        return validated(Map.of("session", session));
    }

    /** The human did something in this session: its idle deadline moves. */
    public SessionRecord activity(String session) {
        return read(transport.call("POST", "/v1/sessions/" + escaped(session) + "/activity", null), SessionRecord.class);
    }

    /** Ends a session as {@code logout}. One that is over, or unknown, is no error. */
    public void end(String session) {
        end(session, "logout");
    }

    /**
     * @param reason {@code logout}, {@code logout_everywhere}, {@code password_changed}, {@code security} or {@code admin}
     */
    public void end(String session, String reason) {
        try {
            transport.call("DELETE", "/v1/sessions/" + escaped(session) + "?reason=" + escaped(reason), null);
        } catch (SessionUnknown | SessionEnded over) {
            // what was asked for is so
        }
    }

    /** Ends the user's other sessions; {@code session} stays. The ids of those that ended. */
    public List<String> endOthers(String room, String session, String reason) {
        return ended(Map.of("room", room, "except", session, "reason", reason));
    }

    /** Ends all sessions of the user. The ids of those that ended. */
    public List<String> endAll(String room, String reason) {
        return ended(Map.of("room", room, "reason", reason));
    }

    /** A fresh ticket for the pages of a live session. */
    public Tickets ticket(String session) {
        return read(transport.call("POST", "/v1/sessions/" + escaped(session) + "/ticket", null), Tickets.class);
    }

    /** An elevated ticket as well, once the user has shown the password again; {@code elevateFor} is 1 s to 1 h. */
    public Tickets ticket(String session, Duration elevateFor) {
        Map<String, ?> body = Map.of("elevate_for", elevateFor.toSeconds());
        return read(transport.call("POST", "/v1/sessions/" + escaped(session) + "/ticket", body), Tickets.class);
    }

    /** What a login would do, and why; {@code more} as in {@link #login}. Changes nothing. */
    public Explanation explain(String room, Map<String, ?> more) {
        Map<String, Object> body = new HashMap<>(more);
        body.put("room", room);
        return read(transport.call("POST", "/v1/sessions/explain", body), Explanation.class);
    }

    /** The live sessions of a user, newest login first. */
    public List<SessionRecord> sessions(String room) {
        JsonNode found = transport.call("GET", "/v1/users/" + escaped(room) + "/sessions", null);
        List<SessionRecord> sessions = new ArrayList<>();
        found.path("sessions").forEach(row -> sessions.add(read(row, SessionRecord.class)));
        return List.copyOf(sessions);
    }

    Transport transport() {
        return transport;
    }

    private Optional<SessionRecord> validated(Map<String, ?> body) {
        try {
            return Optional.of(read(transport.call("POST", "/v1/sessions/validate", body), SessionRecord.class));
        } catch (SessionUnknown unknown) {
            return Optional.empty();
        }
    }

    private List<String> ended(Map<String, ?> body) {
        JsonNode ended = transport.call("POST", "/v1/users/logout", body).path("ended");
        return StreamSupport.stream(ended.spliterator(), false).map(JsonNode::asText).toList();
    }

    private static <T> T read(JsonNode answer, Class<T> kind) {
        return Transport.JSON.convertValue(answer, kind);
    }

    /** As a part of a path: every byte that is not plain is escaped (RFC 3986). */
    private static String escaped(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
