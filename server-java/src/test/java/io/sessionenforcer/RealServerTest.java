package io.sessionenforcer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** Against the server that the environment names. */
@EnabledIfEnvironmentVariable(named = "ENFORCER_URL", matches = ".+", disabledReason = "ENFORCER_URL names no server")
class RealServerTest {

    private final Enforcer enforcer =
            new Enforcer(System.getenv("ENFORCER_URL"), System.getenv("ENFORCER_AUTHKEY"), Duration.ofSeconds(30));

    @Test
    void everyCall() {
        Login first = enforcer.login("Zoë/1", Map.of("device", Map.of("user_agent", "JUnit")));
        assertThat(first.created()).isTrue();
        assertThat(enforcer.validate(first.session(), "Zoë/1")).get().matches(SessionRecord::active).matches(SessionRecord::newest);
        assertThat(enforcer.validate(first.session(), "other")).isEmpty();
        assertThat(enforcer.activity(first.session()).startedAt()).isNotNull();
        assertThat(enforcer.ticket(first.session()).elevatedTicket()).isNull();
        assertThat(enforcer.ticket(first.session(), Duration.ofMinutes(5)).elevatedTicket()).isNotEmpty();
        Explanation explained = enforcer.explain("Zoë/1", Map.of());
        assertThat(explained.outcome()).isEqualTo("admitted");
        assertThat(explained.wouldEnd()).hasSize(1);
        assertThat(enforcer.login("Zoë/1").displaced()).containsExactly(first.session());
        Login third = enforcer.login("Zoë/1", Map.of("max_sessions", 2));
        assertThat(enforcer.sessions("Zoë/1")).hasSize(2).first().extracting(SessionRecord::session).isEqualTo(third.session());
        assertThat(enforcer.endOthers("Zoë/1", third.session(), "password_changed")).hasSize(1);
        assertThat(enforcer.endAll("Zoë/1", "security")).containsExactly(third.session());
        enforcer.end(third.session());
        enforcer.end("never-was");
        assertThat(enforcer.validate(third.session())).get().extracting(SessionRecord::endReason).isEqualTo("security");
    }

    /** The same server by a link on which its stream takes 1.5 s more. */
    @Test
    void aStreamThatIsLateIsNotBelieved() {
        Enforcer late = new Enforcer(System.getenv("ENFORCER_LATE_URL"), System.getenv("ENFORCER_AUTHKEY"), Duration.ofSeconds(30));
        List<Ended> ends = new CopyOnWriteArrayList<>();
        try (LiveSessions live = new LiveSessions(late, Duration.ofSeconds(1), 1_000)) {
            live.onEnd(ends::add);
            await().atMost(Duration.ofSeconds(30)).until(() -> late.login("somebody else").created() && !ends.isEmpty());
            String session = late.login("late").session();
            await().atMost(Duration.ofSeconds(30)).until(() -> said(live, session).orElse(false));
            late.end(session);
            long ended = System.nanoTime();
            for (Optional<Boolean> answer = Optional.empty(); !answer.equals(Optional.of(false)); ) {
                late.login("somebody else");
                long asked = System.nanoTime();
                answer = said(live, session);
                assertThat(answer.orElse(false) && asked - ended > 1_000_000_000L).as("called live for too long").isFalse();
            }
        }
    }

    /** Empty if nobody can say, as on a machine that is busy. */
    private static Optional<Boolean> said(LiveSessions live, String session) {
        try {
            return Optional.of(live.isLive(session, "late"));
        } catch (Unavailable error) {
            return Optional.empty();
        }
    }

    @Test
    void anEndIsRefusedFromTheMomentInWhichItComes() {
        List<Ended> ends = new CopyOnWriteArrayList<>();
        try (LiveSessions live = new LiveSessions(enforcer)) {
            live.onEnd(ends::add);
            await().until(live::isFollowing);
            String session = enforcer.login("stream").session();
            assertThat(live.isLive(session, "stream")).isTrue();
            assertThat(live.isLive(session, "other")).isFalse();
            assertThat(live.isLive("never-was", "stream")).isFalse();
            enforcer.login("stream");
            await().until(() -> ends.stream().anyMatch(end -> end.session().equals(session)));
            assertThat(live.isLive(session, "stream")).isFalse();
        }
    }
}
