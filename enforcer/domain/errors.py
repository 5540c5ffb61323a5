"""What can go wrong, as one tree.

EnforcerError
├── ConfigError               the configuration cannot be used; every problem at once
├── StartError                the process cannot start (port, directory)
│   └── StoreInUse            another process has the database
├── KeysUnavailable           the keys of an identity provider cannot be had now
├── StoreUnavailable          the store did not answer: the outcome is *unknown*, repeat with the same request id
└── Refused                   the request was understood and is refused; `code` is the public name
    ├── TicketInvalid · TicketExpired
    ├── SessionUnknown        no such session (for this caller)
    ├── SessionEnded          the session has ended; carries its record
    ├── SessionConflict       the id belongs to another room
    ├── SessionLimit          policy `reject`: enough others are alive; carries them
    ├── SignedOut             the identity provider has signed the user out since
    ├── SessionLive           a session that is live cannot be reported
    ├── TooLate               a session that ended long ago cannot be reported any more
    ├── ElevationRequired     the page's ticket does not say that the user has shown the password again
    ├── NotAllowed            the key is not for this, or the settings do not let pages do it
    ├── RequestIdReused       the same request id came with another body
    └── TooManyConnections    a limit on sockets or unclaimed sessions

Messages name the value that was wrong and what to do; never a key or a ticket.
"""

from collections.abc import Sequence

from enforcer.domain.model import Session


class EnforcerError(Exception):
    """Everything that this package raises on purpose."""


class ConfigError(EnforcerError):
    """The configuration cannot be used.

    `problems` has one sentence for each thing that is wrong, in the order of the settings.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class StartError(EnforcerError):
    """The process cannot start; the message is one line for the operator."""


class StoreInUse(StartError):
    """Another process has the database, which only one can have; it may be about to stop."""


class StoreUnavailable(EnforcerError):
    """The store did not answer, so whether a change took effect is unknown.

    Repeating the call with the same `request_id` is always safe.
    """


class KeysUnavailable(EnforcerError):
    """The keys of an identity provider cannot be had now, so nothing can be said about its signature."""


class Refused(EnforcerError):
    """A refusal with a public, stable `code`."""

    code = "refused"


class TicketInvalid(Refused):
    """Not a ticket of ours, or not for this purpose."""

    code = "ticket-invalid"


class TicketExpired(Refused):
    """The ticket's own life is over; the session may well live."""

    code = "ticket-expired"


class SessionUnknown(Refused):
    """There is no such session, or not in the room that was named."""

    code = "session-unknown"


class SessionEnded(Refused):
    """The session has ended, for ever; `session` is its record."""

    code = "session-ended"

    def __init__(self, message: str, session: Session) -> None:
        super().__init__(message)
        self.session = session


class SessionConflict(Refused):
    """The session id is in use in another room."""

    code = "session-conflict"


class SessionLimit(Refused):
    """Policy `reject`: as many others as are allowed are alive; `sessions` are they, oldest login first.

    `slot` and `max_sessions` are those that the login was judged by.
    """

    code = "session-limit"

    def __init__(self, message: str, sessions: Sequence[Session], slot: str | None, max_sessions: int) -> None:
        super().__init__(message)
        self.sessions = tuple(sessions)
        self.slot = slot
        self.max_sessions = max_sessions


class SignedOut(Refused):
    """The identity provider has ended, since, what the login is made from: the user logs in there again."""

    code = "signed-out"


class SessionLive(Refused):
    """What was asked for is for ended sessions, and this one is live."""

    code = "session-live"


class TooLate(Refused):
    """The session ended longer ago than it can be reported."""

    code = "too-late"


class ElevationRequired(Refused):
    """To end other sessions a page shows an elevated ticket, which its app gets once the user has proved who it is."""

    code = "elevation-required"


class NotAllowed(Refused):
    """The key is not for this, or the settings do not let pages do it."""

    code = "not-allowed"


class RequestIdReused(Refused):
    """The request id was used for another request of this room within the last ten minutes."""

    code = "request-id-reused"


class TooManyConnections(Refused):
    """A limit on live sockets or on unclaimed sessions is reached; trying later may help."""

    code = "too-many-connections"
