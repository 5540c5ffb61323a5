"""The keys of an issuer: found by discovery, kept for a few minutes, asked for by one at a time.

The answers are somebody else's: they come over TLS that is verified, from where the settings say and not from where a
redirect leads, and no more than `LARGEST` bytes of them are read. Whoever waits for an issuer that hangs waits for
`WITHIN` seconds, and nobody else waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from enforcer.domain.errors import KeysUnavailable
from enforcer.http.rates import Rates

WITHIN = 3.0
"""Seconds for all that is asked to learn the keys."""
KEPT_FOR = 300.0
"""Seconds for which keys are taken for the issuer's without asking again."""
ASK_ANEW_EVERY = 30.0
"""Seconds between two times that an unknown key is a reason to ask."""
LARGEST = 256 * 1024
"""Bytes of one answer."""
MOST_KEYS = 100
TRIES_AT_ONCE, TRIES_RATE = 10, 1.0
"""Failed tries to learn an issuer's keys: at once, and then a second."""

_STOPS = "the server stops"

Keys = Sequence[dict[str, Any]]


def discovery_address(issuer: str, document: str) -> str:
    """Where an issuer describes itself: `openid-configuration` is appended (OpenID Connect Discovery 1.0 §4),
    `ssf-configuration` comes between host and path (Shared Signals Framework 1.0 §7.2)."""
    if document == "openid-configuration":
        return f"{issuer.rstrip('/')}/.well-known/{document}"
    split = urlsplit(issuer)
    return f"{split.scheme}://{split.netloc}/.well-known/{document}{split.path.rstrip('/')}"


class Fetcher:
    """Asks issuers. One connection pool for one process; `close` lets go of it."""

    def __init__(self) -> None:
        self._http: aiohttp.ClientSession | None = None
        self._closed = False

    async def close(self) -> None:
        """May be called twice, and without use. Nobody is asked after it."""
        self._closed = True
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def get(self, address: str, allow_http: bool) -> dict[str, Any]:
        """The JSON object at this address.

        Raises:
            KeysUnavailable: there is none; the message says why.
        """
        if urlsplit(address).scheme not in (("https", "http") if allow_http else ("https",)):
            raise KeysUnavailable(f"{address} is not https")
        if self._closed:
            raise KeysUnavailable(_STOPS)
        if self._http is None:
            self._http = aiohttp.ClientSession(
                auto_decompress=False, headers={"Accept": "application/json", "Accept-Encoding": "identity"}
            )
        try:
            async with self._http.get(address, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise KeysUnavailable(f"{address} answers {answer.status}")
                raw = await _bounded(answer, address)
        except (aiohttp.ClientError, OSError, ValueError) as e:
            raise KeysUnavailable(f"{address} does not answer: {str(e) or type(e).__name__}") from None
        try:
            found = orjson.loads(raw)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise KeysUnavailable(f"{address} does not answer with a JSON object")
        return found


async def _bounded(answer: aiohttp.ClientResponse, address: str) -> bytes:
    raw = bytearray()
    async for chunk in answer.content.iter_any():
        raw += chunk
        if len(raw) > LARGEST:
            raise KeysUnavailable(f"{address} answers with more than {LARGEST} bytes")
    return bytes(raw)


class Issuer:
    """The keys of one issuer. `elapsed` counts seconds and cannot be set."""

    def __init__(
        self,
        fetcher: Fetcher,
        issuer: str,
        document: str,
        jwks_uri: str | None,
        allow_http: bool,
        elapsed: Callable[[], float],
    ) -> None:
        """`document` describes the issuer and is asked unless `jwks_uri` says where its keys are."""
        self._fetcher = fetcher
        self._issuer = issuer
        self._document = document
        self._jwks_uri = jwks_uri
        self._allow_http = allow_http
        self._elapsed = elapsed
        self._keys: Keys = ()
        self._learnt_at = float("-inf")
        self._asked_anew_at = float("-inf")
        self._learning: asyncio.Task[Keys] | None = None
        self._tries = Rates(TRIES_AT_ONCE, TRIES_RATE)

    async def keys(self) -> Keys:
        """Its keys, as they were five minutes ago or later.

        Raises:
            KeysUnavailable: they cannot be had.
        """
        if self._elapsed() - self._learnt_at < KEPT_FOR:
            return self._keys
        return await self._learnt()

    async def newer_keys(self) -> Keys | None:
        """Its keys as they are now, for a token that none of the known ones has signed; None if that was asked for a
        moment ago. Raises as `keys`."""
        now = self._elapsed()
        if now - self._asked_anew_at < ASK_ANEW_EVERY:
            return None
        before, self._asked_anew_at = self._asked_anew_at, now
        try:
            return await self._learnt()
        except KeysUnavailable:
            self._asked_anew_at = before
            raise

    async def learn(self) -> Keys:
        """Asks for the keys now. Raises as `keys`."""
        jwks_uri = self._jwks_uri
        try:
            async with asyncio.timeout(WITHIN):
                if jwks_uri is None:
                    jwks_uri = await self._discovered()
                found = (await self._fetcher.get(jwks_uri, self._allow_http)).get("keys")
        except TimeoutError:
            raise KeysUnavailable(f"issuer {self._issuer} does not answer within {WITHIN:g} s") from None
        if not isinstance(found, list):
            raise KeysUnavailable(f"{jwks_uri} has no list of keys")
        return [key for key in found[:MOST_KEYS] if isinstance(key, dict)]

    async def _discovered(self) -> str:
        address = discovery_address(self._issuer, self._document)
        described = await self._fetcher.get(address, self._allow_http)
        if described.get("issuer") != self._issuer:
            raise KeysUnavailable(f"{address} describes another issuer than {self._issuer}")
        jwks_uri = described.get("jwks_uri")
        if not isinstance(jwks_uri, str):
            raise KeysUnavailable(f"{address} does not say where the keys are")
        return jwks_uri

    async def _learnt(self) -> Keys:
        """All who want the keys at the same time wait for one answer."""
        if self._learning is None:
            wait = self._tries.wait(None, self._elapsed())
            if wait is not None:
                raise KeysUnavailable(f"issuer {self._issuer} was asked too often in vain")
            self._learning = asyncio.create_task(self._learn(), name="keys of an issuer")
            self._learning.add_done_callback(lambda done: done.cancelled() or done.exception())  # all may have left
        learning = self._learning
        try:
            return await asyncio.shield(learning)
        except asyncio.CancelledError:
            if learning.cancelled():
                raise KeysUnavailable(_STOPS) from None
            raise

    async def _learn(self) -> Keys:
        try:
            self._keys = await self.learn()
            self._learnt_at = self._elapsed()
            return self._keys
        finally:
            self._learning = None

    async def close(self) -> None:
        """Nobody waits any more."""
        if self._learning is not None:
            self._learning.cancel()
