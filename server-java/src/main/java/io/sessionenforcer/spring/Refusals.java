package io.sessionenforcer.spring;

import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.web.util.HtmlUtils;

/** Answers to requests that get no further: problems of RFC 9457 for scripts, pages for humans. */
final class Refusals {

    private static final String PAGE = """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>%s</title>
            <body style="max-width: 32rem; margin: 20vh auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif">
            <h1>%s</h1>
            <p>%s</p>
            <p><a href="%s">%s</a></p>
            """;

    private static final ObjectMapper JSON = new ObjectMapper();

    private Refusals() {}

    /** A script asks, by {@code fetch} or {@code XMLHttpRequest}, or for JSON. */
    static boolean wantsJson(HttpServletRequest request) {
        String accept = String.valueOf(request.getHeader("Accept"));
        return "XMLHttpRequest".equals(request.getHeader("X-Requested-With"))
                || "empty".equals(request.getHeader("Sec-Fetch-Dest"))
                || (accept.contains("json") && !accept.contains("text/html"));
    }

    /** A page of our own, where the application has none that everybody may see. */
    static void page(HttpServletResponse response, int status, String title, String text, String link, String url) throws IOException {
        answer(response, status, "text/html", PAGE.formatted(title, title, text, HtmlUtils.htmlEscape(url), link));
    }

    static void problem(HttpServletResponse response, int status, String code, String title, Map<String, ?> more) throws IOException {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("title", title);
        body.put("status", status);
        body.put("code", code);
        body.putAll(more);
        answer(response, status, "application/problem+json", JSON.writeValueAsString(body));
    }

    private static void answer(HttpServletResponse response, int status, String type, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        response.setStatus(status);
        response.setContentType(type);
        response.setCharacterEncoding("UTF-8");
        response.setHeader("Cache-Control", "no-store");
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }
}
