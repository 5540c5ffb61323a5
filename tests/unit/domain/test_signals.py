"""Of whom signals speak, which sessions they mean, and which logins they overtake."""

from typing import Any

import pytest

from enforcer.domain.admission import Login
from enforcer.domain.errors import SessionLimit, SignedOut
from enforcer.domain.explaining import explain_login
from enforcer.domain.model import FOREVER, AuditEvent, EndReason, Identity, LoginAnswer, RoomState, Session, Terms
from enforcer.domain.policy import decide_login
from enforcer.domain.rules import Rules
from enforcer.domain.signals import (
    Signal,
    claimed_subjects,
    of_alias,
    of_person,
    of_room,
    of_session,
    signed_out,
    subjects_of,
)

NOW = 1_700_000_000.0
ISS = "https://idp.example"
ALICE = Identity(ISS, "a1", "s1", 1000)
SIGNAL = Signal("idp", EndReason.IDP_LOGOUT, (of_person(ISS, "a1"),), 1000.9)


def session(id_: str, room: str = "alice", **fields: Any) -> Session:
    """A live session."""
    return Session(id_, room, True, 1, NOW, NOW, NOW, NOW, None, None, None)._replace(**fields)


def room_of(*sessions: Session) -> RoomState:
    """The room with these."""
    return RoomState("alice", 1, sessions)


def test_a_login_is_spoken_of_by_all_that_it_says() -> None:
    """Session, person, aliases, and the room's name; each once. One that says nothing cannot be spoken of."""
    found = subjects_of("alice", ALICE, ("email:Alice@Example.com", "opaque:alice"))
    assert set(found) == {
        of_session(ISS, "s1"),
        of_person(ISS, "a1"),
        of_alias("email:alice@example.com"),
        of_room("alice"),
    }
    assert len(found) == 4
    assert subjects_of("alice", None, ()) == ()


def test_case_counts_in_everything_but_addresses() -> None:
    """Providers write addresses as they like, and ids as they are."""
    assert of_alias("email:A@B.C") == of_alias("Email:a@b.c")
    assert of_alias("opaque:A") != of_alias("opaque:a")
    assert of_person(ISS, "A") != of_person(ISS, "a")


def test_no_two_subjects_are_written_alike() -> None:
    """A session id is no subject id, and nothing runs over into what stands beside it."""
    assert len({of_session(ISS, "x"), of_person(ISS, "x"), of_alias("x"), of_person(f"{ISS}x", ""), of_room("x")}) == 5


def test_a_signal_means_the_sessions_of_its_subjects() -> None:
    """And of its rooms, whoever is in them; nobody else's."""
    mine = session("1", idp=ALICE)
    assert SIGNAL.means(mine)
    assert SIGNAL.means(session("1", idp=ALICE._replace(sid=None, auth_time=None)))
    assert not SIGNAL.means(session("2", idp=ALICE._replace(iss="https://other.example")))
    assert not SIGNAL.means(session("3"))
    opaque = Signal("idp", EndReason.CAEP, (of_room("r"),), 1000, ("r",))
    assert opaque.means(session("4", room="r"))
    assert opaque.means(session("5", room="q", aliases=("opaque:r",)))
    assert not opaque.means(session("6", room="q"))


def test_an_old_message_leaves_later_sessions_alone() -> None:
    """Nobody remembers any more whether it was taken before."""
    late = Signal("idp", EndReason.CAEP, (of_person(ISS, "a1"),), NOW - 7200, late=True)
    assert late.means(session("1", idp=ALICE, started_at=NOW - 7201))
    assert not late.means(session("1", idp=ALICE, started_at=NOW - 7199))


def test_whole_seconds_are_compared() -> None:
    """A provider says when somebody logged in to the second: who came back within the same one is let in."""
    assert SIGNAL.not_before == {of_person(ISS, "a1"): 1000}
    for auth_time, refused in ((999, True), (1000, False), (1001, False), (None, False)):
        terms = Terms(idp=ALICE._replace(auth_time=auth_time))
        assert signed_out("alice", terms, SIGNAL.not_before) is refused, auth_time


@pytest.mark.parametrize("auth_time", [None, 0, 2000])
def test_an_ended_session_at_the_issuer_never_comes_back(auth_time: int | None) -> None:
    """Whenever its user logged in."""
    signal = Signal("idp", EndReason.IDP_LOGOUT, (of_session(ISS, "s1"),), 1000)
    assert signal.not_before == {of_session(ISS, "s1"): FOREVER}
    assert signed_out("alice", Terms(idp=ALICE._replace(auth_time=auth_time)), signal.not_before)
    assert not signed_out("alice", Terms(idp=ALICE._replace(sid="s2")), signal.not_before)


def test_aliases_and_the_room_are_judged_by_the_time_too() -> None:
    """Without `idp` a login does not say when its user logged in, so nothing can overtake it."""
    for subject in (of_alias("email:a@b.c"), of_room("alice")):
        noted = {subject: 1001.0}
        assert signed_out("alice", Terms(idp=ALICE, aliases=("email:A@b.c",)), noted)
        assert not signed_out("alice", Terms(aliases=("email:a@b.c",)), noted)
    assert set(claimed_subjects("alice", Terms(aliases=("x",)))) == {of_alias("x")}


def test_a_login_that_was_overtaken_is_refused_and_logged() -> None:
    """409 `signed-out`, nobody ends, and `explain` says the same."""
    old = session("old", epoch=1)
    state = room_of(old)._replace(signalled={of_session(ISS, "s1"): FOREVER})
    login = Login("new", terms=Terms(idp=ALICE))
    decision = decide_login(state, login, Rules(), NOW)
    assert isinstance(decision.result, SignedOut)
    assert not decision.changed
    assert [entry.event for entry in decision.audit] == [AuditEvent.LOGIN_REFUSED]
    told = explain_login(state, login, Rules(), NOW)
    assert (told.code, told.would_end) == ("signed-out", ())
    assert isinstance(decide_login(room_of(old), login, Rules(), NOW).result, LoginAnswer)


def test_who_is_signed_out_is_not_told_of_the_limit() -> None:
    """The user must go to the provider whatever else is in the way."""
    state = room_of(session("old", epoch=1, seen_until=NOW + 60))
    reject = Rules(policy="reject")
    login = Login("new", terms=Terms(idp=ALICE))
    assert isinstance(decide_login(state, login, reject, NOW).result, SessionLimit)
    state = state._replace(signalled={of_session(ISS, "s1"): FOREVER})
    assert isinstance(decide_login(state, login, reject, NOW).result, SignedOut)


def test_what_a_claim_leaves_out_stays() -> None:
    """Of a live session; what is given holds from now."""
    mine = session("s", epoch=1, idp=ALICE, aliases=("a", "b"))
    again = decide_login(room_of(mine), Login("x", session="s"), Rules(), NOW).changed[0]
    assert (again.idp, again.aliases) == (ALICE, ("a", "b"))
    other = ALICE._replace(sid="s2")
    changed = decide_login(room_of(mine), Login("x", session="s", terms=Terms(idp=other, aliases=())), Rules(), NOW)
    assert (changed.changed[0].idp, changed.changed[0].aliases) == (other, ())
