"""Who knocks, as far as the opening request tells; the same for both engines."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visitor:
    """The client's address, its page's origin, and the `room` and `session` of the URL (for pages that can only write
    an address)."""

    ip: str
    origin: str | None
    asked: dict[str, str] | None

    def shows(self, auth: object) -> object:
        """What a CONNECT with this `auth` shows of itself: `auth` comes before the URL."""
        if not self.asked:
            return auth
        return self.asked | auth if isinstance(auth, dict) else auth or self.asked
