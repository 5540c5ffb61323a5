package io.sessionenforcer.spring;

import io.sessionenforcer.LiveSessions;
import java.util.ArrayList;
import java.util.List;
import org.springframework.boot.autoconfigure.security.servlet.PathRequest;
import org.springframework.context.ApplicationContext;
import org.springframework.http.HttpStatus;
import org.springframework.http.server.PathContainer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.config.annotation.web.configurers.LogoutConfigurer;
import org.springframework.security.web.authentication.AnonymousAuthenticationFilter;
import org.springframework.security.web.authentication.logout.HttpStatusReturningLogoutSuccessHandler;
import org.springframework.security.web.authentication.session.NullAuthenticatedSessionStrategy;
import org.springframework.security.web.authentication.session.SessionAuthenticationStrategy;
import org.springframework.security.web.csrf.CsrfFilter;
import org.springframework.security.web.session.SessionInformationExpiredStrategy;
import org.springframework.security.web.util.matcher.OrRequestMatcher;
import org.springframework.security.web.util.matcher.RequestHeaderRequestMatcher;
import org.springframework.security.web.util.matcher.RequestMatcher;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;

/**
 * Puts log-in, log-out and check into a filter chain. Spring Security applies it to each by itself; a chain that is to go
 * without says {@code http.with(new EnforcerConfigurer(), AbstractHttpConfigurer::disable)}.
 */
public final class EnforcerConfigurer extends AbstractHttpConfigurer<EnforcerConfigurer, HttpSecurity> {

    @Override
    public void init(HttpSecurity http) {
        ApplicationContext context = http.getSharedObject(ApplicationContext.class);
        BrowserSessions sessions = context.getBeanProvider(BrowserSessions.class).getIfAvailable();
        if (sessions == null) {
            return; // switched off
        }
        SessionAuthenticationStrategy own = http.getSharedObject(SessionAuthenticationStrategy.class);
        http.setSharedObject(
                SessionAuthenticationStrategy.class,
                new ClaimingStrategy(own == null ? new NullAuthenticatedSessionStrategy() : own, sessions));
        @SuppressWarnings("unchecked")
        LogoutConfigurer<HttpSecurity> logout = http.getConfigurer(LogoutConfigurer.class);
        if (logout != null) {
            logout.addLogoutHandler(new ReleasingLogoutHandler(sessions));
            logout.defaultLogoutSuccessHandlerFor(
                    new HttpStatusReturningLogoutSuccessHandler(HttpStatus.NO_CONTENT), new RequestHeaderRequestMatcher(NamedSessionFilter.HEADER));
        }
        EnforcerProperties properties = context.getBean(EnforcerProperties.class);
        LiveSessionFilter filter = new LiveSessionFilter(
                sessions,
                context.getBean(LiveSessions.class),
                context.getBean(SessionInformationExpiredStrategy.class),
                open(properties.getOpenPaths()),
                properties.getBeforeRollOut() == EnforcerProperties.BeforeRollOut.ADOPT);
        http.addFilterBefore(new UnavailableFilter(properties.getLoginUrl()), CsrfFilter.class);
        http.addFilterBefore(new NamedSessionFilter(sessions), CsrfFilter.class);
        http.addFilterAfter(filter, AnonymousAuthenticationFilter.class);
    }

    private static RequestMatcher open(List<String> paths) {
        List<RequestMatcher> matchers = new ArrayList<>();
        matchers.add(PathRequest.toStaticResources().atCommonLocations());
        for (String path : paths) {
            PathPattern pattern = PathPatternParser.defaultInstance.parse(path);
            matchers.add(request -> pattern.matches(
                    PathContainer.parsePath(request.getRequestURI().substring(request.getContextPath().length()))));
        }
        return new OrRequestMatcher(matchers);
    }
}
