"""Of whom signals speak, for the store that forgets. Nothing here awaits, so each step is whole."""

from collections.abc import Callable, Collection, Mapping

from enforcer.domain.model import Session
from enforcer.domain.signals import subjects_of


class MemorySubjects:
    """See `store.base.Subjects` for what each method promises."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._spoken_of: dict[str, dict[str, str]] = {}
        """The rooms of sessions, by these and by their subjects."""
        self._signalled: dict[str, tuple[float, float]] = {}
        """Subjects, and messages: with before when, and until when that is remembered; the first to go comes first."""

    async def note(self, not_before: Mapping[str, float], seconds: float) -> None:
        now = self._clock()
        for subject, at in not_before.items():
            known = self._signalled.pop(subject, None)
            later = at if known is None or known[1] <= now else max(at, known[0])
            self._remember(subject, later, now + seconds)

    async def rooms(self, subjects: Collection[str]) -> set[str]:
        return {room for subject in subjects for room in self._spoken_of.get(subject, {}).values()}

    async def used(self, message: str) -> bool:
        known = self._signalled.get(message)
        return known is not None and known[1] > self._clock()

    async def use(self, message: str, seconds: float) -> bool:
        if await self.used(message):
            return False
        self._remember(message, 0.0, self._clock() + seconds)
        return True

    # ---- for the store ---------------------------------------------------------------------------

    def signalled(self, subjects: Collection[str]) -> dict[str, float]:
        """Which of these were signalled, and before when."""
        now = self._clock()
        return {s: noted[0] for s in subjects if (noted := self._signalled.get(s)) is not None and noted[1] > now}

    def put(self, old: Session | None, session: Session) -> None:
        """A record takes the place of an old one."""
        if old is not None:
            self.forget(old)
        for subject in _subjects(session):
            self._spoken_of.setdefault(subject, {})[session.id] = session.room

    def forget(self, session: Session) -> None:
        """The record is dropped."""
        for subject in _subjects(session):
            if (known := self._spoken_of.get(subject)) is not None:
                known.pop(session.id, None)
                if not known:
                    del self._spoken_of[subject]

    def _remember(self, name: str, at: float, until: float) -> None:
        self._signalled.pop(name, None)
        self._signalled[name] = at, until
        now = self._clock()
        while (first := next(iter(self._signalled))) and self._signalled[first][1] <= now:
            del self._signalled[first]


def _subjects(session: Session) -> Collection[str]:
    return subjects_of(session.room, session.idp, session.aliases)
