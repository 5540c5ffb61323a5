"""Time-outs, outages and clock steps, with a clock that the test moves; pushed to pages over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from enforcer.deadlines import IDLE_SLACK, LEFT_FOR
from enforcer.tickets import PAGE, TicketKeys
from tests.integration.inside import START, Inside, Time
from tests.integration.raw import RawSocket, refusal

LATE = 1.0
"""Seconds that an expiry may come late."""


@pytest.fixture
async def time() -> Time:
    """The time of this test."""
    return Time()


@pytest.fixture
async def strict(tmp_path: Path, time: Time) -> AsyncIterator[Inside]:
    """A server with short time-outs."""
    limits = {"idle_timeout": 600, "absolute_timeout": 3600, "warn_before": 60, "lost_timeout": 1800}
    async with Inside(tmp_path, time, **limits) as server:
        yield server


async def join(server: Inside, page: RawSocket, ticket: str) -> dict[str, Any]:
    """Joins; the first `session` payload."""
    answer = await page.connect({"ticket": ticket})
    assert answer.startswith("40{"), answer
    return event(await page.packet(), "session")


async def ask(page: RawSocket, name: str, *arguments: Any) -> dict[str, Any]:
    """Sends an event; its ack."""
    await page.send("427" + json.dumps([name, *arguments]))
    answer = await page.packet()
    assert answer.startswith("437["), answer
    return dict(json.loads(answer[3:])[0])


def event(packet: str, name: str) -> dict[str, Any]:
    """The payload of an event, which must be this one."""
    assert packet.startswith("42"), packet
    body = packet[2:].lstrip("0123456789")
    got, payload = json.loads(body)
    assert got == name, packet
    return dict(payload)


async def told(page: RawSocket) -> dict[str, Any]:
    """The end that the page is told of."""
    return event(await page.packet(), "force-logout")


async def test_idle_ends_on_time_and_the_page_is_told(strict: Inside, time: Time) -> None:
    """At the deadline and two seconds: not before, at most one second after, and with its reason everywhere."""
    login = await strict.login("alice")
    async with RawSocket(strict) as page:
        payload = await join(strict, page, login["ticket"])
        assert (payload["idle_ms"], payload["warn_ms"], payload["absolute_ms"]) == (600_000, 60_000, 3_600_000)
        await time.advance(600 + IDLE_SLACK - 0.1)
        assert (await ask(page, "check"))["idle_ms"] == 0, "pages are not told of the slack"
        await time.advance(0.1 + LATE)
        assert (await told(page))["reason"] == "idle"
    record = await strict.record(login["session"])
    assert (record["active"], record["end_reason"], record["ended_by"]["kind"]) == (False, "idle", "timer")
    assert await strict.audit("alice") == [
        ("started", login["session"], None),
        ("ended", login["session"], "idle"),
    ]


async def test_only_activity_moves_the_idle_deadline(strict: Inside, time: Time) -> None:
    """A live socket, `check`, status and validate do not; what a human did is counted from when he did it."""
    login = await strict.login("alice")
    async with RawSocket(strict) as page, RawSocket(strict) as other:
        await join(strict, page, login["ticket"])
        await join(strict, other, login["ticket"])
        await time.advance(100)
        assert (await ask(page, "check"))["idle_ms"] == 500_000
        assert (await strict.call("GET", "/session/status", login["ticket"]))[1]["idle_ms"] == 500_000
        assert (await strict.record(login["session"]))["idle_expires_in"] == 500
        assert (await ask(page, "activity", {"idle_for_ms": 30_000}))["idle_ms"] == 570_000
        assert event(await other.packet(), "session")["idle_ms"] == 570_000, "all tabs are told"
        assert (await ask(page, "activity", {"idle_for_ms": 90_000}))["idle_ms"] == 570_000, "never backwards"
        status, answer = await strict.call("POST", "/session/activity", login["ticket"], idle_for_ms=0)
        assert (status, answer["idle_ms"], answer["absolute_ms"]) == (200, 600_000, 3_500_000)
        await time.advance(100)
        status, record = await strict.call("POST", f"/v1/sessions/{login['session']}/activity")
        assert (status, record["idle_expires_in"], record["absolute_expires_in"]) == (200, 600, 3400)


async def test_nothing_moves_the_absolute_deadline(strict: Inside, time: Time) -> None:
    """A user who never rests is out when the hour is over, without slack."""
    login = await strict.login("alice")
    async with RawSocket(strict) as page:
        await join(strict, page, login["ticket"])
        for _ in range(7):
            await time.advance(500)
            await ask(page, "activity", {"idle_for_ms": 0})
        again = await strict.login("alice", session=login["session"])
        assert again["created"] is False
        assert event(await page.packet(), "session")["absolute_ms"] == 100_000
        await time.advance(99.9)
        assert (await ask(page, "check"))["absolute_ms"] == 100
        await time.advance(0.1 + LATE)
        assert (await told(page))["reason"] == "absolute"


async def test_a_read_that_meets_a_passed_deadline_ends_the_session_first(strict: Inside, time: Time) -> None:
    """No timer has run yet, and still nobody is told that the session lives."""
    login = await strict.login("alice")
    await time.advance(600 + IDLE_SLACK - 0.2)
    time.overslept(0.3)
    status, answer = await strict.call("GET", f"/v1/sessions/{login['session']}?require=active")
    assert (status, answer["code"], answer["end_reason"]) == (410, "session-ended", "idle")
    assert (await strict.audit("alice"))[-1] == ("ended", login["session"], "idle")
    async with RawSocket(strict) as page:
        assert refusal(await page.connect({"ticket": login["ticket"]}))["message"] == "session-ended"


async def test_activity_after_the_end_is_refused(strict: Inside, time: Time) -> None:
    """It comes too late by any way."""
    login = await strict.login("alice")
    await time.advance(600 + IDLE_SLACK + LATE)
    assert (await strict.call("POST", "/session/activity", login["ticket"], idle_for_ms=0))[0] == 401
    assert (await strict.call("POST", f"/v1/sessions/{login['session']}/activity"))[0] == 410


async def test_lost_is_for_those_whom_nobody_has_seen(tmp_path: Path, time: Time) -> None:
    """A socket keeps a session from being given up, and so does being asked about; silence ends it."""
    async with Inside(tmp_path, time, lost_timeout=300) as server:
        held, asked, silent = [await server.login(room) for room in ("held", "asked", "silent")]
        async with RawSocket(server) as page:
            await join(server, page, held["ticket"])
            await time.advance(200)
            await server.record(asked["session"])
            await time.advance(100 + LATE)
            assert (await server.record(silent["session"]))["end_reason"] == "lost"
            assert (await server.record(asked["session"]))["active"] is True
            await time.advance(600)
            assert (await ask(page, "check"))["active"] is True
        await time.advance(300 + LATE + 1)
        assert (await server.record(held["session"]))["end_reason"] == "lost"


async def test_a_crashed_browser_locks_nobody_out(tmp_path: Path, time: Time) -> None:
    """`reject` counts those that are alive: online now, or seen within the window."""
    async with Inside(tmp_path, time, policy="reject", alive_window=60) as server:
        first = await server.login("alice", device={"label": "Old laptop"})
        async with RawSocket(server) as page:
            await join(server, page, first["ticket"])
            await time.advance(300)
            status, answer = await server.call("POST", "/notify", room="alice")
            assert (status, answer["code"]) == (409, "session-limit")
            assert answer["sessions"][0]["device"]["label"] == "Old laptop"
            assert (await server.record(first["session"]))["online"] is True
        while (await server.record(first["session"]))["online"]:
            await asyncio.sleep(0.01)
        assert (await server.call("POST", "/notify", room="alice"))[0] == 409, "the page may only be moving on"
        await time.advance(60 + LEFT_FOR)
        second = await server.login("alice")
        assert second["displaced"] == [first["session"]]
        assert (await server.call("POST", "/notify", room="alice"))[0] == 409, "a login is a sign of life"
        mine = await server.login("alice", replaces=second["session"])
        assert mine["displaced"] == []
        assert (await server.record(second["session"]))["end_reason"] == "replaced"


async def test_an_outage_is_added_to_the_deadlines(tmp_path: Path, time: Time) -> None:
    """Nobody is logged out because the server was away: not at its start, not in the grace after it, not early."""
    settings = {"idle_timeout": 600, "absolute_timeout": 7200, "restart_grace": 60}
    server = Inside(tmp_path, time, **settings)
    async with server:
        login = await server.login("alice")
        await time.advance(500)
    time.overslept(3600)
    async with server:
        assert (await server.record(login["session"]))["active"] is True
        await time.advance(2)
        record = await server.record(login["session"])
        assert record["idle_expires_in"] == pytest.approx(98, abs=2)
        assert record["absolute_expires_in"] == pytest.approx(7200 - 4102, abs=2), "the absolute one stays"
        await time.advance(90)
        assert (await server.record(login["session"]))["active"] is True
        await time.advance(12 + LATE)
        assert (await server.record(login["session"]))["end_reason"] == "idle"


async def test_the_absolute_deadline_knows_no_grace(tmp_path: Path, time: Time) -> None:
    """What ended while the server was away is over at its start, and the page is told when it comes."""
    server = Inside(tmp_path, time, absolute_timeout=600)
    async with server:
        login = await server.login("alice")
    time.overslept(630)  # its ticket ends with it, but for a minute of leeway
    async with server, RawSocket(server) as page:
        answer = refusal(await page.connect({"ticket": login["ticket"]}))
        assert (answer["message"], answer["data"]["reason"]) == ("session-ended", "absolute")


@pytest.mark.parametrize("seconds", [1200, -1200], ids=["forward", "backward"])
async def test_a_clock_step_logs_nobody_out(strict: Inside, time: Time, seconds: int) -> None:
    """Twenty minutes forward or back, twice the idle time-out: nobody has less time left than before."""
    login = await strict.login("alice")
    async with RawSocket(strict) as page:
        await join(strict, page, login["ticket"])
        await time.advance(300)
        await ask(page, "activity", {"idle_for_ms": 0})
        time.step(seconds)
        await time.advance(5)
        answer = await ask(page, "check")
        assert answer["active"] is True
        assert answer["idle_ms"] >= 594_000
        assert (await strict.record(login["session"]))["active"] is True


async def test_a_ticket_is_renewed_before_it_expires(tmp_path: Path, time: Time) -> None:
    """A page with a ticket of an hour gets a fresh one from `check` when half of it is over."""
    async with Inside(tmp_path, time, ticket_lifetime=3600) as server:
        login = await server.login("alice")
        assert login["ticket_expires_in"] == 3600
        async with RawSocket(server) as page:
            assert "ticket" not in await join(server, page, login["ticket"])
            await time.advance(1700)
            assert "ticket" not in await ask(page, "check")
            await time.advance(200)
            fresh = (await ask(page, "check"))["ticket"]
        await time.advance(3700)
        async with RawSocket(server) as page:
            assert refusal(await page.connect({"ticket": login["ticket"]}))["message"] == "ticket-expired"
        async with RawSocket(server) as page:
            assert refusal(await page.connect({"ticket": fresh}))["message"] == "ticket-expired"
        async with RawSocket(server) as page:
            _, tickets = await server.call("POST", f"/v1/sessions/{login['session']}/ticket")
            assert (await join(server, page, tickets["ticket"]))["active"] is True


async def test_a_ticket_without_an_end_is_good_and_replaced_when_tickets_end_now(tmp_path: Path, time: Time) -> None:
    """It was issued before `ticket_lifetime` was set, or is signed by the app: it joins, and a fresh one comes."""
    async with Inside(tmp_path, time, ticket_lifetime=3600) as server:
        login = await server.login("alice")
        endless = TicketKeys([server.authkey]).sign(PAGE, "alice", login["session"], START, None)
        async with RawSocket(server) as page:
            fresh = (await join(server, page, endless))["ticket"]
            assert "ticket" not in await ask(page, "check")
            await time.advance(1801)
            assert (await ask(page, "check"))["ticket"] != fresh
        status, answer = await server.call("GET", "/session/status", endless)
        assert (status, "ticket" in answer) == (200, True)


async def test_a_ticket_with_an_end_is_replaced_when_tickets_end_no_more(tmp_path: Path, time: Time) -> None:
    """It was issued while `ticket_lifetime` was set: half spent it is replaced by one that lives as its session."""
    async with Inside(tmp_path, time) as server:
        login = await server.login("alice")
        ending = TicketKeys([server.authkey]).sign(PAGE, "alice", login["session"], START, START + 3600)
        async with RawSocket(server) as page:
            assert "ticket" not in await join(server, page, ending)
            await time.advance(1801)
            fresh = (await ask(page, "check"))["ticket"]
            assert "exp" not in jwt.decode(fresh, options={"verify_signature": False})
            assert "ticket" not in await ask(page, "check")
