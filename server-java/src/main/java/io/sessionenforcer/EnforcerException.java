package io.sessionenforcer;

/**
 * What can go wrong, one tree.
 *
 * <pre>
 * EnforcerException
 * ├── Unavailable            no answer, or not Enforcer's: nobody knows whether the session is live
 * └── Refused                Enforcer said no; code() is the stable name
 *     ├── SessionEnded       410 session-ended, with why
 *     ├── SessionUnknown     404 session-unknown
 *     ├── SessionLimit       409 session-limit, with the sessions in the way
 *     └── Unauthorized       401, 403: the key is wrong, or may not do this
 * </pre>
 */
public abstract sealed class EnforcerException extends RuntimeException permits Unavailable, Refused {

    EnforcerException(String message, Throwable cause) {
        super(message, cause);
    }
}
