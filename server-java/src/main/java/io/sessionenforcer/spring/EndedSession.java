package io.sessionenforcer.spring;

import java.util.Date;
import org.springframework.security.core.session.SessionInformation;

/** What a {@code SessionInformationExpiredStrategy} is told: the id that Enforcer has for the session, or "none"; and why it ended. */
public class EndedSession extends SessionInformation {

    private static final long serialVersionUID = 1L;

    private final String reason;

    EndedSession(Object principal, String session, String reason) {
        super(principal, session, new Date());
        this.reason = reason;
        super.expireNow();
    }

    /** Such as {@code displaced} or {@code idle}; empty if nobody can say. */
    public String getReason() {
        return reason;
    }
}
