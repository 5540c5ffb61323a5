"""The hub between a real registry and a socket that only writes down: what a page hears in the narrow moments."""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from enforcer.configuration.settings import Settings
from enforcer.domain.admission import Login
from enforcer.domain.errors import StoreUnavailable
from enforcer.domain.model import Actor, ActorKind, Decision, EndReason, Snapshot
from enforcer.gateway.hub import Hub
from enforcer.gateway.link import Link
from enforcer.gateway.socket import News, Refusal
from enforcer.process.metrics import Metrics
from enforcer.process.notices import Notices
from enforcer.store.base import Decide
from enforcer.store.memory import MemoryStore
from enforcer.tickets import TicketOffice
from enforcer.usecases.pages import Pages
from enforcer.usecases.registry import Registry, new_session_id

T = TypeVar("T")


class Paper:
    """An engine's socket that keeps what it is given."""

    origin = None
    polls = False

    def __init__(self, ip: str = "192.0.2.1") -> None:
        self.ip = ip
        self.heard: list[Any] = []
        self.news: list[News] = []
        self.ack: Callable[[], None] | None = None

    def send(self, news: News) -> None:
        """Noted by its name."""
        self.heard.append(news.event)
        self.news.append(news)

    def ask(self, news: News, acked: Callable[[], None]) -> None:
        """Noted by its name; the ack is the test's to give."""
        self.send(news)
        self.ack = acked

    def disconnect(self) -> None:
        """Noted."""
        self.heard.append("disconnect")

    def cut(self) -> None:
        """Noted."""
        self.heard.append("cut")


class Spoilt(MemoryStore):
    """A store that can be away, and whose news can be lost on the way, as with a store in another process."""

    away = False
    silent = False
    reads = 0
    meanwhile: Callable[[], Awaitable[Any]] | None = None
    """What happens before the next commit, which is then not taken."""

    async def get(self, session: str) -> Snapshot | None:
        """Unless it is away."""
        self.reads += 1
        if self.away:
            raise StoreUnavailable("away")
        return await super().get(session)

    async def transact(self, room: str, decide: Decide[T], **options: Any) -> Decision[T]:
        """While it is away, the commit is done and its reply lost."""
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()
            raise StoreUnavailable("away")
        if not self.away and not self.silent:
            return await super().transact(room, decide, **options)
        listeners, self._listeners = self._listeners, []
        try:
            result = await super().transact(room, decide, **options)
        finally:
            self._listeners = listeners
        if self.away:
            raise StoreUnavailable("the reply is lost")
        return result


class House:
    """A hub with all that stands behind it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(authkey="k" * 40, store="memory://", **settings)
        self.ticks = itertools.count(1)
        self.store = Spoilt(lambda: 1_800_000_000.0 + next(self.ticks) / 1000)
        self.registry = Registry(self.store, self.settings.rules, time.monotonic)
        self.office = TicketOffice(self.settings.authkeys, None)
        notices = Notices(logging.getLogger("enforcer.test"), time.monotonic)
        self.hub = Hub(self.registry, self.office, self.settings, Metrics(), Pages(self.registry), notices)

    async def login(self, room: str = "alice", **more: Any) -> tuple[str, dict[str, str]]:
        """The session, and the `auth` of its pages."""
        answer = await self.registry.login(room, Login(new_session_id(), **more))
        assert answer.session is not None
        return answer.session, {"ticket": self.office.issue(room, answer.session, None, self.registry.now()).page}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """With two sessions a room."""
    made = House(max_sessions=2)
    await made.store.open()
    yield made
    made.hub.close()
    await made.store.close()


async def test_a_joined_socket_is_told_its_session_once(house: House) -> None:
    """After the answer to CONNECT, from what was read for it."""
    _, auth = await house.login()
    page = Paper()
    link = house.hub.arrive(page, auth)
    snapshot = await house.hub.join(link)
    assert page.heard == []
    house.hub.welcome(link, snapshot)
    assert page.heard == ["session"]


async def test_a_login_costs_a_read_only_for_those_whom_it_concerns() -> None:
    """The session that was the newest is told that it is no longer; the others' sockets cost nothing."""
    house = House(max_sessions=50)
    await house.store.open()
    pages = []
    for _ in range(20):
        _, auth = await house.login()
        page, _ = await joined(house, auth)
        pages.append(page)
    await _settled(house.hub)
    heard, reads = [len(page.heard) for page in pages], house.store.reads
    await house.login()
    await _settled(house.hub)
    assert [len(page.heard) - before for page, before in zip(pages, heard, strict=True)] == [*[0] * 19, 1]
    assert pages[-1].news[-1].payload["newest"] is False
    assert house.store.reads - reads == 1
    house.hub.close()
    await house.store.close()


