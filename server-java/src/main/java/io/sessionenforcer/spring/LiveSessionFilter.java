package io.sessionenforcer.spring;

import io.sessionenforcer.LiveSessions;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.util.Optional;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.web.authentication.logout.SecurityContextLogoutHandler;
import org.springframework.security.web.context.HttpSessionSecurityContextRepository;
import org.springframework.security.web.session.SessionInformationExpiredEvent;
import org.springframework.security.web.session.SessionInformationExpiredStrategy;
import org.springframework.security.web.util.matcher.RequestMatcher;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.util.WebUtils;

/**
 * Each request of who is logged in: a session that has ended is logged out here too, and the answer is that of the {@link
 * SessionInformationExpiredStrategy}. While nobody knows, {@code Unavailable}, and nobody is logged out. Who is not in an {@code HttpSession}
 * (HTTP Basic, tokens) is not looked at.
 */
final class LiveSessionFilter extends OncePerRequestFilter {

    private final BrowserSessions sessions;
    private final LiveSessions live;
    private final SessionInformationExpiredStrategy onEnded;
    private final RequestMatcher open;
    private final boolean adopts;
    private final HttpSessionSecurityContextRepository logins = new HttpSessionSecurityContextRepository();

    LiveSessionFilter(
            BrowserSessions sessions, LiveSessions live, SessionInformationExpiredStrategy onEnded, RequestMatcher open, boolean adopts) {
        this.sessions = sessions;
        this.live = live;
        this.onEnded = onEnded;
        this.open = open;
        this.adopts = adopts;
    }

    @Override
    protected boolean shouldNotFilter(HttpServletRequest request) {
        return open.matches(request);
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        if (mayPass(request)) {
            chain.doFilter(request, response);
        } else if (Prefetch.is(request)) {
            throw new Prefetch.Refused();
        } else {
            logOut(request, response, chain);
        }
    }

    private boolean mayPass(HttpServletRequest request) {
        Optional<HeldSession> held = sessions.held(request);
        if (held.isPresent()) { // wherever the application keeps who is logged in
            return live.isLive(held.get().session(), held.get().room());
        }
        if (!logins.containsContext(request)) {
            return true;
        }
        return adopts && !Prefetch.is(request) && adopted(request, request.getSession());
    }

    /** Logged in before there was Enforcer. Once for all requests of a browser that come at once. */
    private boolean adopted(HttpServletRequest request, HttpSession own) {
        Authentication user = SecurityContextHolder.getContext().getAuthentication();
        synchronized (WebUtils.getSessionMutex(own)) {
            if (user != null && own.getAttribute(BrowserSessions.KEPT) == null) {
                sessions.adopt(request, user.getPrincipal());
            }
        }
        return true; // without a user the application has another idea of who this is
    }

    private void logOut(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        Optional<HeldSession> over = sessions.held(request);
        String reason = over.map(sessions::endReason).orElse("");
        Authentication user = SecurityContextHolder.getContext().getAuthentication();
        sessions.forget(request);
        request.logout(); // with all handlers of this chain: "remember me" must not log in again by itself
        new SecurityContextLogoutHandler().logout(request, response, user);
        Object principal = user == null ? "" : user.getPrincipal();
        EndedSession ended = new EndedSession(principal, over.map(HeldSession::session).orElse("none"), reason);
        onEnded.onExpiredSessionDetected(new SessionInformationExpiredEvent(ended, request, response, chain));
    }
}
