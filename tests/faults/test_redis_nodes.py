"""Two nodes on one Redis, while nodes die or stand still: one truth, no lost kick, no false logout."""

import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.faults.conftest import OpenPage, StartNode
from tests.running import EnforcerProcess, until

LOGINS = 200


def audit(node: EnforcerProcess, room: str) -> list[dict[str, Any]]:
    """The whole audit log of a room."""
    answer = node.call("GET", "/v1/audit", params={"room": room, "limit": "1000"})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def transitions_are_told_once(node: EnforcerProcess, room: str) -> None:
    """No transition of a session has two rows."""
    rows = Counter((row["event"], row["session"], row["epoch"]) for row in audit(node, room))
    assert not [row for row, times in rows.items() if times > 1]


def test_two_hundred_logins_of_one_user_on_two_nodes(start_node: StartNode) -> None:
    """Exactly one is valid afterwards, on both; epochs are all different; each start and each end is told once."""
    nodes = [start_node(), start_node()]
    clients = [httpx.Client(base_url=n.url, headers=n.headers, timeout=30) for n in nodes]

    def login(n: int) -> dict[str, Any]:
        answer = clients[n % 2].post("/notify", json={"room": "alice", "session": f"s{n}"})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(login, range(LOGINS)))
    for client in clients:
        client.close()
    newest = max(answers, key=lambda a: a["epoch"])
    assert len({a["epoch"] for a in answers}) == LOGINS
    for node in nodes:
        live = node.call("GET", "/v1/users/alice/sessions").json()["sessions"]
        assert [s["session"] for s in live] == [newest["session"]]
    rows = audit(nodes[0], "alice")
    assert Counter(r["event"] for r in rows) == {"started": LOGINS, "ended": LOGINS - 1}
    started = [r["epoch"] for r in rows if r["event"] == "started"]
    assert started == sorted(started), "the log has the order of the claims"
    assert sorted(d for a in answers for d in a["displaced"]) == sorted(
        a["session"] for a in answers if a is not newest
    ), "each was displaced by exactly one"


def test_a_kick_reaches_the_page_wherever_it_is(start_node: StartNode, open_page: OpenPage) -> None:
    """The page is on one node, the login comes to the other."""
    here, there = start_node(), start_node()
    page = open_page(here, here.login("alice"))
    page.joined()
    there.login("alice", device={"label": "Phone"})
    kick = page.take("force-logout")
    assert (kick["reason"], kick["by"]["device"]["label"]) == ("displaced", "Phone")


def test_a_killed_node_takes_nobody_with_it(start_node: StartNode, open_page: OpenPage) -> None:
    """kill -9: what it answered holds on the other; the page it had is refused or welcome there, as it should be."""
    here, there = start_node(alive_window=3), start_node(alive_window=3)
    alice, bob = here.login("alice"), here.login("bob")
    for login in (alice, bob):
        open_page(here, login).joined()
    here.kill()
    there.login("alice")
    refused = open_page(there, alice).refused()
    assert (refused["message"], refused["data"]["reason"]) == ("session-ended", "displaced")
    assert open_page(there, bob).joined()["active"] is True
    transitions_are_told_once(there, "alice")


def test_the_presence_of_a_killed_node_lapses(start_node: StartNode, open_page: OpenPage) -> None:
    """Policy `reject`: its sessions keep a login out for `alive_window`, not for ever."""
    settings: dict[str, Any] = {"policy": "reject", "alive_window": 2}
    here, there = start_node(**settings), start_node(**settings)
    open_page(here, here.login("alice")).joined()
    body = {"room": "alice", "key": there.authkey}
    assert httpx.post(f"{there.url}/notify", json=body).status_code == 409
    here.kill()
    deadline = time.monotonic() + 8
    while (status := httpx.post(f"{there.url}/notify", json=body).status_code) == 409:
        assert time.monotonic() < deadline, "its session is alive for ever"
        time.sleep(0.1)
    assert status == 200


def test_online_is_true_wherever_the_page_is(start_node: StartNode, open_page: OpenPage) -> None:
    """Each node knows of the others' pages: when they come, when the last one leaves, and when their node dies."""
    here, there = start_node(alive_window=3), start_node(alive_window=3)
    alice, bob = here.login("alice", session="a"), here.login("bob", session="b")
    pages = [open_page(here, alice), open_page(there, alice)]
    for page in [*pages, open_page(here, bob)]:
        page.joined()
    for node in (here, there):
        for session in ("a", "b"):
            until(lambda node=node, session=session: node.record(session)["online"])  # type: ignore[misc]
    pages[0].close()
    pages[1].close()
    for node in (here, there):
        until(lambda node=node: not node.record("a")["online"])  # type: ignore[misc]
    assert there.record("b")["online"] is True
    here.kill()
    until(lambda: not there.record("b")["online"])


def test_a_tab_that_leaves_does_not_hide_one_on_another_node(start_node: StartNode, open_page: OpenPage) -> None:
    """Policy `reject`: the session counts as alive for as long as any of its tabs is open anywhere."""
    here, there = start_node(policy="reject", alive_window=60), start_node(policy="reject", alive_window=60)
    leaving, staying = [], []
    for n in range(6):
        login = here.login(f"user-{n}", session=f"s{n}")
        leaving.append(open_page(here, login))
        staying.append(open_page(there, login))
    for page in leaving + staying:
        page.joined()
    until(lambda: all(here.record(f"s{n}")["online"] for n in range(6)))
    for page in leaving:
        page.close()
    time.sleep(4)  # in which both nodes have written what they noticed, and less than presence takes by itself
    for n in range(6):
        assert here.record(f"s{n}")["online"] is True
        assert httpx.post(f"{here.url}/notify", json={"room": f"user-{n}", "key": here.authkey}).status_code == 409
    for page in staying:
        page.untouched()


def test_a_node_that_stood_still_kicks_late(start_node: StartNode, open_page: OpenPage) -> None:
    """SIGSTOP, longer than any time-out to Redis: its page is told after all, and nobody else is."""
    here, there = start_node(), start_node()
    alice, bob = open_page(here, here.login("alice")), open_page(here, here.login("bob"))
    alice.joined()
    bob.joined()
    assert here.popen is not None
    here.popen.send_signal(signal.SIGSTOP)
    try:
        there.login("alice")
        time.sleep(10)  # how long it stands still is what is tested
    finally:
        here.popen.send_signal(signal.SIGCONT)
    assert alice.take("force-logout")["reason"] == "displaced"
    bob.untouched()
    transitions_are_told_once(there, "alice")


def test_each_deadline_is_acted_on_once(start_node: StartNode) -> None:
    """Two nodes look after the same sessions: each ends once, as `absolute`."""
    nodes = [start_node(absolute_timeout=2) for _ in range(2)]
    for n in range(40):
        nodes[n % 2].login(f"user-{n}", session=f"s{n}")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        rows = nodes[0].call("GET", "/v1/audit", params={"limit": "1000"}).json()["items"]
        ended = [r for r in rows if r["event"] == "ended"]
        if len(ended) >= 40:
            break
        time.sleep(0.2)
    assert Counter((r["session"], r["reason"]) for r in ended) == {(f"s{n}", "absolute"): 1 for n in range(40)}
