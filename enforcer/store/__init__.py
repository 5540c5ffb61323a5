"""Where sessions are kept: the contract (`base`) and its implementations."""

from collections.abc import Callable
from pathlib import Path

from enforcer.store.base import Store
from enforcer.store.memory import MemoryStore
from enforcer.store.sqlite import SQLiteStore


def make_store(url: str, clock: Callable[[], float]) -> Store:
    """The store that a validated setting `store` names; `clock` gives UTC seconds. It is not opened yet."""
    if url == "memory://":
        return MemoryStore(clock)
    return SQLiteStore(Path(url.removeprefix("sqlite:///")), clock)
