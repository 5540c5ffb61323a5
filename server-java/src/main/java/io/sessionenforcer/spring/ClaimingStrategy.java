package io.sessionenforcer.spring;

import io.sessionenforcer.SessionLimit;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Optional;
import org.springframework.security.authentication.RememberMeAuthenticationToken;
import org.springframework.security.core.Authentication;
import org.springframework.security.web.authentication.session.SessionAuthenticationStrategy;

/**
 * The claim of a log-in: after the password was right and the id of the {@code HttpSession} was made new, before anybody is
 * logged in. If it is refused, the log-in fails as one with a wrong password does, with its own message; if Enforcer does not
 * answer, {@link UnavailableFilter} says so, and "remember me" keeps its cookie.
 *
 * <p>An {@code AuthenticationSuccessEvent} comes too early, and for HTTP Basic with each request; an {@code
 * InteractiveAuthenticationSuccessEvent} too late: what it throws leaves the user logged in.
 */
final class ClaimingStrategy implements SessionAuthenticationStrategy {

    private final SessionAuthenticationStrategy before;
    private final BrowserSessions sessions;

    ClaimingStrategy(SessionAuthenticationStrategy before, BrowserSessions sessions) {
        this.before = before;
        this.sessions = sessions;
    }

    @Override
    public void onAuthentication(Authentication authentication, HttpServletRequest request, HttpServletResponse response) {
        if (Prefetch.is(request)) {
            throw new Prefetch.Refused(); // by "remember me"
        }
        Optional<HeldSession> held = sessions.held(request);
        before.onAuthentication(authentication, request, response);
        held.ifPresent(kept -> request.getSession().setAttribute(BrowserSessions.KEPT, kept)); // it may be a wholly new one
        try {
            if (authentication instanceof RememberMeAuthenticationToken) {
                sessions.claimByCookie(request, authentication.getPrincipal());
            } else {
                sessions.claim(request, authentication.getPrincipal());
            }
        } catch (SessionLimit limit) {
            throw new SessionLimitReached(limit);
        }
    }
}