async def test_a_socket_whose_session_ends_before_it_is_joined_is_refused(house: House) -> None:
    """Registered first, then the truth is read: no kick falls between, and none overtakes the answer to CONNECT."""
    session, auth = await house.login()
    page = Paper()
    link = house.hub.arrive(page, auth)
    await house.registry.end(session, *_by_app())
    with pytest.raises(Refusal) as refused:
        await house.hub.join(link)
    assert refused.value.code == "session-ended"
    assert page.heard == []
    assert not house.registry.sightings.online(session)


async def test_a_session_that_ends_between_join_and_welcome_is_kicked(house: House) -> None:
    """The engine has granted the CONNECT already: the end follows it."""
    session, auth = await house.login()
    page = Paper()
    link = house.hub.arrive(page, auth)
    snapshot = await house.hub.join(link)
    await house.registry.end(session, *_by_app())
    assert page.heard == []
    house.hub.welcome(link, snapshot)
    assert page.heard == ["force-logout"]
    assert page.ack is not None
    page.ack()
    assert page.heard == ["force-logout", "disconnect"]
    house.hub.left(link)
    assert not house.registry.sightings.online(session)


async def test_news_between_join_and_welcome_is_told(house: House) -> None:
    """Another login makes this session no longer the newest: the page hears it as it is now, not as it was read."""
    _, auth = await house.login()
    page = Paper()
    link = house.hub.arrive(page, auth)
    snapshot = await house.hub.join(link)
    await house.login()
    house.hub.welcome(link, snapshot)
    await _settled(house.hub)
    assert page.heard == ["session"]
    assert page.news[0].payload["newest"] is False


async def test_a_socket_that_leaves_while_it_joins_leaves_nothing(house: House) -> None:
    """No presence, no place taken."""
    session, auth = await house.login()
    page = Paper()
    link = house.hub.arrive(page, auth)
    house.hub.left(link)
    with pytest.raises(Refusal) as refused:
        await house.hub.join(link)
    assert refused.value.code == "unavailable"
    house.hub.left(link)
    assert not house.registry.sightings.online(session)
    assert (house.hub._rooms, house.hub._by_block, house.hub.joined) == ({}, {}, 0)


async def joined(house: House, auth: dict[str, str]) -> tuple[Paper, Link]:
    """A page that is in and was told its session."""
    page = Paper()
    link = house.hub.arrive(page, auth)
    house.hub.welcome(link, await house.hub.join(link))
    assert page.heard == ["session"]
    return page, link


async def test_an_end_that_no_message_tells_is_told_by_whoever_reads_it(house: House) -> None:
    """The question of an app server meets it; once is enough."""
    session, auth = await house.login()
    page, _ = await joined(house, auth)
    house.store.silent = True
    await house.registry.end(session, *_by_app())
    assert page.heard == ["session"]
    for _ in range(2):
        assert (await house.registry.get(session)).session.ended
    assert page.heard == ["session", "force-logout"]


async def test_an_end_that_no_message_tells_is_told_with_the_next_change_of_the_room(house: House) -> None:
    """A change of another session makes the hub look again at everybody whom it holds there."""
    session, auth = await house.login()
    page, _ = await joined(house, auth)
    house.store.silent = True
    await house.registry.end(session, *_by_app())
    house.store.silent = False
    await house.login()
    await _settled(house.hub)
    assert page.heard == ["session", "force-logout"]


