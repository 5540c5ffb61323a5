package io.sessionenforcer.spring;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Map;
import org.springframework.security.web.session.SessionInformationExpiredEvent;
import org.springframework.security.web.session.SessionInformationExpiredStrategy;
import org.springframework.web.util.UriComponentsBuilder;

/**
 * The answer to a request of a session that has ended, unless the application declares its own strategy: 401 {@code
 * session-ended} for scripts; humans are sent to {@code enforcer.ended-url}, or read here why.
 */
final class EndedSessionAnswer implements SessionInformationExpiredStrategy {

    private static final Map<String, String> WHY = Map.of(
            "displaced", "You have logged in somewhere else.",
            "idle", "You were inactive for too long.",
            "absolute", "You were logged in for as long as it is allowed.",
            "logout", "You have logged out.",
            "logout_everywhere", "You have logged out everywhere.",
            "password_changed", "Your password was changed.",
            "security", "It was ended to protect your account.",
            "admin", "An administrator has ended it.");

    private final String endedUrl;
    private final String loginUrl;

    /** @param endedUrl null: the page of our own */
    EndedSessionAnswer(String endedUrl, String loginUrl) {
        this.endedUrl = endedUrl;
        this.loginUrl = loginUrl;
    }

    @Override
    public void onExpiredSessionDetected(SessionInformationExpiredEvent event) throws IOException {
        HttpServletRequest request = event.getRequest();
        HttpServletResponse response = event.getResponse();
        String reason = event.getSessionInformation() instanceof EndedSession ended ? ended.getReason() : "";
        if (request.getHeader(NamedSessionFilter.HEADER) != null) {
            response.setStatus(HttpServletResponse.SC_NO_CONTENT); // its page has asked for just that
        } else if (Refusals.wantsJson(request)) {
            Map<String, String> why = reason.isEmpty() ? Map.of() : Map.of("end_reason", reason);
            Refusals.problem(response, HttpServletResponse.SC_UNAUTHORIZED, "session-ended", "The session has ended.", why);
        } else if (endedUrl != null && !endedUrl.isBlank()) {
            UriComponentsBuilder target = UriComponentsBuilder.fromUriString(inside(request, endedUrl));
            response.sendRedirect(target.queryParam("ended", reason).encode().toUriString());
        } else {
            String why = WHY.getOrDefault(reason, "");
            String login = inside(request, loginUrl);
            Refusals.page(response, HttpServletResponse.SC_UNAUTHORIZED, "Your session has ended", why, "Log in again", login);
        }
    }

    /** Addresses that begin with a slash are the application's. */
    static String inside(HttpServletRequest request, String url) {
        return url.startsWith("/") ? request.getContextPath() + url : url;
    }
}
