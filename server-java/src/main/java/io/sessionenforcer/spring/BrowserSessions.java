package io.sessionenforcer.spring;

import io.sessionenforcer.Enforcer;
import io.sessionenforcer.EnforcerException;
import io.sessionenforcer.Login;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The session of a browser: its {@code HttpSession} holds which one of Enforcer's it is. */
public class BrowserSessions {

    /** The attribute of the {@code HttpSession} that holds a {@link HeldSession}. */
    public static final String KEPT = "enforcer";
    /** The limit by which a session from before Enforcer is taken in: it ends no other. */
    private static final int ADOPTED = 1_000;

    private static final Logger log = LoggerFactory.getLogger(BrowserSessions.class);

    private final Enforcer enforcer;
    private final RoomNames rooms;
    private final LoginTerms terms;

    public BrowserSessions(Enforcer enforcer, RoomNames rooms, LoginTerms terms) {
        this.enforcer = enforcer;
        this.rooms = rooms;
        this.terms = terms;
    }

    /** The session that this browser holds; it may have ended. */
    public Optional<HeldSession> held(HttpServletRequest request) {
        HttpSession own = request.getSession(false);
        return Optional.ofNullable(own == null ? null : (HeldSession) own.getAttribute(KEPT));
    }

    /**
     * The user has just logged in, in place of whoever this browser held. Spring Security's own log-ins do this by themselves.
     *
     * @throws EnforcerException and then nothing is changed: do not log the user in
     */
    public HeldSession claim(HttpServletRequest request, Object principal) {
        return claim(request, principal, terms.of(request, principal), false);
    }

    /**
     * The same by "remember me". Tabs that a browser opens at once come with one cookie, each in an {@code HttpSession} of its own:
     * they are one log-in, and do not end each other.
     */
    HeldSession claimByCookie(HttpServletRequest request, Object principal) {
        return claim(request, principal, terms.of(request, principal), true);
    }

    /** Logs this browser out, and all others of its user. Throws {@link EnforcerException}, and then all are still logged in. */
    public void logOutEverywhere(HttpServletRequest request) throws ServletException {
        held(request).ifPresent(held -> enforcer.endOthers(held.room(), held.session(), "logout_everywhere"));
        request.logout();
    }

    /** The password was changed in this browser: all others of the user are logged out. Throws {@link EnforcerException}. */
    public void passwordChanged(HttpServletRequest request) {
        held(request).ifPresent(held -> enforcer.endOthers(held.room(), held.session(), "password_changed"));
    }

    /** One from before there was Enforcer is taken in. */
    HeldSession adopt(HttpServletRequest request, Object principal) {
        return claim(request, principal, Map.of("max_sessions", ADOPTED, "policy", "displace"), false);
    }

    /** The user logs out: the session of this browser ends, and no other. That Enforcer is away keeps nobody from it. */
    void release(HttpServletRequest request) {
        held(request).ifPresent(held -> {
            forget(request);
            try {
                enforcer.end(held.session());
            } catch (EnforcerException error) {
                log.warn("A session that has logged out is still open: {}", error.getMessage());
            }
        });
    }

    void forget(HttpServletRequest request) {
        HttpSession own = request.getSession(false);
        if (own != null) {
            own.removeAttribute(KEPT);
        }
    }

    /** Why a session has ended; empty if nobody can say. */
    String endReason(HeldSession held) {
        try {
            return enforcer.validate(held.session()).map(found -> found.endReason() == null ? "" : found.endReason()).orElse("");
        } catch (EnforcerException error) {
            log.debug("Why a session has ended is not known: {}", error.getMessage());
            return "";
        }
    }

    private HeldSession claim(HttpServletRequest request, Object principal, Map<String, ?> asked, boolean byCookie) {
        Map<String, Object> more = new HashMap<>(asked);
        Map<String, String> device = new TreeMap<>(Map.of("ip", request.getRemoteAddr()));
        String agent = request.getHeader("User-Agent");
        if (agent != null) {
            device.put("user_agent", agent);
        }
        more.putIfAbsent("device", device);
        held(request).ifPresent(before -> more.putIfAbsent("replaces", before.session()));
        if (byCookie) {
            more.putIfAbsent("request_id", digest(request.getHeader("Cookie") + new TreeMap<>(more)));
        }
        Login login = enforcer.login(rooms.roomOf(principal), more);
        HeldSession now = new HeldSession(login.room(), login.session(), login.ticket());
        request.getSession().setAttribute(KEPT, now);
        return now;
    }

    private static String digest(String text) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every Java has SHA-256", error);
        }
    }
}