async def test_a_store_that_is_away_when_a_page_is_looked_at_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The news came, but what it means could not be read: it is read when the store is back."""
    monkeypatch.setattr("enforcer.gateway.hub.RETRY_MS", 20)
    first, auth = await house.login()
    pages = [(await joined(house, auth))[0] for _ in range(3)]
    house.store.silent = True
    await house.registry.end(first, *_by_app())
    house.store.silent = False
    await house.login()  # looks at them again, and
    house.store.away = True  # the store is away before they are read
    await _settled(house.hub)
    async with asyncio.timeout(5):
        while not house.hub._doubts.waiting:  # asked in vain, and to be asked once more
            await asyncio.sleep(0)
        assert [page.heard for page in pages] == [["session"]] * 3
        house.store.away = False
        while any(page.heard != ["session", "force-logout"] for page in pages):
            await asyncio.sleep(0.01)
    assert not house.hub._doubts.waiting


async def test_a_commit_whose_reply_is_lost_is_looked_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have ended somebody, of which nobody will tell: the sockets of its room are looked at."""
    monkeypatch.setattr("enforcer.gateway.hub.RETRY_MS", 20)
    session, auth = await house.login()
    page, _ = await joined(house, auth)
    house.store.away = True
    with pytest.raises(StoreUnavailable):
        await house.registry.end_all("alice", *_by_app())
    house.store.away = False
    async with asyncio.timeout(5):
        while page.heard != ["session", "force-logout"]:
            await asyncio.sleep(0.01)
    assert (await house.registry.get(session)).session.ended


async def test_a_page_whose_session_nobody_knows_any_more_has_to_come_back(house: House) -> None:
    """The store has lost its data: there is nothing to tell but "come again", and then the ticket is refused."""
    session, auth = await house.login()
    page, link = await joined(house, auth)
    del house.store._sessions[session]
    assert (await house.hub.heard(link, "check", None))[0]["code"] == "session-unknown"
    await house.login()
    await _settled(house.hub)
    assert page.heard == ["session", "cut"]


async def test_a_page_whose_logout_fails_is_told_who_else_has_ended_it(house: House) -> None:
    """Its own question got no answer, and the end of the session by another came in between."""
    session, auth = await house.login()
    page, link = await joined(house, auth)
    house.store.meanwhile = lambda: house.registry.end(session, *_by_app())
    answer, after = await house.hub.heard(link, "logout", None)
    assert (answer["code"], after) == ("unavailable", None)
    assert page.heard == ["session", "force-logout"]


async def test_tabs_get_the_same_news_object(house: House) -> None:
    """What an end says is put together once, so that an engine writes it once for all tabs."""
    session, auth = await house.login()
    tabs = [(await joined(house, auth))[0] for _ in range(3)]
    await house.registry.end(session, *_by_app())
    assert len({id(page.news[-1]) for page in tabs}) == 1


async def test_a_login_does_not_read_a_large_room_for_each_of_its_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One look is enough for all of them; those that are not the newest any more are told, and who has ended."""
    house = House(max_sessions=1000, max_connections_per_room=1000)
    await house.store.open()
    pages = []
    for _ in range(100):
        _, auth = await house.login()
        pages.append(await joined(house, auth))
    await _settled(house.hub)
    for page, _ in pages:
        page.heard.clear()
    reads = []
    read = house.store.get

    async def counted(session: str) -> Snapshot | None:
        reads.append(session)
        return await read(session)

    monkeypatch.setattr(house.store, "get", counted)
    await house.login()
    await _settled(house.hub)
    assert len(reads) < 10
    assert [page.heard for page, _ in pages] == [[]] * 99 + [["session"]]
    await house.registry.end_all("alice", *_by_app())
    await _settled(house.hub)
    assert all(page.heard[-1] == "force-logout" for page, _ in pages)
    for _, link in pages:
        house.hub.left(link)
    await house.store.close()


@pytest.mark.parametrize("kind", ["room", "ip", "process"])
async def test_limits_count_what_is_there_and_let_go(kind: str) -> None:
    """Sockets of a room, of an address, of the process; one that has left makes room."""
    limits = {"room": "max_connections_per_room", "ip": "max_connections_per_ip", "process": "max_connections"}
    house = House(max_sessions=2, **{limits[kind]: 2}, trusted_proxies=["192.0.2.0/24"])
    await house.store.open()
    _, auth = await house.login()
    links = [house.hub.arrive(Paper(), auth) for _ in range(2)]
    with pytest.raises(Refusal) as refused:
        house.hub.arrive(Paper(), auth)
    assert refused.value.code == "too-many-connections"
    if kind == "ip":
        house.hub.left(house.hub.arrive(Paper("192.0.2.2"), auth))
    house.hub.left(links[0])
    house.hub.left(links[0])
    house.hub.arrive(Paper(), auth)
    with pytest.raises(Refusal):
        house.hub.arrive(Paper(), auth)
    await house.store.close()


def _by_app() -> tuple[Any, Any]:
    return EndReason.ADMIN, Actor(ActorKind.ADMIN)


async def _settled(hub: Hub) -> None:
    """What the hub does by itself is done."""
    while hub._tasks:
        await asyncio.gather(*hub._tasks)
