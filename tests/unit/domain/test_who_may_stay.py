"""Who may stay: slots, limits of a claim, exemptions, the newcomer's choice, and what is said of them."""

from typing import Any

import pytest

from enforcer.domain.errors import Refused, SessionLimit, SessionLive, TooLate
from enforcer.domain.model import FOREVER, NO_TERMS, AuditEvent, Device, EndReason, LoginAnswer, newest_epoch
from enforcer.domain.policy import REPORT_WITHIN, decide_report
from enforcer.domain.rules import Limits, Rules
from tests.unit.rooms import START, Room

PHONE, DESKTOP = Device("Phone", "mobile"), Device("Desktop", "desktop")
SLOTTED = Rules(
    idle_timeout=900,
    slots={
        "mobile": Limits(max_sessions=1, idle_timeout=60, absolute_timeout=600, warn_before=10),
        "desktop": Limits(max_sessions=2, policy="reject"),
    },
)


def room_with(*logins: dict[str, Any], rules: Rules = SLOTTED) -> Room:
    """A room after these logins, all of which are admitted."""
    room = Room(rules)
    for login in logins:
        assert isinstance(room.login(**login), LoginAnswer)
        room.now += 1
    return room


def test_sessions_compete_only_within_their_slot() -> None:
    """One phone and two desktops; the slot comes from the name, else from the class, else it is the common one."""
    room = room_with(
        {"session": "p1", "device": PHONE},
        {"session": "d1", "device": DESKTOP},
        {"session": "d2", "slot": "desktop", "device": PHONE},
        {"session": "c1"},
        {"session": "c2", "device": Device("TV", "tv")},
        {"session": "p2", "slot": "mobile"},
    )
    assert room.live_ids == {"p2", "d1", "d2", "c2"}
    assert (room.why("p1"), room.why("c1")) == (EndReason.DISPLACED, EndReason.DISPLACED)
    refused = room.login("d3", device=DESKTOP)
    assert isinstance(refused, SessionLimit)
    assert (refused.slot, refused.max_sessions, [s.id for s in refused.sessions]) == ("desktop", 2, ["d1", "d2"])
    newest = {s.id for s in room.live if s.epoch == newest_epoch(room.live, s.slot)}
    assert newest == {"p2", "d2", "c2"}


def test_a_slot_is_kept_until_a_new_device_says_another() -> None:
    """A session that claims again: what it leaves out stays."""
    room = room_with({"session": "a", "device": PHONE}, {"session": "a"})
    assert room.records["a"].slot == "mobile"
    room.login("a", device=DESKTOP)
    assert room.records["a"].slot == "desktop"
    room.login("a", slot="mobile", device=DESKTOP)
    assert room.records["a"].slot == "mobile"
    room.login("a", device=Device("TV", "tv"))
    assert room.records["a"].slot is None


def test_time_outs_are_the_slots_or_the_sessions_own() -> None:
    """For the life of the session: activity goes by them, and another login of it keeps what it does not give."""
    room = room_with(
        {"session": "p", "device": PHONE},
        {"session": "own", "slot": "mobile", "max_sessions": 2, "idle_timeout": 30.0, "absolute_timeout": 90.0},
        {"session": "free", "idle_timeout": FOREVER, "absolute_timeout": 5.0, "warn_before": FOREVER},
    )
    idle = {i: room.records[i].idle_at for i in ("p", "own", "free")}
    assert idle == {"p": START + 60, "own": START + 1 + 30, "free": None}
    absolute = {i: room.records[i].absolute_at for i in ("p", "own", "free")}
    assert absolute == {"p": START + 600, "own": START + 1 + 90, "free": START + 2 + 5}
    for session in ("p", "own", "free"):
        room.active(session)
    assert [room.records[i].idle_at for i in ("p", "own", "free")] == [room.now + 60, room.now + 30, None]
    room.login("own")
    assert (room.records["own"].idle_at, room.records["own"].absolute_at) == (room.now + 30, START + 91)
    room.login("own", absolute_timeout=FOREVER, idle_timeout=40.0, max_sessions=2)
    assert (room.records["own"].idle_at, room.records["own"].absolute_at) == (room.now + 40, None)


def test_a_limit_of_a_login_is_for_that_decision() -> None:
    """Three for this user; the next login without a limit is judged by the settings again."""
    room = room_with(*({"session": f"s{n}", "max_sessions": 3} for n in range(3)))
    assert room.claimed == ["s0", "s1", "s2"]
    assert isinstance(room.login("s3", max_sessions=3, policy="reject"), SessionLimit)
    answer = room.login("s4")
    assert isinstance(answer, LoginAnswer)
    assert answer.displaced == ("s0", "s1", "s2")


