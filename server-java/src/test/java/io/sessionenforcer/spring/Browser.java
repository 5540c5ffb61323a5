package io.sessionenforcer.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.CookieManager;
import java.net.HttpCookie;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Somebody with cookies of his own, who follows no redirect. */
final class Browser {

    private static final Pattern TOKEN = Pattern.compile("name=\"_csrf\" type=\"hidden\" value=\"([^\"]+)\"");

    private final String site;
    private final CookieManager cookies = new CookieManager();
    private final HttpClient http = HttpClient.newBuilder().cookieHandler(cookies).build();

    Browser(String site) {
        this.site = site;
    }

    HttpResponse<String> get(String path, String... headers) {
        HttpRequest.Builder asked = HttpRequest.newBuilder(URI.create(site + path)).header("Accept", "text/html");
        for (int n = 0; n < headers.length; n += 2) {
            asked.setHeader(headers[n], headers[n + 1]);
        }
        return send(asked.build());
    }

    HttpResponse<String> post(String path, Map<String, String> form, String... headers) {
        String body = form.entrySet().stream()
                .map(field -> field.getKey() + "=" + URLEncoder.encode(field.getValue(), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
        HttpRequest.Builder asked = HttpRequest.newBuilder(URI.create(site + path)).POST(BodyPublishers.ofString(body));
        asked.header("Content-Type", "application/x-www-form-urlencoded");
        for (int n = 0; n < headers.length; n += 2) {
            asked.setHeader(headers[n], headers[n + 1]);
        }
        return send(asked.build());
    }

    /** By the form of Spring Security. Where it leads to. */
    String askToLogIn(String user, boolean remember) {
        Map<String, String> form = Map.of("username", user, "password", "demo", "_csrf", token(), "remember-me", String.valueOf(remember));
        return to(post("/login", form));
    }

    /** Enforcer's id of the session. */
    String logIn(String user) {
        assertThat(askToLogIn(user, false)).isEqualTo("/");
        return session();
    }

    String session() {
        return get("/session").body();
    }

    String token() {
        Matcher found = TOKEN.matcher(get("/login").body());
        assertThat(found.find()).isTrue();
        return found.group(1);
    }

    /** The path of a redirect. */
    static String to(HttpResponse<?> answer) {
        assertThat(answer.statusCode()).isEqualTo(302);
        URI target = URI.create(answer.headers().firstValue("Location").orElseThrow());
        return target.getPath() + (target.getQuery() == null ? "" : "?" + target.getQuery());
    }

    boolean has(String cookie) {
        return cookies.getCookieStore().getCookies().stream().anyMatch(one -> one.getName().equals(cookie));
    }

    /** One with the same cookies. */
    Browser copy() {
        Browser other = new Browser(site);
        cookies.getCookieStore().getCookies().forEach(cookie -> other.cookies.getCookieStore().add(URI.create(site), cookie));
        return other;
    }

    void drop(String cookie) {
        for (HttpCookie one : cookies.getCookieStore().getCookies()) {
            if (one.getName().equals(cookie)) {
                cookies.getCookieStore().remove(URI.create(site), one);
            }
        }
    }

    private HttpResponse<String> send(HttpRequest asked) {
        try {
            return http.send(asked, BodyHandlers.ofString());
        } catch (IOException error) {
            throw new AssertionError(asked.toString(), error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new AssertionError(error);
        }
    }
}
