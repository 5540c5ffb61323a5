package io.sessionenforcer.spring;

import static java.util.concurrent.CompletableFuture.supplyAsync;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.sessionenforcer.Enforcer;
import io.sessionenforcer.LiveSessions;
import io.sessionenforcer.SessionRecord;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.mock.web.MockFilterChain;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.context.SecurityContext;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.core.context.SecurityContextImpl;
import org.springframework.security.core.session.SessionInformation;
import org.springframework.security.core.session.SessionRegistry;
import org.springframework.security.web.context.HttpSessionSecurityContextRepository;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** A whole application beside the server that the environment names. */
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = "enforcer.open-paths=/open/**")
@EnabledIfEnvironmentVariable(named = "ENFORCER_URL", matches = ".+", disabledReason = "ENFORCER_URL names no server")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class StarterTest {

    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final ExecutorService THREADS = Executors.newFixedThreadPool(5);

    private static Gate gate;

    @LocalServerPort private int port;
    @Autowired private SessionRegistry registry;
    @Autowired private TestSite site;
    @Autowired private LiveSessions live;
    @Autowired private BrowserSessions sessions;

    private final Enforcer enforcer = new Enforcer(System.getenv("ENFORCER_URL"), System.getenv("ENFORCER_AUTHKEY"), PATIENCE);
    private final String alice = "alice-" + UUID.randomUUID();

    @DynamicPropertySource
    static void properties(DynamicPropertyRegistry properties) {
        gate = new Gate(System.getenv("ENFORCER_URL"));
        properties.add("enforcer.url", gate::url);
        properties.add("enforcer.key", () -> System.getenv("ENFORCER_AUTHKEY"));
        properties.add("enforcer.public-url", () -> "https://enforcer.example/");
    }

    @BeforeEach
    void followed() {
        Awaitility.setDefaultTimeout(PATIENCE);
        await().until(live::isFollowing);
    }

    private Browser browser() {
        return new Browser("http://127.0.0.1:" + port);
    }

    private String endReason(String session) {
        return enforcer.validate(session).map(SessionRecord::endReason).orElse("none");
    }

    private void untilEnded(String session) {
        await().until(() -> site.ends.stream().anyMatch(end -> end.session().equals(session)));
    }

    @Test
    void theSecondLoginEndsTheFirst() {
        Browser first = browser();
        Browser second = browser();
        String ended = first.logIn(alice);
        assertThat(first.get("/").body())
                .contains("src=\"https://enforcer.example/client/session-guard.js\"", "data-ticket=", "data-csrf-header=\"X-CSRF-TOKEN\"")
                .contains("data-csrf-token=", "data-login-url=\"/login\"", "data-logout-url=\"/logout\"")
                .doesNotContain("enforcer:guard");
        assertThat(browser().get("/open/home").body()).contains("Hello, anybody").doesNotContain("<script");
        second.logIn(alice);
        untilEnded(ended);
        assertThat(endReason(ended)).isEqualTo("displaced");
        assertThat(first.get("/", "Sec-Purpose", "prefetch;prerender").statusCode()).isEqualTo(503);
        assertThat(first.get("/open/home").statusCode()).isEqualTo(200);
        HttpResponse<String> refused = first.get("/", "Accept", "text/html,*/*");
        assertThat(refused.statusCode()).isEqualTo(401);
        assertThat(refused.body()).contains("You have logged in somewhere else.", "href=\"/login\"");
        assertThat(Browser.to(first.get("/"))).isEqualTo("/login");
        assertThat(second.get("/").body()).contains("Hello, " + alice);
    }

    @Test
    void scriptsAreToldWhy() {
        Browser browser = browser();
        String ended = browser.logIn(alice);
        enforcer.end(ended, "security");
        untilEnded(ended);
        HttpResponse<String> refused = browser.get("/", "Accept", "application/json");
        assertThat(refused.statusCode()).isEqualTo(401);
        assertThat(refused.body()).contains("\"code\":\"session-ended\"", "\"end_reason\":\"security\"");
    }

    @Test
    void aNewLoginInTheSameBrowserTakesTheOldOnesPlace() {
        Browser browser = browser();
        String first = browser.logIn(alice);
        String second = browser.logIn(alice + "-other");
        assertThat(endReason(first)).isEqualTo("replaced");
        assertThat(browser.session()).isEqualTo(second);
    }

    @Test
    void aLogOutEndsTheSessionThatItNames() {
        Browser browser = browser();
        String session = browser.logIn(alice);
        assertThat(browser.post("/logout", Map.of(), "X-Enforcer-Session", "another").statusCode()).isEqualTo(204);
        assertThat(browser.session()).isEqualTo(session);
        assertThat(browser.post("/logout", Map.of(), "X-Enforcer-Session", session).statusCode()).isEqualTo(403);
        HttpResponse<String> done = browser.post("/logout", Map.of("_csrf", browser.token()), "X-Enforcer-Session", session);
        assertThat(done.statusCode()).isEqualTo(204);
        assertThat(endReason(session)).isEqualTo("logout");
        browser.logIn(alice);
        assertThat(Browser.to(browser.post("/logout", Map.of("_csrf", browser.token())))).isEqualTo("/login?logout");
        assertThat(Browser.to(browser.get("/"))).isEqualTo("/login");
    }

    @Test
    void aRefusedLoginLogsNobodyIn() {
        String careful = "careful-" + alice;
        Browser first = browser();
        String session = first.logIn(careful);
        Browser second = browser();
        assertThat(second.askToLogIn(careful, true)).isEqualTo("/login?error");
        assertThat(second.get("/open/problem").body()).isEqualTo("You are logged in elsewhere. Log out there first.");
        assertThat(second.has("remember-me")).isFalse();
        assertThat(Browser.to(second.get("/"))).isEqualTo("/login");
        assertThat(first.session()).isEqualTo(session);
    }

    /** All that is asked meanwhile is asked at once, as each waits for its deadline; the last, as the stream comes back slowly. */
    @Test
    @Order(Integer.MAX_VALUE)
    void anOutageLogsNobodyOutAndNobodyIn() throws IOException {
        Browser browser = browser();
        Browser leaving = browser();
        Browser remembered = browser();
        Browser newcomer = browser();
        String session = browser.logIn(alice);
        leaving.logIn(alice + "-leaving");
        String token = leaving.token();
        Map<String, String> form = Map.of("username", alice, "password", "demo", "_csrf", newcomer.token());
        assertThat(remembered.askToLogIn(alice + "-remembered", true)).isEqualTo("/");
        String before = remembered.session();
        remembered.drop("JSESSIONID");
        gate.shut(true);
        try {
            await().until(() -> !live.isFollowing());
            var page = supplyAsync(() -> browser.get("/"), THREADS);
            var script = supplyAsync(() -> browser.get("/", "Sec-Fetch-Dest", "empty"), THREADS);
            var logout = supplyAsync(() -> leaving.post("/logout", Map.of("_csrf", token)), THREADS);
            var again = supplyAsync(() -> remembered.get("/"), THREADS);
            var login = supplyAsync(() -> newcomer.post("/login", form), THREADS);
            assertThat(page.join().statusCode()).isEqualTo(503);
            assertThat(page.join().headers().firstValue("Retry-After")).hasValue("1");
            assertThat(script.join().body()).contains("\"code\":\"unavailable\"");
            assertThat(Browser.to(logout.join())).isEqualTo("/login?logout");
            assertThat(again.join().statusCode()).isEqualTo(503);
            assertThat(login.join().statusCode()).isEqualTo(503);
            assertThat(login.join().body()).contains("Nobody can log in just now. ", "href=\"/login\"");
        } finally {
            gate.shut(false);
        }
        for (Browser outside : List.of(newcomer, leaving)) {
            assertThat(Browser.to(outside.get("/"))).isEqualTo("/login");
        }
        assertThat(browser.session()).isEqualTo(session);
        assertThat(remembered.session()).isNotEqualTo(before);
        assertThat(endReason(before)).isEqualTo("displaced");
        assertThat(remembered.has("remember-me")).isTrue();
    }

    @Test
    void whoWasThereBeforeIsTakenInAndNobodyEndsForIt() {
        Browser browser = browser();
        String before = browser.logIn(alice);
        browser.get("/before-roll-out");
        assertThat(browser.get("/", "Sec-Purpose", "prefetch").statusCode()).isEqualTo(503);
        assertThat(enforcer.sessions(alice)).hasSize(1);
        String adopted = browser.session();
        assertThat(enforcer.sessions(alice)).extracting(SessionRecord::session).containsExactlyInAnyOrder(before, adopted);
    }

    @Test
    void whoKeepsItsLoginsElsewhereIsRefusedToo() throws Exception {
        String ended = enforcer.login(alice).session();
        enforcer.login(alice);
        MockHttpServletRequest request = new MockHttpServletRequest("GET", "/");
        request.getSession().setAttribute(BrowserSessions.KEPT, new HeldSession(alice, ended, "ticket"));
        assertThat(filtered(request).getContentAsString()).contains("You have logged in somewhere else.");
    }

    private MockHttpServletResponse filtered(MockHttpServletRequest request) throws Exception {
        LiveSessionFilter filter = new LiveSessionFilter(sessions, live, new EndedSessionAnswer(null, "/login"), any -> false, false);
        MockHttpServletResponse response = new MockHttpServletResponse();
        filter.doFilter(request, response, new MockFilterChain());
        return response;
    }

    @Test
    void orHasToLogInAnew() throws Exception {
        MockHttpServletRequest request = new MockHttpServletRequest("GET", "/");
        SecurityContext context = new SecurityContextImpl(UsernamePasswordAuthenticationToken.authenticated(alice, null, List.of()));
        request.getSession().setAttribute(HttpSessionSecurityContextRepository.SPRING_SECURITY_CONTEXT_KEY, context);
        SecurityContextHolder.setContext(context);
        assertThat(filtered(request).getStatus()).isEqualTo(401);
        assertThat(request.getSession(false)).isNull();
        assertThat(enforcer.sessions(alice)).isEmpty();
    }

    @Test
    void rememberMeDoesNotBringAnEndedSessionBack() {
        Browser remembered = browser();
        assertThat(remembered.askToLogIn(alice, true)).isEqualTo("/");
        String before = remembered.session();
        remembered.drop("JSESSIONID");
        assertThat(remembered.get("/", "Sec-Purpose", "prefetch").statusCode()).isEqualTo(503);
        assertThat(endReason(before)).isEqualTo("none");
        Browser tab = remembered.copy();
        String first = remembered.session();
        assertThat(tab.session()).isEqualTo(first); // opened at the same time
        assertThat(endReason(before)).isEqualTo("displaced");
        String second = browser().logIn(alice);
        untilEnded(first);
        assertThat(remembered.has("remember-me")).isTrue();
        assertThat(remembered.get("/").statusCode()).isEqualTo(401);
        assertThat(remembered.has("remember-me")).isFalse();
        assertThat(enforcer.sessions(alice)).extracting(SessionRecord::session).containsExactly(second);
    }

    @Test
    void whoLogsInWithEachRequestHasNoSession() {
        String basic = "Basic " + Base64.getEncoder().encodeToString((alice + ":demo").getBytes());
        assertThat(browser().get("/api/session", "Authorization", basic).body()).isEqualTo("none");
        assertThat(enforcer.sessions(alice)).isEmpty();
    }

    @Test
    void theRegistryKnowsTheSessionsOfAllNodes() {
        Browser browser = browser();
        String here = browser.logIn(alice);
        String onAnother = enforcer.login(alice, Map.of("max_sessions", 2)).session();
        List<SessionInformation> all = registry.getAllSessions(alice, false);
        assertThat(all).extracting(SessionInformation::getSessionId).containsExactly(onAnother, here);
        assertThat(registry.getSessionInformation(here).isExpired()).isFalse();
        all.get(1).expireNow();
        untilEnded(here);
        assertThat(endReason(here)).isEqualTo("admin");
        assertThat(browser.get("/").body()).contains("An administrator has ended it.");
        assertThat(registry.getSessionInformation(here).isExpired()).isTrue();
        assertThat(registry.getSessionInformation("never-was")).isNull();
        registry.removeSessionInformation(onAnother);
        assertThat(registry.getAllSessions(alice, true)).isEmpty();
        assertThatThrownBy(registry::getAllPrincipals).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void everywhereAndAChangeOfThePassword() {
        Browser browser = browser();
        String here = browser.logIn(alice);
        String first = enforcer.login(alice, Map.of("max_sessions", 2)).session();
        browser.get("/password");
        assertThat(endReason(first)).isEqualTo("password_changed");
        String second = enforcer.login(alice, Map.of("max_sessions", 2)).session();
        browser.get("/everywhere");
        assertThat(List.of(endReason(here), endReason(second))).containsExactly("logout", "logout_everywhere");
        assertThat(Browser.to(browser.get("/"))).isEqualTo("/login");
    }
}
