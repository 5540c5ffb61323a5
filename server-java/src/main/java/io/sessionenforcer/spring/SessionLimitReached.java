package io.sessionenforcer.spring;

import io.sessionenforcer.SessionLimit;
import org.springframework.security.web.authentication.session.SessionAuthenticationException;

/** A log-in that the policy refuses, because the user is logged in elsewhere. */
public class SessionLimitReached extends SessionAuthenticationException {

    private static final long serialVersionUID = 1L;

    SessionLimitReached(SessionLimit limit) {
        super("You are logged in elsewhere. Log out there first.");
        initCause(limit);
    }
}
