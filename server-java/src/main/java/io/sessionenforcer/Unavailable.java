package io.sessionenforcer;

/** Show an error page (503) and log nobody out: what was asked for is not known. */
public final class Unavailable extends EnforcerException {

    Unavailable(String message, Throwable cause) {
        super(message, cause);
    }
}
