package io.sessionenforcer.spring;

import io.sessionenforcer.Enforcer;
import io.sessionenforcer.SessionRecord;
import java.util.Date;
import java.util.List;
import org.springframework.security.core.session.SessionInformation;
import org.springframework.security.core.session.SessionRegistry;

/**
 * The live sessions of a user on all nodes, as Enforcer has them. All throw {@code EnforcerException}.
 *
 * <p>Ids are Enforcer's, not those of an {@code HttpSession}. The claim at log-in registers, and the page's script reports
 * activity, so {@link #registerNewSession} and {@link #refreshLastRequest} do nothing. {@link SessionInformation#expireNow()}
 * ends the session everywhere, and its browser is told at once.
 */
public class EnforcerSessionRegistry implements SessionRegistry {

    private final Enforcer enforcer;
    private final RoomNames rooms;

    public EnforcerSessionRegistry(Enforcer enforcer, RoomNames rooms) {
        this.enforcer = enforcer;
        this.rooms = rooms;
    }

    /** Not supported: Enforcer tells an application of one user at a time. */
    @Override
    public List<Object> getAllPrincipals() {
        throw new UnsupportedOperationException("Enforcer tells of one user at a time: call getAllSessions(principal, false)");
    }

    /** Newest log-in first. Only live ones: {@code includeExpiredSessions} adds none. */
    @Override
    public List<SessionInformation> getAllSessions(Object principal, boolean includeExpiredSessions) {
        return enforcer.sessions(rooms.roomOf(principal)).stream()
                .<SessionInformation>map(record -> new RemoteSession(principal, record, enforcer))
                .toList();
    }

    /** Null if there is none, as for the id of an {@code HttpSession}. Its principal is the name of the room. */
    @Override
    public SessionInformation getSessionInformation(String session) {
        return enforcer.validate(session).map(record -> new RemoteSession(record.room(), record, enforcer)).orElse(null);
    }

    @Override
    public void refreshLastRequest(String session) {
        // requests are no sign of a human
    }

    @Override
    public void registerNewSession(String session, Object principal) {
        // the claim has
    }

    /** Ends it as a log-out. */
    @Override
    public void removeSessionInformation(String session) {
        enforcer.end(session);
    }

    private static final class RemoteSession extends SessionInformation {

        private static final long serialVersionUID = 1L;

        private final transient Enforcer enforcer;

        RemoteSession(Object principal, SessionRecord record, Enforcer enforcer) {
            super(principal, record.session(), Date.from(record.lastSeenAt() == null ? record.startedAt() : record.lastSeenAt()));
            this.enforcer = enforcer;
            if (!record.active()) {
                super.expireNow();
            }
        }

        @Override
        public void expireNow() {
            if (enforcer == null) {
                throw new IllegalStateException("This was sent from elsewhere: ask the registry for the session anew");
            }
            enforcer.end(getSessionId(), "admin");
            super.expireNow();
        }
    }
}
