package io.sessionenforcer.spring;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * The page of an ended session asks for its log-out, and names it. If this browser holds another one, or none, nothing is to be
 * done. Stands before the check against cross-site requests: the token of that page was the old log-in's.
 */
final class NamedSessionFilter extends OncePerRequestFilter {

    static final String HEADER = "X-Enforcer-Session";

    private final BrowserSessions sessions;

    NamedSessionFilter(BrowserSessions sessions) {
        this.sessions = sessions;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        String named = request.getHeader(HEADER);
        if (named == null || sessions.held(request).filter(held -> held.session().equals(named)).isPresent()) {
            chain.doFilter(request, response);
        } else {
            response.setStatus(HttpServletResponse.SC_NO_CONTENT);
        }
    }
}
