"""What one session may ask: rated by kind over all its sockets and calls, its other tabs told once a second."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.problems import problem
from tests.integration.raw import RawSocket, refusal
from tests.running import EnforcerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """A server with the default settings, but that sessions may be idle for an hour."""
    with EnforcerProcess(tmp_path_factory.mktemp("rates") / "enforcer", idle_timeout="1h", store="memory://") as made:
        yield made


async def acks(page: RawSocket, event: str, count: int, *data: Any) -> list[dict[str, Any]]:
    """Sends an event so many times at once; the acks, in their order. What else comes is put aside."""
    for n in range(count):
        await page.send(f"42{n}{json.dumps([event, *data])}")
    found: list[dict[str, Any]] = []
    while len(found) < count:
        packet = await page.packet()
        if packet.startswith("43"):
            assert packet[2 : packet.index("[")] == str(len(found))
            found.append(json.loads(packet[packet.index("[") :])[0])
    return found


@pytest.mark.parametrize("event", ["activity", "check", "nonsense"])
async def test_a_burst_and_then_five_a_second(server: EnforcerProcess, engine: str, room: str, event: str) -> None:
    """Beyond it the ack says when; other kinds, other sessions and those who waited are not touched by it."""
    login = server.login(room)
    async with RawSocket(server, engine) as page:
        await page.join(login["ticket"])
        answers = await acks(page, event, 60, {})
        limited = [answer for answer in answers if answer.get("code") == "rate-limited"]
        assert answers[30:] == limited or len(limited) in range(25, 31), answers
        assert all(answer.get("code") != "rate-limited" for answer in answers[:30])
        for answer in limited:
            assert answer.keys() == {"ok", "code", "retry_ms"}
            assert answer["ok"] is False
            assert 0 < answer["retry_ms"] <= 200
        other = "check" if event == "activity" else "activity"
        assert (await acks(page, other, 1, {}))[0]["active"] is True
        await asyncio.sleep(0.4)
        assert (await acks(page, event, 1, {}))[0].get("code") != "rate-limited"
    bystander = server.login(room + "-other")
    async with RawSocket(server, engine) as page:
        await page.join(bystander["ticket"])
        assert (await acks(page, event, 1, {}))[0].get("code") != "rate-limited"


async def test_all_sockets_and_calls_of_a_session_share_its_rate(server: EnforcerProcess, room: str) -> None:
    """Over either engine and over HTTP, where it is 429."""
    login = server.login(room)
    async with RawSocket(server) as one, RawSocket(server, "polling") as two:
        await one.join(login["ticket"])
        await two.join(login["ticket"])
        await acks(one, "check", 15)
        await acks(two, "check", 15)
        codes = [answer.get("code") for answer in await acks(one, "check", 10)]
        assert codes.count("rate-limited") >= 8
        headers = {"Authorization": f"Bearer {login['ticket']}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
            answers = [await http.get("/session/status") for _ in range(3)]
            refused = [answer for answer in answers if answer.status_code != 200]
            assert len(refused) >= 2
            for answer in refused:
                assert problem(answer, 429, "rate-limited")["retry_ms"] > 0
                assert int(answer.headers["Retry-After"]) >= 1
            assert (await http.post("/session/activity", json={})).status_code == 200
            more = [(await http.post("/session/activity", json={})).status_code for _ in range(60)]
            assert more.count(429) > 10
            assert server.call("GET", f"/v1/sessions/{login['session']}").status_code == 200


async def test_other_tabs_hear_of_activity_once_a_second(server: EnforcerProcess, engine: str, room: str) -> None:
    """However often it is reported; the last state always."""
    login = server.login(room)
    async with RawSocket(server, engine) as tab, RawSocket(server, engine) as page:
        await tab.join(login["ticket"])
        await page.join(login["ticket"])
        began = time.monotonic()
        last: dict[str, Any] = {}
        for _ in range(24):
            last = (await acks(page, "activity", 1, {"idle_for_ms": 0}))[0]
            await asyncio.sleep(0.1)
        told = [json.loads((await tab.packet())[2:]) for _ in range(3)]
        assert 2 < time.monotonic() - began < 5
        await asyncio.sleep(1.5)
        await tab.send('429["check"]')
        while not (packet := await tab.packet()).startswith("439"):
            told.append(json.loads(packet[2:]))
        assert 3 <= len(told) <= 5, told
        assert all(name == "session" for name, _ in told)
        latest = told[-1][1]
        assert latest["server_now"] > last["server_now"] or latest["idle_ms"] >= last["idle_ms"] - 100


# ---- the id of a polling session is a secret in a URL -----------------------------------------------


class Polled:
    """A page that polls, spoken by hand."""

    def __init__(self, server: EnforcerProcess) -> None:
        self.address = f"{server.url}/socket.io/?EIO=4&transport=polling"
        self.waiting: list[str] = []
        sid = json.loads(self._get().removeprefix("0"))["sid"]
        self.address += f"&sid={sid}"

    def _get(self) -> str:
        answer = httpx.get(self.address, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, packet: str) -> None:
        """In a request of its own, from a connection of its own."""
        assert httpx.post(self.address, content=packet).status_code == 200

    def packet(self) -> str:
        """The next one that is no ping."""
        while not self.waiting:
            self.waiting = [packet for packet in self._get().split("\x1e") if packet not in ("2", "6")]
        return self.waiting.pop(0)

    def ask(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        """An event and its ack."""
        self.send("427" + json.dumps([event, data]))
        while not (packet := self.packet()).startswith("437"):
            pass
        answer: dict[str, Any] = json.loads(packet[3:])[0]
        return answer


def test_logging_out_everywhere_over_polling_asks_for_the_ticket_again(tmp_path: Path) -> None:
    """Whoever has read the id in a proxy's log can end that page's session, but not the user's others."""
    with EnforcerProcess(tmp_path / "enforcer", max_sessions=3, store="memory://") as server:
        mine, other, foreign = server.login("alice"), server.login("alice"), server.login("bob")
        page = Polled(server)
        page.send("40" + json.dumps({"ticket": mine["ticket"]}))
        assert page.packet().startswith("40{")
        assert page.ask("logout", {"everywhere": True}) == {"ok": False, "code": "ticket-required"}
        assert page.ask("logout", {"everywhere": True, "ticket": None}) == {"ok": False, "code": "ticket-required"}
        for wrong in (other["ticket"], foreign["ticket"], mine["proxy_ticket"], "x", 7, ""):
            answer = page.ask("logout", {"everywhere": True, "ticket": wrong})
            assert answer == {"ok": False, "code": "ticket-invalid"}, wrong
        assert server.record(other["session"])["active"] is True
        assert server.record(mine["session"])["active"] is True
        assert page.ask("logout", {"everywhere": True, "ticket": mine["ticket"]}) == {"ok": True}
        assert server.record(other["session"])["active"] is False


