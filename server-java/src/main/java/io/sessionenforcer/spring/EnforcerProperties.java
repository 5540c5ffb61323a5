package io.sessionenforcer.spring;

import io.sessionenforcer.Enforcer;
import io.sessionenforcer.LiveSessions;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;

/** {@code enforcer.*} of the application's properties. */
@ConfigurationProperties("enforcer")
public class EnforcerProperties {

    /** What becomes of users who have logged in before Enforcer was there. */
    public enum BeforeRollOut {
        /** They are taken in at their next request, and nobody ends for it. */
        ADOPT,
        /** They have to log in anew. */
        LOG_OUT
    }

    /** Whether Enforcer is asked at all; off for the tests of an application, for instance. */
    private boolean enabled = true;

    /** Where this application finds Enforcer, such as http://127.0.0.1:8080. */
    private String url;

    /** A key that may login, validate, end and stream. Take it from the environment. */
    private String key;

    /** Where browsers find Enforcer; the same as url if it is not set. */
    private String publicUrl;

    /** The log-in page, to which the page about an ended session leads. */
    private String loginUrl = "/login";

    /** Where a browser is sent whose session has ended, with "ended" and the reason as the query. It must be open to everybody. A small page of our own if it is not set. */
    private String endedUrl;

    /** What is sent to everybody, so that Enforcer is not asked, as patterns of paths; besides Spring Boot's usual places of static files. */
    private List<String> openPaths = List.of();

    /** For how long an end may go unnoticed while the stream of ends is silent. */
    private Duration maxStaleness = LiveSessions.MAX_STALENESS;

    /** For a call with all its repetitions; after it, nobody knows. */
    private Duration deadline = Enforcer.DEADLINE;

    /** How many sessions are remembered. */
    private int cacheSize = LiveSessions.SIZE;

    /** What becomes of users who have logged in before Enforcer was there. */
    private BeforeRollOut beforeRollOut = BeforeRollOut.ADOPT;

    /** Raises an error that names the property, and never the key's value. */
    void check() {
        require("enforcer.url", url, "it is not set: where does this application find Enforcer? Such as http://127.0.0.1:8080");
        require("enforcer.key", key, "it is not set: a key that may login, validate, end and stream, such as ${ENFORCER_KEY}");
        requireAddress("enforcer.url", url);
        requireAddress("enforcer.public-url", publicUrl());
        requirePositive("enforcer.max-staleness", maxStaleness);
        requirePositive("enforcer.deadline", deadline);
        if (cacheSize < 1) {
            throw new InvalidConfigurationPropertyValueException("enforcer.cache-size", cacheSize, "it must be at least 1");
        }
    }

    private static void require(String name, String value, String reason) {
        if (value == null || value.isBlank()) {
            throw new InvalidConfigurationPropertyValueException(name, value, reason);
        }
    }

    private static void requireAddress(String name, String value) {
        try {
            URI address = URI.create(value);
            if (address.getHost() != null && List.of("http", "https").contains(address.getScheme())) {
                return;
            }
        } catch (IllegalArgumentException error) {
            // said below
        }
        throw new InvalidConfigurationPropertyValueException(name, value, "it must be an address, such as http://127.0.0.1:8080");
    }

    private static void requirePositive(String name, Duration value) {
        if (value.isNegative() || value.isZero()) {
            throw new InvalidConfigurationPropertyValueException(name, value, "it must be longer than nothing, such as 5s");
        }
    }

    /** Where browsers find Enforcer, without a slash at the end. */
    String publicUrl() {
        String address = publicUrl == null || publicUrl.isBlank() ? url : publicUrl;
        return address.endsWith("/") ? address.substring(0, address.length() - 1) : address;
    }

    public boolean isEnabled() {
        return enabled;
    }

    public void setEnabled(boolean enabled) {
        this.enabled = enabled;
    }

    public String getUrl() {
        return url;
    }

    public void setUrl(String url) {
        this.url = url;
    }

    public String getKey() {
        return key;
    }

    public void setKey(String key) {
        this.key = key;
    }

    public String getPublicUrl() {
        return publicUrl;
    }

    public void setPublicUrl(String publicUrl) {
        this.publicUrl = publicUrl;
    }

    public String getLoginUrl() {
        return loginUrl;
    }

    public void setLoginUrl(String loginUrl) {
        this.loginUrl = loginUrl;
    }

    public String getEndedUrl() {
        return endedUrl;
    }

    public void setEndedUrl(String endedUrl) {
        this.endedUrl = endedUrl;
    }

    public List<String> getOpenPaths() {
        return openPaths;
    }

    public void setOpenPaths(List<String> openPaths) {
        this.openPaths = openPaths;
    }

    public Duration getMaxStaleness() {
        return maxStaleness;
    }

    public void setMaxStaleness(Duration maxStaleness) {
        this.maxStaleness = maxStaleness;
    }

    public Duration getDeadline() {
        return deadline;
    }

    public void setDeadline(Duration deadline) {
        this.deadline = deadline;
    }

    public int getCacheSize() {
        return cacheSize;
    }

    public void setCacheSize(int cacheSize) {
        this.cacheSize = cacheSize;
    }

    public BeforeRollOut getBeforeRollOut() {
        return beforeRollOut;
    }

    public void setBeforeRollOut(BeforeRollOut beforeRollOut) {
        this.beforeRollOut = beforeRollOut;
    }
}
