package io.sessionenforcer.spring;

import io.sessionenforcer.EnforcerException;
import io.sessionenforcer.Unavailable;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.security.web.context.HttpSessionSecurityContextRepository;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * While Enforcer does not answer: 503 for this request, and all stays as it was. Who is logged in sees the application's {@code
 * error/503.html}; who wants to log in, and may see no page of it yet, one of our own. Stands before what logs in.
 */
final class UnavailableFilter extends OncePerRequestFilter {

    private static final Logger log = LoggerFactory.getLogger(UnavailableFilter.class);

    private final String loginUrl;
    private final HttpSessionSecurityContextRepository logins = new HttpSessionSecurityContextRepository();

    UnavailableFilter(String loginUrl) {
        this.loginUrl = loginUrl;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        try {
            chain.doFilter(request, response);
        } catch (Prefetch.Refused error) {
            response.setStatus(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
        } catch (EnforcerException error) { // of a log-in, or of the question whether one is live
            if (response.isCommitted()) {
                throw error;
            }
            answer(request, response, error);
        } catch (ServletException error) {
            if (!(error.getCause() instanceof Unavailable unavailable) || response.isCommitted()) {
                throw error;
            }
            answer(request, response, unavailable); // of a call of the application's own
        }
    }

    private void answer(HttpServletRequest request, HttpServletResponse response, EnforcerException error) throws IOException {
        if (error instanceof Unavailable) {
            log.warn("A request is refused: {}", error.getMessage());
        } else {
            log.error("A request is refused: Enforcer is not set up for it", error);
        }
        int status = HttpServletResponse.SC_SERVICE_UNAVAILABLE;
        response.setHeader("Retry-After", "1");
        if (Refusals.wantsJson(request)) {
            Refusals.problem(response, status, "unavailable", "Nobody can say now whether the session is live.", Map.of());
        } else if (logins.containsContext(request)) {
            response.sendError(status);
        } else {
            String login = EndedSessionAnswer.inside(request, loginUrl);
            Refusals.page(response, status, "One moment, please", "Nobody can log in just now. Please try again in a few seconds.", "Try again", login);
        }
    }
}
