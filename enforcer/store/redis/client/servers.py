"""The way to Redis: one server, one found through Sentinels, or a Cluster.

The client library's own retries are off: what a lost reply means is known only to those who asked. Every call has a
time-out, its time in the queue included.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from redis import asyncio as redis
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    TryAgainError,
)

from enforcer.domain.errors import StartError, StoreUnavailable
from enforcer.store.redis.address import RedisAddress
from enforcer.store.redis.client.batches import ANSWER_WITHIN, Batches
from enforcer.store.redis.client.wire import closed_is_lost
from enforcer.store.redis.scripts import Command, key_of, with_text

log = logging.getLogger(__name__)

CALL_WITHIN = 3.0
"""Seconds for a call: an answer, after a connection was made for it."""
AT_ONCE = 0.5
"""Seconds within which a failure says that it is the connection's."""
TRY_AGAIN = 0.05
"""Seconds between two tries while a Cluster moves a part of the keys from one server to another."""
OLDEST = (7, 0)
"""The first Redis with sharded channels; every Valkey has them."""
_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What the client library raises when there is no answer."""


class Servers:
    """Sends commands. Made closed; `open` may be tried again after it failed."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._batches: dict[str, Batches] = {}
        self._client: Any = None
        self._sentinel: Sentinel | None = None
        self._looking = False
        self.trips = 0
        """How often Redis was asked something, for measuring."""

    @property
    def one_server(self) -> bool:
        """Whether all keys are on one server, so that one script may touch any of them."""
        return self._address.kind != "cluster"

    async def open(self) -> None:
        """Connects, and looks whether the server is one that can be used.

        Raises:
            StartError: it refuses us, or is too old.
            StoreUnavailable: it does not answer now.
        """
        if self._client is None:
            self._client = self._made()
        try:
            async with asyncio.timeout(CALL_WITHIN):
                with closed_is_lost():
                    about = await self._introduced()
        except (AuthenticationError, AuthorizationError, NoPermissionError) as e:
            raise StartError(f"{self._address} refuses the user or the password: {e}") from None
        except RedisClusterException as e:
            raise StoreUnavailable(f"{self._address} has no Cluster that can be used: {e}") from None
        except (RedisError, OSError, TimeoutError) as e:
            raise StoreUnavailable(f"{self._address} does not answer: {_said(e)}") from None
        version = str(about.get("redis_version", "7"))
        if tuple(int(n) for n in version.split(".")[:2]) < OLDEST:
            raise StartError(f"{self._address} is version {version}; Redis 7.0 or newer, or Valkey, is needed")

    async def close(self) -> None:
        """Lets go of all connections. May be called twice, or without `open`."""
        batches, self._batches = self._batches, {}
        for way in batches.values():
            await way.close()
        client, self._client = self._client, None
        sentinel, self._sentinel = self._sentinel, None
        if client is not None:
            await client.aclose()
        if sentinel is not None:
            await sentinel.aclose()

    async def run(self, *commands: Command) -> list[Any]:
        """The replies, in order, after one trip to each server concerned.

        Raises:
            StoreUnavailable: one of them failed or has no answer; what the commands did is unknown.
        """
        self.trips += 1
        try:
            ready = self._ready()
            if ready is not None:
                replies = await ready.run(commands)  # which looks at the time itself
            else:
                async with asyncio.timeout(CALL_WITHIN):
                    replies = await self._spread(commands)
            if any(isinstance(reply, Exception) for reply in replies):
                async with asyncio.timeout(CALL_WITHIN):
                    await self._mended(commands, replies)
        except (*_FAILURES, StoreUnavailable) as e:
            await self._look_around()
            raise StoreUnavailable(f"Redis does not answer: {_said(e)}") from None
        for reply in replies:
            if isinstance(reply, Exception):
                raise StoreUnavailable(f"Redis does not take a command: {_said(reply)}")
        return replies

    async def ask(self, *commands: Command) -> list[Any]:
        """As `run`, for commands that may be repeated: tries again if it failed at once, as a connection that has died
        in its rest does, and not if Redis is slow."""
        began = time.monotonic()
        try:
            return await self.run(*commands)
        except StoreUnavailable:
            if time.monotonic() - began > AT_ONCE:
                raise
        return await self.run(*commands)

    def server_of(self, key: str) -> str:
        """The name of the server that a key is on now; changes when a Cluster moves it. Empty where it has none."""
        if not isinstance(self._client, redis.RedisCluster):
            return ""
        try:
            node = self._client.get_node_from_key(key)
        except RedisClusterException:  # no server has this part of the keys now
            return ""
        return "" if node is None else str(node.name)

    def connection_to(self, server: str) -> AbstractConnection:
        """A connection to a server, not connected yet.

        Raises:
            StoreUnavailable: the Cluster has no such server.
        """
        if self._client is None:
            raise StoreUnavailable("the store is not open")
        if not isinstance(self._client, redis.RedisCluster):
            made: AbstractConnection = self._client.connection_pool.make_connection()
            return made
        node: ClusterNode | None = self._client.get_node(node_name=server)
        if node is None:
            raise StoreUnavailable("a part of the Redis Cluster is away")
        return node.connection_class(**node.connection_kwargs)

    # ---- how -----------------------------------------------------------------------------------

    async def _introduced(self) -> dict[str, Any]:
        """What the server says of itself."""
        if isinstance(self._client, redis.RedisCluster):
            await self._client.initialize()
        about: dict[str, Any] = await self._client.info("server", **self._any_node())
        return about

    async def _spread(self, commands: Sequence[Command]) -> list[Any]:
        """Each command by the way to its server, so that one which is away keeps up only what it has to do."""
        if self._client is None:
            raise StoreUnavailable("the store is not open")
        by_server: dict[str, list[int]] = {}
        for n, command in enumerate(commands):
            by_server.setdefault(self.server_of(key_of(command)), []).append(n)
        if len(by_server) == 1:
            return await self._way(next(iter(by_server))).run(commands)
        parts = await asyncio.gather(
            *(self._way(server).run([commands[n] for n in those]) for server, those in by_server.items())
        )
        replies: list[Any] = [None] * len(commands)
        for those, part in zip(by_server.values(), parts, strict=True):
            for n, reply in zip(those, part, strict=True):
                replies[n] = reply
        return replies

    def _ready(self) -> Batches | None:
        """The way to the only server there is, if it is open."""
        way = self._batches.get("")
        return way if way is not None and way.open else None

    def _way(self, server: str) -> Batches:
        way = self._batches.get(server)
        if way is None:
            way = self._batches[server] = Batches(lambda: self.connection_to(server))
        return way

    async def _mended(self, commands: Sequence[Command], replies: list[Any]) -> None:
        """Puts other replies in the place of those that only want to be asked again, or elsewhere."""
        unknown = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = await self._spread([with_text(commands[n]) for n in unknown])
            for n, reply in zip(unknown, again, strict=True):
                replies[n] = reply
        await self._redirected(commands, replies)

    async def _redirected(self, commands: Sequence[Command], replies: list[Any]) -> None:
        """Asks again for what a Cluster has moved, or is moving, until it is settled or the call's time is over."""
        for n, reply in enumerate(replies):
            while isinstance(reply, AskError | MovedError | TryAgainError):
                reply = await self._asked_again(with_text(commands[n]), reply)
            replies[n] = reply

    async def _asked_again(self, command: Command, reply: AskError | MovedError | TryAgainError) -> Any:
        """The reply of the server that the last one has named."""
        if isinstance(reply, TryAgainError):  # a script's keys are on two servers just now
            await asyncio.sleep(TRY_AGAIN)
            return (await self._way(self.server_of(key_of(command))).run([command]))[0]
        if isinstance(reply, MovedError):
            await self._client.nodes_manager.move_slot(reply)
            return (await self._way(self.server_of(key_of(command))).run([command]))[0]
        there = self._client.get_node(host=reply.host, port=reply.port)
        if there is None:
            raise StoreUnavailable("a server of the Redis Cluster is new")  # looked for at once
        return (await self._way(there.name).run([("ASKING",), command]))[1]

    async def _look_around(self) -> None:
        """A server of a Cluster has failed: another may have taken its place."""
        if isinstance(self._client, redis.RedisCluster) and not self._looking:
            self._looking = True
            try:
                async with asyncio.timeout(CALL_WITHIN):
                    with closed_is_lost():
                        await self._client.aclose()
                        await self._client.initialize()
            except _FAILURES as e:
                log.debug("the Cluster cannot be looked at: %s", _said(e))
            finally:
                self._looking = False

    def _any_node(self) -> dict[str, Any]:
        """A keyless command needs to be told its server in a Cluster."""
        if isinstance(self._client, redis.RedisCluster):
            return {"target_nodes": redis.RedisCluster.RANDOM}
        return {}

    def _made(self) -> Any:
        a = self._address
        every: dict[str, Any] = {
            "protocol": 2,
            "socket_timeout": ANSWER_WITHIN,
            "socket_connect_timeout": ANSWER_WITHIN,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
        }
        if a.tls:
            every |= {"ssl": True, "ssl_ca_certs": a.ca}
        user: dict[str, Any] = {"username": a.username, "password": a.password}
        if a.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in a.hosts]
            return redis.RedisCluster(startup_nodes=nodes, **user, **every)
        if a.kind == "sentinel":
            self._sentinel = Sentinel(a.hosts, sentinel_kwargs=every)  # type: ignore[no-untyped-call]
            return self._sentinel.master_for(str(a.master), db=a.db, **user, **every)
        ((host, port),) = a.hosts
        return redis.Redis(host=host, port=port, db=a.db, **user, **every)


def _said(error: BaseException) -> str:
    """What an error says, in one short line."""
    return (str(error) or type(error).__name__).splitlines()[0][:200]
