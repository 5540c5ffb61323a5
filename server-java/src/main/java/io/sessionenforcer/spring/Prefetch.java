package io.sessionenforcer.spring;

import jakarta.servlet.http.HttpServletRequest;
import java.util.Locale;

/** A browser fetches ahead of its human: that is nobody's act. It begins no session, and ends none. */
final class Prefetch {

    private Prefetch() {}

    /** By {@code Sec-Purpose}: {@code prefetch}, {@code prefetch;prerender}. */
    static boolean is(HttpServletRequest request) {
        String purpose = request.getHeader("Sec-Purpose");
        return purpose != null && purpose.toLowerCase(Locale.ROOT).startsWith("prefetch");
    }

    /** {@link UnavailableFilter} answers 503: the browser drops it, and asks again when the human goes there. */
    static final class Refused extends RuntimeException {

        private static final long serialVersionUID = 1L;

        Refused() {
            super("a prefetch begins no session", null, false, false);
        }
    }
}
