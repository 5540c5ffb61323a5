"""Whoever wants to be told of something; one who fails keeps nobody else from hearing of it."""

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


class Listeners:
    """Called in the order in which they came."""

    def __init__(self) -> None:
        self._listeners: list[Callable[..., object]] = []

    def add(self, listener: Callable[..., object]) -> Callable[[], None]:
        """One more; returns what takes it out again, and may be called twice."""
        self._listeners.append(listener)

        def remove() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return remove

    def tell(self, *what: object) -> None:
        """Calls each of them."""
        for listener in tuple(self._listeners):
            _told(listener, what)


def _told(listener: Callable[..., object], what: tuple[object, ...]) -> None:
    try:
        listener(*what)
    except Exception:
        log.exception("a listener has failed")
