"""What the Python client sends, and what it makes of answers."""

import json

import enforcer_client
import pytest
from enforcer_client import calls, errors
from enforcer_client.events import Event, Parser
from hypothesis import given
from hypothesis import strategies as st

from enforcer import protocol


def problem(code: str, **members: object) -> bytes:
    """An answer of the server's."""
    return json.dumps(protocol.problem(code, protocol.PROBLEMS[code][0], "why", members)).encode()


@pytest.mark.parametrize("code", [*protocol.PROBLEMS, "one-that-is-new"])
def test_errors_go_by_the_code(code: str) -> None:
    """Each code of the server's is a refusal that has it, whatever the status; one is no refusal."""
    with pytest.raises(errors.EnforcerError) as raised:
        calls.answer(calls.sessions("a"), 404, json.dumps({"code": code, "detail": "why", "x": 1}).encode())
    if code == "unavailable":
        assert isinstance(raised.value, errors.Unavailable)
    else:
        assert isinstance(raised.value, errors.Refused)
        assert (raised.value.code, raised.value.detail, raised.value.members["x"]) == (code, "why", 1)


def test_what_is_not_enforcer_is_said() -> None:
    """Another server's pages, good or bad."""
    for status, content in ((404, b"<html>"), (200, b"<html>"), (200, b"[]"), (500, b'"x"'), (200, b"{}")):
        with pytest.raises(errors.ProtocolError, match="address"):
            calls.answer(calls.end_all("a", None, "logout"), status, content)


def test_only_a_live_session_of_the_room_is_valid() -> None:
    """What has ended is told as such, with why; what is another room's is not known."""
    live = {"session": "s", "room": "alice", "active": True, "end_reason": None}
    assert calls.answer(calls.validate("s", "alice"), 200, json.dumps(live).encode())["session"] == "s"
    with pytest.raises(errors.SessionUnknown):
        calls.answer(calls.validate("s", "bob"), 200, json.dumps(live).encode())
    over = json.dumps({**live, "active": False, "end_reason": "displaced"}).encode()
    with pytest.raises(errors.SessionEnded) as ended:
        calls.answer(calls.validate("s", "alice"), 200, over)
    assert ended.value.reason == "displaced"
    for session in ("", ".", "..", "../x", "a/b", "é", "x" * 257):
        with pytest.raises(errors.SessionUnknown):
            calls.validate(session, None)
    assert calls.validate("a:b+c=", None).path == "/v1/sessions/a%3Ab%2Bc%3D"
    assert calls.sessions("a/b ü").path == "/v1/users/a%2Fb%20%C3%BC/sessions"


@given(tries=st.integers(1, 100), spread=st.floats(0, 1), after=st.sampled_from([None, "0", "3", "soon"]))
def test_waits_grow_and_have_an_end(tries: int, spread: float, after: str | None) -> None:
    """Never none, a second at most, unless the server says how long."""
    seconds = calls.wait(tries, after, spread)
    assert 0.02 < seconds <= (3.0 if after == "3" else calls.LONGEST_WAIT)
    assert after != "3" or seconds == 3.0


def test_a_call_is_tried_until_its_time_is_over() -> None:
    """An answer that decides is the last; so is one behind which there is no time; what went wrong last is told."""
    tries = calls.Tries("http://e.example", 10.0)
    assert tries.left(9.0) == 1.0
    tries.failed(OSError("no route"))
    assert 0 < tries.pause(0.5, 9.0) < 1
    assert not tries.is_final(503, None, 9.1)
    assert tries.is_final(503, "2", 9.1), "it is asked to come back when the time is over"
    assert tries.is_final(409, None, 9.1)
    for over in (lambda: tries.left(10.0), lambda: tries.pause(0.5, 9.999)):
        with pytest.raises(errors.Unavailable, match=r"e\.example answers with status 503"):
            over()
    tries.failed(OSError("no route"))
    assert str(tries.unavailable()) == "http://e.example does not answer: no route"


@given(data=st.data())
def test_events_are_read_in_whatever_pieces_they_come(data: st.DataObject) -> None:
    """Names, ids, several lines of data, comments, and characters cut in two."""
    ready = 'event: ready\ndata: {"a":\ndata: "é€"}\n\n'
    text = f": hello\r\nid: 7\r\n\r\n{ready}event: x\nid: 8\ndata:1\n\nevent: never\ndata: 2\n"
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    parser = Parser()
    events = [e for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) for e in parser.feed(raw[a:b])]
    assert events == [Event("", "", "7"), Event("ready", '{"a":\n"é€"}', None), Event("x", "1", "8")]


def test_everything_public_is_there() -> None:
    """And the version is the distribution's."""
    for name in enforcer_client.__all__:
        assert getattr(enforcer_client, name).__doc__