def test_logging_out_here_over_polling_needs_no_more(server: EnforcerProcess, room: str) -> None:
    """It is what the page could do anyway."""
    mine = server.login(room)
    page = Polled(server)
    page.send("40" + json.dumps({"ticket": mine["ticket"]}))
    assert page.packet().startswith("40{")
    assert page.ask("logout", {}) == {"ok": True}


async def test_an_empty_room_is_none(shared_open: EnforcerProcess, engine: str) -> None:
    """Whether it stands in `auth` or in the URL: the page's template has lost its user."""
    async with RawSocket(shared_open, engine) as page:
        for auth in ({"room": "", "session": "s1"}, {"room": ""}, {"room": None}, {"session": "s1"}, {}):
            assert refusal(await page.connect(auth))["message"] == "room-required"
        for auth in ({"room": 7.5}, {"room": "a\nb"}, {"room": []}, {"room": "a", "session": ""}):
            assert refusal(await page.connect(auth))["message"] == "invalid-request"


FLOODS = {
    "acks": "430[]",
    "activity": '42["activity",{"idle_for_ms":0}]',
    "other namespaces": "40/x,",
    "events of other namespaces": '42/x,["a"]',
    "pongs": "3",
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_ends_its_socket(server: EnforcerProcess, engine: str, room: str, flood: str) -> None:
    """Whatever it is made of; its session lives, and others are answered."""
    login, bystander = server.login(room), server.login(room + "-other")
    async with RawSocket(server, engine) as page, RawSocket(server, engine) as other:
        await page.join(login["ticket"])
        await other.join(bystander["ticket"])
        sent = 0
        try:
            while sent < 100_000:
                await page.send(FLOODS[flood])
                sent += 1
        except (ConnectionError, RuntimeError):
            pass
        assert await page.closed() == 1008
        await other.untouched()
    assert server.record(login["session"])["active"] is True
