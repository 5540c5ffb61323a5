"""The keys of an issuer: how often it is asked, and what those who wait are told. The wire is in tests/integration."""

import asyncio
from typing import Any

import pytest

from enforcer.domain.errors import KeysUnavailable
from enforcer.http.signals.issuers import ASK_ANEW_EVERY, KEPT_FOR, TRIES_AT_ONCE, Fetcher, Issuer, discovery_address

ISSUER = "https://idp.example/realms/one"


class Told(Fetcher):
    """Answers by itself, as often as it is asked; waits for `go` first."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.fails = False
        self.go = asyncio.Event()
        self.go.set()

    async def get(self, address: str, allow_http: bool) -> dict[str, Any]:
        self.asked.append(address)
        await self.go.wait()
        if self.fails:
            raise KeysUnavailable("away")
        return {"issuer": ISSUER, "jwks_uri": "https://keys.example/", "keys": [{"kid": str(len(self.asked))}, "?"]}


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def made(told: Told, clock: Clock, jwks_uri: str | None = "https://keys.example/") -> Issuer:
    """An issuer, by default one whose keys' address is known."""
    return Issuer(told, ISSUER, "openid-configuration", jwks_uri, False, clock)


def test_where_issuers_describe_themselves() -> None:
    """OpenID Connect appends, Shared Signals puts it between host and path."""
    assert discovery_address(ISSUER, "openid-configuration") == f"{ISSUER}/.well-known/openid-configuration"
    assert discovery_address("https://a.example/", "openid-configuration").count("//") == 1
    between = "https://idp.example/.well-known/ssf-configuration/realms/one"
    assert discovery_address(ISSUER, "ssf-configuration") == between
    assert (
        discovery_address("https://a.example/", "ssf-configuration")
        == "https://a.example/.well-known/ssf-configuration"
    )


async def test_keys_are_kept_for_five_minutes() -> None:
    """By discovery two questions, then none until then; what is no key is left out."""
    told, clock = Told(), Clock()
    issuer = made(told, clock, jwks_uri=None)
    assert await issuer.keys() == [{"kid": "2"}]
    clock.now += KEPT_FOR - 1
    assert await issuer.keys() == [{"kid": "2"}]
    clock.now += 1
    assert await issuer.keys() == [{"kid": "4"}]
    assert len(told.asked) == 4


async def test_an_unknown_key_is_asked_for_once_in_thirty_seconds() -> None:
    """However many tokens name one; a question that failed does not count."""
    told, clock = Told(), Clock()
    issuer = made(told, clock)
    await issuer.keys()
    assert await issuer.newer_keys() == [{"kid": "2"}]
    assert [await issuer.newer_keys() for _ in range(9)] == [None] * 9
    clock.now += ASK_ANEW_EVERY
    told.fails = True
    with pytest.raises(KeysUnavailable):
        await issuer.newer_keys()
    told.fails = False
    assert await issuer.newer_keys() == [{"kid": "4"}]


async def test_who_waits_waits_together() -> None:
    """One question for all; one who leaves takes nothing from the others."""
    told, clock = Told(), Clock()
    told.go.clear()
    issuer = made(told, clock)
    waiting = [asyncio.create_task(issuer.keys()) for _ in range(5)]
    while not told.asked:
        await asyncio.sleep(0)
    waiting[0].cancel()
    told.go.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [[{"kid": "1"}]] * 4
    assert len(told.asked) == 1


async def test_an_issuer_that_fails_is_not_asked_without_end() -> None:
    """Some tries at once, then one a second: tokens of strangers must not make a flood of questions."""
    told, clock = Told(), Clock()
    told.fails = True
    issuer = made(told, clock)
    for _ in range(3 * TRIES_AT_ONCE):
        with pytest.raises(KeysUnavailable):
            await issuer.keys()
    assert len(told.asked) == TRIES_AT_ONCE
    clock.now += 1
    told.fails = False
    assert await issuer.keys()


async def test_who_waits_when_the_server_stops_is_told() -> None:
    """That the keys cannot be had; and nobody is asked any more."""
    told, clock = Told(), Clock()
    told.go.clear()
    issuer = made(told, clock)
    waiting = asyncio.create_task(issuer.keys())
    while not told.asked:
        await asyncio.sleep(0)
    await issuer.close()
    with pytest.raises(KeysUnavailable):
        await waiting
    closed = Fetcher()
    await closed.close()
    with pytest.raises(KeysUnavailable):
        await closed.get("https://idp.example/", False)
