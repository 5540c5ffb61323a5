package io.sessionenforcer.spring;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.springframework.security.core.Authentication;
import org.springframework.security.web.authentication.logout.LogoutHandler;

/** A log-out ends the session that this browser holds, and no other. */
final class ReleasingLogoutHandler implements LogoutHandler {

    private final BrowserSessions sessions;

    ReleasingLogoutHandler(BrowserSessions sessions) {
        this.sessions = sessions;
    }

    @Override
    public void logout(HttpServletRequest request, HttpServletResponse response, Authentication authentication) {
        sessions.release(request);
    }
}
