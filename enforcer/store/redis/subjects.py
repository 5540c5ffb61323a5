"""Of whom signals speak, in Redis.

A login is committed in the bucket of its room, and its subjects are elsewhere. So that none slips past a signal, each
side says what it does before it looks:

- A claim enters its room at its subjects (`enter`), then reads the room, then what was noted (`signalled`), and only
  then commits, if the room is still what it was.
- A signal is noted (`note`), then reads which rooms there are (`rooms`), and then commits something to each of them.

If the claim did not see the note, its entry was there before, so the signal goes to its room; there it finds the
session, or what it commits makes the claim begin anew.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from hashlib import sha256
from secrets import token_hex

from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import Session
from enforcer.domain.signals import subjects_of
from enforcer.store.queries import Claim
from enforcer.store.redis.client.servers import Servers
from enforcer.store.redis.clock import RedisClock
from enforcer.store.redis.keys import NEWLINE, Keys
from enforcer.store.redis.scripts import NOTE, Command

_LONGER = 1_000
"""Milliseconds that a key is kept beyond its time, by which it is judged: the clocks may differ a little."""


class RedisSubjects:
    """See `store.base.Subjects` for what each method promises; the others are for claims."""

    def __init__(self, servers: Servers, keys: Keys, clock: RedisClock) -> None:
        self._servers = servers
        self._keys = keys
        self._clock = clock

    # ---- signals -------------------------------------------------------------------------------

    async def note(self, not_before: Mapping[str, float], seconds: float) -> None:
        now = self._clock.now()
        kept = int(seconds * 1000) + _LONGER
        await self._servers.run(
            *(
                NOTE.call([self._signal(subject)], [repr(at), repr(now + seconds), repr(now), kept])
                for subject, at in not_before.items()
            )
        )

    async def rooms(self, subjects: Collection[str]) -> set[str]:
        if not subjects:
            return set()
        replies = await self._servers.ask(*(("HVALS", self._entries(subject)) for subject in subjects))
        return {room.decode() for reply in replies for room in reply}

    async def used(self, message: str) -> bool:
        (until,) = await self._servers.ask(("GET", self._message(message)))
        return until is not None and float(until) > self._clock.now()

    async def use(self, message: str, seconds: float) -> bool:
        key, now = self._message(message), self._clock.now()
        kept = int(seconds * 1000) + _LONGER
        (taken,) = await self._servers.run(("SET", key, repr(now + seconds), "NX", "PX", kept))
        return taken is not None

    # ---- claims --------------------------------------------------------------------------------

    async def enter(self, claim: Claim, room: str) -> str:
        """Before the claim reads anything; the name of the entry, for `leave` or `stay`."""
        entry = str(claim.session)
        if not claim.new:  # others may have the same id: their entries are not ours to take away
            entry += NEWLINE + token_hex(6)
        await self._servers.ask(*(("HSET", self._entries(subject), entry, room) for subject in claim.subjects))
        return entry

    async def signalled(self, subjects: Collection[str]) -> dict[str, float]:
        """What was noted of these, for `RoomState.signalled`."""
        replies = await self._servers.ask(*(("GET", self._signal(subject)) for subject in subjects))
        now, noted = self._clock.now(), {}
        for subject, reply in zip(subjects, replies, strict=True):
            if reply is not None:
                at, until = map(float, reply.split())
                if until > now:
                    noted[subject] = at
        return noted

    async def leave(self, claim: Claim, entry: str) -> None:
        """The claim has made no session. An entry that stays, because Redis is away, only costs signals a look."""
        with suppress(StoreUnavailable):
            await self._servers.run(*(("HDEL", self._entries(subject), entry) for subject in claim.subjects))

    async def stay(self, before: Session | None, session: Session, entry: str) -> None:
        """The claim was committed: the session is entered by its id, and by nothing that it is not spoken of any more.

        If Redis is away the first entry stays, which is as good until the session is forgotten.
        """
        now = subjects_of(session.room, session.idp, session.aliases)
        once = () if before is None else subjects_of(before.room, before.idp, before.aliases)
        gone = [("HDEL", self._entries(subject), session.id) for subject in once if subject not in now]
        entered: list[Command] = []
        if entry != session.id:
            for subject in now:
                entered.append(("HSET", self._entries(subject), session.id, session.room))
                entered.append(("HDEL", self._entries(subject), entry))
        with suppress(StoreUnavailable):
            if entered or gone:
                await self._servers.run(*entered, *gone)

    async def forget(self, sessions: Collection[Session]) -> None:
        """Before these are forgotten: they have ended, and no signal needs to find them."""
        gone = [
            ("HDEL", self._entries(subject), s.id)
            for s in sessions
            for subject in subjects_of(s.room, s.idp, s.aliases)
        ]
        if gone:
            await self._servers.run(*gone)

    # ---- how -----------------------------------------------------------------------------------

    def _entries(self, subject: str) -> str:
        return self._keys.subject(_digest(subject), "rooms")

    def _signal(self, subject: str) -> str:
        return self._keys.subject(_digest(subject), "signal")

    def _message(self, message: str) -> str:
        return self._keys.message(_digest(message))


def _digest(text: str) -> str:
    """Of any length and content, and people's addresses: none of it belongs into the name of a key."""
    return sha256(text.encode()).hexdigest()[:40]
