package io.sessionenforcer.spring;

import io.sessionenforcer.Enforcer;
import io.sessionenforcer.LiveSessions;
import java.util.Map;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.autoconfigure.security.servlet.SecurityAutoConfiguration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.session.SessionRegistry;
import org.springframework.security.web.session.SessionInformationExpiredStrategy;
import org.thymeleaf.dialect.IProcessorDialect;

/** What an application with Spring Security gets. Each bean makes room for one of the application's own. */
@AutoConfiguration(before = SecurityAutoConfiguration.class)
@ConditionalOnClass(HttpSecurity.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnProperty(prefix = "enforcer", name = "enabled", matchIfMissing = true)
@EnableConfigurationProperties(EnforcerProperties.class)
public class EnforcerAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean
    Enforcer enforcer(EnforcerProperties properties) {
        properties.check();
        return new Enforcer(properties.getUrl(), properties.getKey(), properties.getDeadline());
    }

    /** An end is an event of the application: {@code @EventListener void ended(io.sessionenforcer.Ended end)}. */
    @Bean
    @ConditionalOnMissingBean
    LiveSessions liveSessions(Enforcer enforcer, EnforcerProperties properties, ApplicationEventPublisher events) {
        LiveSessions live = new LiveSessions(enforcer, properties.getMaxStaleness(), properties.getCacheSize());
        live.onEnd(events::publishEvent);
        live.onReset(() -> events.publishEvent(new EndsMissed()));
        return live;
    }

    @Bean
    @ConditionalOnMissingBean
    RoomNames roomNames() {
        return RoomNames::byName;
    }

    @Bean
    @ConditionalOnMissingBean
    LoginTerms loginTerms() {
        return (request, principal) -> Map.of();
    }

    @Bean
    @ConditionalOnMissingBean
    BrowserSessions browserSessions(Enforcer enforcer, RoomNames rooms, LoginTerms terms) {
        return new BrowserSessions(enforcer, rooms, terms);
    }

    @Bean
    @ConditionalOnMissingBean
    SessionInformationExpiredStrategy endedSessionAnswer(EnforcerProperties properties) {
        return new EndedSessionAnswer(properties.getEndedUrl(), properties.getLoginUrl());
    }

    @Bean
    @ConditionalOnMissingBean
    SessionRegistry sessionRegistry(Enforcer enforcer, RoomNames rooms) {
        return new EnforcerSessionRegistry(enforcer, rooms);
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(IProcessorDialect.class)
    static class Thymeleaf {

        @Bean
        @ConditionalOnMissingBean
        SessionGuardDialect sessionGuardDialect(EnforcerProperties properties) {
            return new SessionGuardDialect(properties.publicUrl());
        }
    }
}
