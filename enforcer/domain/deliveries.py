"""Events on their way to webhooks: the words, and what an answer means. Pure.

Times are UTC seconds by the clock of the store.
"""

from typing import NamedTuple

TABLE = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds between a try that has failed and the next one; after the try behind the last of them an event is dead."""
SPREAD = 0.2
"""The part of these seconds by which the next try may be later, so that not everything comes back at once."""
GONE = 410
"""The status by which a receiver says that it wants no more."""


class Answer(NamedTuple):
    """What came of a try: the status, or None and why there was none. `error` is one line without secrets."""

    status: int | None
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has the event (any 2xx)."""
        return self.status is not None and 200 <= self.status <= 299

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more events."""
        return self.status == GONE


class Delivery(NamedTuple):
    """One event on its way to one hook.

    `id` is the `webhook-id`, `at` when it happened, `body` what is sent. `tries` have failed, the last of them at
    `tried_at` with `status` or `error`. The next is at `due_at`; None: it is dead, nothing more is tried.
    """

    id: str
    room: str
    at: float
    body: str
    tries: int = 0
    due_at: float | None = 0.0
    status: int | None = None
    error: str | None = None
    tried_at: float | None = None


class HookState(NamedTuple):
    """Where a hook has come to.

    `cursor` is the text of a cursor of the audit log: what is behind it was not tried yet. `failing_since` is the first
    failure after the last success, `status` the last answer. `off` names the address that answered 410, empty if none
    did.
    """

    cursor: str
    failing_since: float | None = None
    status: int | None = None
    off: str = ""


class Settlement(NamedTuple):
    """What is to be stored of a hook in one step; None leaves a part as it is.

    `health` is (`failing_since`, `status`). `put` are deliveries to keep, in place of those with their ids; `done` are
    ids of those to forget.
    """

    cursor: str | None = None
    health: tuple[float | None, int | None] | None = None
    off: str | None = None
    put: tuple[Delivery, ...] = ()
    done: tuple[str, ...] = ()


def tried(delivery: Delivery, answer: Answer, now: float, spread: float) -> Delivery | None:
    """What is left to do after a try: None if the event was taken; `spread`, from 0 to 1, says how much later it comes.

    A receiver that is gone was not wrong about this event: it waits, and comes first when the hook is on again.
    """
    if answer.taken:
        return None
    told = delivery._replace(status=answer.status, error=answer.error, tried_at=now)
    if answer.gone:
        return told._replace(due_at=now)
    tries = delivery.tries + 1
    if tries > len(TABLE):
        return told._replace(tries=tries, due_at=None)
    return told._replace(tries=tries, due_at=now + TABLE[tries - 1] * (1 + SPREAD * spread))


def again(delivery: Delivery, now: float) -> Delivery:
    """The delivery from the beginning, because somebody asks for it."""
    return delivery._replace(tries=0 if delivery.due_at is None else delivery.tries, due_at=now)
