package io.sessionenforcer.spring;

import static org.assertj.core.api.Assertions.assertThat;

import io.sessionenforcer.Enforcer;
import java.security.Principal;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.security.servlet.SecurityAutoConfiguration;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.security.core.AuthenticatedPrincipal;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.web.SecurityFilterChain;

/** What the starter says of settings; no server is asked. */
class PropertiesTest {

    private final WebApplicationContextRunner site = new WebApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(EnforcerAutoConfiguration.class, SecurityAutoConfiguration.class));

    @ParameterizedTest
    @CsvSource({
        "enforcer.url=, enforcer.url, where does this application find Enforcer",
        "enforcer.url=enforcer:8080, enforcer.url, it must be an address",
        "enforcer.key=, enforcer.key, a key that may login",
        "enforcer.public-url=/enforcer, enforcer.public-url, it must be an address",
        "enforcer.max-staleness=0s, enforcer.max-staleness, longer than nothing",
        "enforcer.deadline=-1s, enforcer.deadline, longer than nothing",
        "enforcer.cache-size=0, enforcer.cache-size, at least 1",
    })
    void whatIsWrongIsNamed(String wrong, String name, String why) {
        site.withPropertyValues("enforcer.url=http://127.0.0.1:1", "enforcer.key=a-secret", wrong).run(context -> assertThat(context)
                .getFailure()
                .rootCause()
                .isInstanceOfSatisfying(InvalidConfigurationPropertyValueException.class, error -> {
                    assertThat(error.getName()).isEqualTo(name);
                    assertThat(error.getReason()).contains(why).doesNotContain("a-secret");
                }));
    }

    @Test
    void aRoomIsTheNameOfItsUser() {
        Object user = User.withUsername("alice").password("").build();
        assertThat(List.of(user, (Principal) () -> "alice", (AuthenticatedPrincipal) () -> "alice", "alice"))
                .allMatch(principal -> RoomNames.byName(principal).equals("alice"));
    }

    @Test
    void switchedOffNothingIsAsked() {
        site.withPropertyValues("enforcer.enabled=false").run(context -> assertThat(context)
                .hasNotFailed()
                .hasSingleBean(SecurityFilterChain.class)
                .doesNotHaveBean(Enforcer.class));
    }
}
