"""`GET /v1/overview`: how it goes, in one look."""

from pathlib import Path
from typing import Any

from enforcer import __version__
from enforcer.domain.model import EndReason
from tests.integration.pages import Opener
from tests.redis_server import RedisServer
from tests.running import EnforcerProcess, until


def overview(server: EnforcerProcess) -> dict[str, Any]:
    """What a server tells."""
    answer = server.call("GET", "/v1/overview")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_one_process(enforcer: EnforcerProcess, open_ws: Opener) -> None:
    """Every member, before and after something has happened, and after a restart."""
    nothing = dict.fromkeys(map(str, EndReason), 0)
    told = overview(enforcer)
    uptime = told.pop("uptime_s")
    (node,) = told.pop("nodes")
    assert told == {
        **{"open_sessions": 0, "online": 0, "sockets": 0, "logins_per_minute": 0, "ends_per_minute": nothing},
        **{"kick_ms": {"p50": None, "p99": None}, "store": "sqlite", "version": __version__},
    }
    assert node["node"].endswith(f":{enforcer.port}")
    assert 0 <= uptime == node["uptime_s"] < 60
    first = enforcer.login("alice")
    page = open_ws(enforcer, auth={"ticket": first["ticket"]})
    page.joined()
    assert (overview(enforcer)["online"], overview(enforcer)["sockets"]) == (1, 1)
    enforcer.login("alice")
    enforcer.login("bob")
    until(lambda: overview(enforcer)["kick_ms"]["p50"] is not None)
    page.close()
    until(lambda: overview(enforcer)["sockets"] == 0)
    told = overview(enforcer)
    assert (told["open_sessions"], told["logins_per_minute"]) == (2, 3)
    assert told["ends_per_minute"] == nothing | {"displaced": 1}
    assert 0 < told["kick_ms"]["p50"] <= told["kick_ms"]["p99"] < 10_000
    assert enforcer.call("GET", "/v1/overview?room=alice").status_code == 422
    enforcer.kill()
    enforcer.start()
    assert (overview(enforcer)["open_sessions"], overview(enforcer)["logins_per_minute"]) == (2, 0)


def test_two_nodes(tmp_path: Path, redis_server: RedisServer, open_ws: Opener) -> None:
    """Each tells of both, and soon of one that has stopped no more."""
    redis_server.flush()
    with EnforcerProcess(tmp_path / "one", store=redis_server.url) as one:
        with EnforcerProcess(tmp_path / "two", store=redis_server.url, authkey=one.authkey) as two:
            ports = {one.port, two.port}
            for server in (two, one):
                told = overview(server)
                assert {int(node["node"].rpartition(":")[2]) for node in told["nodes"]} == ports
                assert told["store"] == "redis"
            page = open_ws(two, auth={"ticket": one.login("alice")["ticket"]})
            page.joined()
            two.login("bob")
            for server in (one, two):
                until(lambda server=server: overview(server)["sockets"] == overview(server)["online"] == 1)
                until(lambda server=server: overview(server)["logins_per_minute"] == 2)
                assert overview(server)["open_sessions"] == 2
            page.close()
        assert [node["node"].endswith(f":{one.port}") for node in overview(one)["nodes"]] == [True]
