"""What `enforcer doctor` says of broken set-ups, and that it says nothing of good ones."""

from collections.abc import Iterable
from typing import Any

import pytest

from enforcer.command.diagnosis import (
    Answer,
    Application,
    Finding,
    IssuerKeys,
    Level,
    Outside,
    Server,
    of_application,
    of_issuers,
    of_outside,
    of_server,
)

NOW = 1_700_000_000.0
INSIDE, PUBLIC = "http://127.0.0.1:8080", "https://app.example"


def server(**fields: Any) -> Server:
    """A healthy one, but for these."""
    usual: dict[str, Any] = {
        "health": Answer(200, {"status": "ok"}),
        "ready": Answer(200, {"status": "ready"}),
        "description": Answer(200, {"info": {"version": "1.2.3"}}),
        "key": Answer(200, {"items": []}),
        "seen": Answer(200, {"clock": NOW + 1, "store_clock": NOW + 1}),
    }
    return Server(INSIDE, NOW, **{**usual, **fields})


def seen(**members: Any) -> Answer:
    """A request that has come through a good proxy, but for these."""
    usual = {"host": "app.example", "address": "192.0.2.1", "peer": "10.0.0.2", "trusted": True, "forwarded": True}
    return Answer(200, {**usual, **members})


def outside(**fields: Any) -> Outside:
    """A good proxy, but for these."""
    nothing = {path: Answer(404) for path in ("/v1/", "/notify", "/metrics")}
    usual: dict[str, Any] = {"seen": seen(), "opening": Answer(101), "inside": nothing}
    return Outside(PUBLIC, **{**usual, **fields})


def to_mend(findings: Iterable[Finding]) -> Finding:
    """The only thing that is wrong, which has a remedy."""
    (finding,) = [f for f in findings if f.level is Level.MEND]
    assert finding.remedy
    return finding


def is_well(findings: Iterable[Finding]) -> None:
    """Nothing is wrong, and something was looked at."""
    found = list(findings)
    assert found
    assert [f for f in found if f.level is not Level.OK] == []


def test_a_good_set_up_is_well() -> None:
    """All of it."""
    is_well(of_server(server(), "1.2.3"))
    is_well(of_outside(outside()))
    is_well(of_outside(outside(seen=seen(host="APP.example:443"))))
    is_well(of_application(Application(PUBLIC, Answer(200), True, False)))
    is_well(of_issuers([IssuerKeys("idp", 2, 1)]))
    assert list(of_issuers([])) == []


def test_the_server_does_not_run() -> None:
    """And nothing else is said of it."""
    down = server(health=Answer(error="Connection refused"))
    assert "cannot be reached: Connection refused" in to_mend(of_server(down, "1.2.3")).text
    assert len(list(of_server(down, "1.2.3"))) == 1


@pytest.mark.parametrize("health", [Answer(404), Answer(200), Answer(200, {"status": "up"}), Answer(502)])
def test_something_else_has_the_port(health: Answer) -> None:
    """It answers, and is not Enforcer."""
    assert "which is not Enforcer" in to_mend(of_server(server(health=health), "1.2.3")).text


def test_another_version_runs() -> None:
    """The upgrade was installed, and the server not restarted."""
    assert "1.2.3 runs" in to_mend(of_server(server(), "1.3.0")).text.replace("Enforcer ", "")


def test_the_store_is_away() -> None:
    """503."""
    finding = to_mend(of_server(server(ready=Answer(503, {"code": "unavailable"})), "1.2.3"))
    assert (finding.about, finding.text[:9]) == ("store", "the store")


def test_the_key_is_another() -> None:
    """The configuration was changed, and not reloaded."""
    away = server(key=Answer(401, {"code": "unauthorized"}), seen=Answer(401))
    assert "does not know the authkey" in to_mend(of_server(away, "1.2.3")).text


@pytest.mark.parametrize("clocks", [(NOW + 60, NOW + 60), (NOW - 60, NOW - 60), (NOW, NOW + 60)])
def test_the_clocks_are_apart(clocks: tuple[float, float]) -> None:
    """The server's and ours, or the server's and its store's; said once."""
    apart = server(seen=Answer(200, {"clock": clocks[0], "store_clock": clocks[1]}))
    assert "60 s apart" in to_mend(of_server(apart, "1.2.3")).text


def test_the_proxy_is_away() -> None:
    """Or its certificate is over."""
    gone = outside(seen=Answer(error="certificate verify failed: certificate has expired"))
    assert "certificate" in str(to_mend(of_outside(gone)).remedy)
    assert "cannot be reached" in to_mend(of_outside(outside(seen=Answer(error="timed out")))).text


@pytest.mark.parametrize("answer", [Answer(404), Answer(200, {}), Answer(302), Answer(401, {"code": "ticket-invalid"})])
def test_the_calls_of_pages_are_not_passed_on(answer: Answer) -> None:
    """Somebody else answers, or the Authorization header is lost on the way."""
    assert "pass /session/ on" in str(to_mend(of_outside(outside(seen=answer))).remedy)


def test_the_host_is_not_in_the_list() -> None:
    """421 for everything."""
    elsewhere = outside(seen=Answer(421, {"code": "misdirected"}))
    assert "add 'app.example' to `hostnames`" in str(to_mend(of_outside(elsewhere)).remedy)


def test_host_does_not_arrive() -> None:
    """The upstream's name comes instead."""
    assert "'enforcer'" in to_mend(of_outside(outside(seen=seen(host="enforcer")))).text


def test_forwarded_for_does_not_arrive() -> None:
    """All visitors are one."""
    assert "does not arrive" in to_mend(of_outside(outside(seen=seen(forwarded=False, trusted=False)))).text


def test_the_proxy_is_not_trusted() -> None:
    """It says where visitors come from, and is not believed."""
    assert "add 10.0.0.2" in str(to_mend(of_outside(outside(seen=seen(trusted=False)))).remedy)


@pytest.mark.parametrize("opening", [Answer(400, {"code": "malformed-request"}), Answer(426), Answer(error="reset")])
def test_upgrade_does_not_arrive(opening: Answer) -> None:
    """Pages poll."""
    assert "does not open" in to_mend(of_outside(outside(opening=opening))).text


def test_the_origin_is_not_allowed() -> None:
    """The pages of the very address are refused."""
    refused = outside(opening=Answer(403, {"code": "origin-not-allowed"}))
    assert "add 'https://app.example'" in str(to_mend(of_outside(refused)).remedy)


@pytest.mark.parametrize("code", ["unauthorized", "rate-limited"])
def test_the_calls_of_applications_are_open_to_all(code: str) -> None:
    """They want a key, and everybody may guess."""
    doors = {"/v1/": Answer(401, {"code": code}), "/notify": Answer(401, {"code": code}), "/metrics": Answer(404)}
    assert "/notify and /v1/ can be reached" in to_mend(of_outside(outside(inside=doors))).text


def test_an_identity_header_survives() -> None:
    """Anybody can be anybody, even if the right one is there, too."""
    for right in (True, False):
        assert "made up reaches" in to_mend(of_application(Application(PUBLIC, Answer(200), right, True))).text
    (note,) = of_application(Application(PUBLIC, Answer(302), False, False))
    assert note.level is Level.NOTE
    assert to_mend(of_application(Application(PUBLIC, Answer(error="refused"), False, False)))


def test_an_issuer_cannot_be_asked() -> None:
    """Or publishes nothing that can be used."""
    assert "timed out" in to_mend(of_issuers([IssuerKeys("idp", error="timed out")])).text
    assert "none of the 3 keys" in to_mend(of_issuers([IssuerKeys("idp", 3)])).text