def test_an_exempt_session_competes_with_nobody() -> None:
    """It counts for no limit, displaces nobody and is displaced by nobody; everything else ends it."""
    room = room_with(
        {"session": "a"}, {"session": "x", "exempt": True}, {"session": "support", "impersonated_by": "support-7"}
    )
    assert room.claimed == ["a", "x", "support"]
    assert room.records["support"].exempt
    assert {row.impersonated_by for row in room.audit if row.session == "support"} == {"support-7"}
    assert room.records["a"].epoch == newest_epoch(room.live, None)
    for policy in ("displace", "reject"):
        assert isinstance(room.login("b", policy="displace"), LoginAnswer)
        assert isinstance(room.login(f"at the limit, {policy}", exempt=True, policy="reject"), LoginAnswer)
    room.login("x", exempt=False, max_sessions=2)
    assert room.competing(None) == ["b", "x"]
    assert room.records["x"].epoch == newest_epoch(room.live, None)
    room.login("c", replaces="support")
    assert room.why("support") is EndReason.REPLACED
    room.end_all()
    assert room.live_ids == set()


def test_ends_is_judged_before_the_limit() -> None:
    """The chosen end as displaced, whatever their slot; who is not of the room, exempt or oneself stays."""
    room = room_with(
        {"session": "d1", "device": DESKTOP},
        {"session": "d2", "device": DESKTOP},
        {"session": "p", "device": PHONE},
        {"session": "x", "exempt": True},
    )
    room.foreign("theirs")
    chosen = ("d2", "p", "x", "theirs", "unknown", "d3")
    assert isinstance(room.login("d3", device=DESKTOP, policy="reject", max_sessions=1, ends=("p",)), SessionLimit)
    assert room.live_ids == {"d1", "d2", "p", "x"}, "refused all the same: nobody has ended"
    answer = room.login("d3", device=DESKTOP, ends=chosen)
    assert isinstance(answer, LoginAnswer)
    assert answer.displaced == ("d2", "p")
    assert room.live_ids == {"d1", "d3", "x"}
    exempt = room.login("y", exempt=True, ends=("d1", "x", "y"))
    assert isinstance(exempt, LoginAnswer)
    assert exempt.displaced == ("d1",)


def test_a_login_that_waits_keeps_its_terms() -> None:
    """`join: "open"`: they hold when its page comes."""
    room = Room(Rules(join="open"))
    room.login(impersonated_by="support-7", idle_timeout=30.0)
    assert room.waiting[0].terms != NO_TERMS
    room.join("page")
    page = room.records["page"]
    assert (page.exempt, page.impersonated_by, page.idle_at) == (True, "support-7", room.now + 30)


@pytest.mark.parametrize(
    ("login", "said"),
    [
        (
            {"device": PHONE},
            [
                "max_sessions is 1 in slot mobile (from the settings of the slot), and 1 other session counts",
                "session p (Phone), live since 2023-11-14 22:13 UTC, would end: it is beyond the limit, and the oldest"
                " logins go first",
            ],
        ),
        (
            {"slot": "desktop", "max_sessions": 1},
            [
                "policy is reject (from the settings of the slot): only sessions that are alive count",
                "max_sessions is 1 in slot desktop (from the login), and 1 other session counts, so the login would be"
                " refused and nobody would end",
                "session d (Desktop), live since 2023-11-14 22:13 UTC, is in the way",
            ],
        ),
        (
            {"impersonated_by": "support-7", "ends": ("d",), "replaces": "p"},
            [
                "'support-7' acts for the user, so the login is exempt",
                "the login is exempt: it counts for no limit and displaces nobody",
                "session p (Phone), live since 2023-11-14 22:13 UTC, would end: the login replaces it",
                "session d (Desktop), live since 2023-11-14 22:13 UTC, would end: the login names it in `ends`",
            ],
        ),
        ({}, ["max_sessions is 1 (from the settings), and 0 other sessions count", "nobody would end"]),
        (
            {"session": "gone"},
            ["session 'gone' has ended (logout); ended ids never live again; the login would be refused"],
        ),
        (
            {"replaces": "theirs"},
            [
                "max_sessions is 1 (from the settings), and 0 other sessions count",
                "session theirs, live since 2023-11-14 22:13 UTC, would end: the login replaces it",
            ],
        ),
    ],
)
def test_an_administrator_is_told_why(login: dict[str, Any], said: list[str]) -> None:
    """Plain sentences, the deciding ones first."""
    room = room_with(
        {"session": "p", "device": PHONE}, {"session": "d", "device": DESKTOP}, {"session": "gone", "slot": "z"}
    )
    room.end("gone")
    room.foreign("theirs")
    assert list(room.explain(**login).why) == said


def test_a_report_is_noted_once_and_in_time() -> None:
    """ "It wasn't me": of an ended session, within seven days of its end."""
    room = room_with({"session": "a"}, {"session": "b"})

    def report(session: str) -> object:
        return room.commit(decide_report(room.state((session,)), session, "not mine", room.rules, room.now))

    assert isinstance(report("b"), SessionLive)
    assert report("unknown") is None
    room.now += REPORT_WITHIN - 2
    for _ in range(2):
        assert not isinstance(report("a"), Refused)
    reported = [row for row in room.audit if row.event is AuditEvent.REPORTED]
    assert [(row.session, row.note) for row in reported] == [("a", "not mine")]
    room.now += 2
    assert isinstance(report("a"), TooLate)
