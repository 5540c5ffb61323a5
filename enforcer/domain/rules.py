"""What an operator has decided about sessions, for all of them or for those of one slot. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from enforcer.domain.model import FOREVER


@dataclass(frozen=True, slots=True)
class Limits:
    """Who may stay in one slot, and for how long. Durations in seconds, `None` means never."""

    policy: str = "displace"
    max_sessions: int = 1
    idle_timeout: float | None = None
    absolute_timeout: float | None = None
    warn_before: float | None = 120.0


@dataclass(frozen=True, slots=True)
class Rules(Limits):
    """The settings that decide. They are themselves the limits of the common slot, and of each that is not in `slots`.

    `grace` is true for a while after a start or an outage: then idle and lost deadlines count as not passed.
    """

    join: str = "ticket"
    login_window: float = 30.0
    lost_timeout: float | None = 30 * 86400.0
    alive_window: float = 60.0
    grace: bool = False
    slots: Mapping[str, Limits] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """The original way: pages join a room by its name."""
        return self.join == "open"

    def limits(self, slot: str | None) -> Limits:
        """What holds in a slot."""
        return self if slot is None else self.slots.get(slot, self)


def own_or_usual(own: float | None, usual: float | None) -> float | None:
    """A duration: a session's or login's own if it has one (`FOREVER` stands for none), else the usual one."""
    return usual if own is None else None if own >= FOREVER else own
