"""Names, times and payloads of the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer import protocol
from enforcer.domain.deadlines import merged
from enforcer.domain.model import Actor, ActorKind, Device, EndReason, Mark, Session, Snapshot
from tests.unit.rooms import START, phone

LIVE = Session("s", "alice", True, 7, START, START, START, START + 60, START + 600, None, None, device=phone())
ENDED = LIVE._replace(
    ended_at=START + 1,
    end_reason=EndReason.DISPLACED,
    ended_by=Actor(ActorKind.LOGIN, "secret-new-session", phone("Tablet")),
)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_795_249_800.123, "2026-11-21T08:30:00.123Z"),
        (1.9996, "1970-01-01T00:00:02.000Z"),
    ],
)
def test_times_are_iso_8601_with_milliseconds(at: float | None, text: str | None) -> None:
    """UTC, three digits, `Z`."""
    assert protocol.iso(at) == text


def test_remaining_times_are_never_negative() -> None:
    """A deadline that has just passed has nothing left; none stays none."""
    assert protocol.remaining_ms(START - 5, START) == 0
    assert protocol.remaining_s(START - 5, START) == 0
    assert protocol.remaining_ms(START + 1.5, START) == 1500
    assert protocol.remaining_s(START + 1.5004, START) == 1.5
    assert protocol.remaining_ms(None, START) is None


def test_pages_only_ever_see_label_and_class() -> None:
    """`force-logout` tells the kind of device, nothing that identifies it, nor the other session."""
    payload = protocol.force_logout_payload(ENDED, {})
    assert payload["by"] == {"device": {"label": "Tablet", "class": "phone"}}
    assert "secret" not in str(payload)
    assert "192.0.2" not in str(payload)


def test_force_logout_has_all_its_members() -> None:
    """The members of the event, each with its meaning."""
    assert protocol.force_logout_payload(ENDED._replace(ended_by=None), {}) == {
        "session": "s",
        "room": "alice",
        "reason": "displaced",
        "message": protocol.MESSAGES[EndReason.DISPLACED],
        "at": protocol.iso(START + 1),
        "by": None,
        "redirect": None,
    }


def test_a_redirect_is_only_ever_a_listed_one() -> None:
    """By the entry of the login, `direct` if it named none; an unlisted entry goes nowhere."""
    listed = {"direct": "/login", "sso": "https://idp.example/logout"}
    targets = {
        e: protocol.force_logout_payload(ENDED._replace(entry=e), listed)["redirect"] for e in (None, "sso", "x")
    }
    assert targets == {None: "/login", "sso": "https://idp.example/logout", "x": None}


def test_every_reason_has_a_message() -> None:
    """A page can show something for each."""
    assert set(protocol.MESSAGES) == set(EndReason)


@pytest.mark.parametrize(
    ("changes", "delivery"),
    [
        ({"ended_at": None}, None),
        ({"acked_at": START + 2}, "acked"),
        ({"refused_at": START + 2}, "refused_on_return"),
        ({"acked_at": START + 2, "refused_at": START + 2}, "acked"),
        ({}, "pending"),
        ({"seen_until": START}, "gone"),
        ({"ended_by": Actor(ActorKind.PAGE, "s")}, None),
        ({"ended_by": Actor(ActorKind.PAGE, "another tab's")}, "pending"),
    ],
)
def test_delivery(changes: dict[str, object], delivery: str | None) -> None:
    """How the news of an end reached the browser."""
    assert protocol.delivery(ENDED._replace(**changes), START + 2) == delivery  # type: ignore[arg-type]


def test_an_ended_record_has_no_time_left_and_is_not_online() -> None:
    """What is over has no deadlines, whatever the record kept."""
    shown = protocol.record(Snapshot(ENDED, 7), online=True, now=START + 2)
    assert (shown["active"], shown["online"], shown["newest"]) == (False, False, False)
    assert (shown["idle_expires_in"], shown["absolute_expires_in"]) == (None, None)
    assert shown["ended_by"] == {
        "kind": "login",
        "session": "secret-new-session",
        "device": {"label": "Tablet", "class": "phone", "id": "secret-id", "ip": "192.0.2.1"},
    }


def test_the_record_has_all_its_members() -> None:
    """The session record of the HTTP API, member by member."""
    assert list(protocol.record(Snapshot(LIVE, 7), online=True, now=START)) == [
        *("session", "room", "active", "claimed", "newest", "epoch", "started_at", "device", "entry"),
        *("ended_at", "end_reason", "ended_by", "slot", "exempt", "impersonated_by", "idp", "aliases"),
        *("online", "last_seen_at", "last_active_at", "idle_expires_in", "absolute_expires_in", "delivery"),
    ]


def test_what_is_noticed_moves_only_the_moving_part() -> None:
    """The rest of a live session's record is the same until a decision changes it."""
    mark = Mark("s", START + 9, START + 99, START + 9, None, START + 9, START + 99, START + 99, None)
    noticed = merged(LIVE, mark)
    assert protocol.still(Snapshot(noticed, 7)) == protocol.still(Snapshot(LIVE, 7))
    assert protocol.moving(noticed, True, START + 9) != protocol.moving(LIVE, True, START + 9)


def test_the_session_payload_has_remaining_milliseconds() -> None:
    """What a page is told about its live session; a ticket only when there is a fresh one."""
    payload = protocol.session_payload(Snapshot(LIVE, 7), 120, START + 100)
    assert (payload["idle_ms"], payload["warn_ms"], payload["absolute_ms"]) == (500_000, 120_000, None)
    assert "ticket" not in payload
    assert protocol.session_payload(Snapshot(LIVE, 7), 120, START, "t")["ticket"] == "t"


def test_an_unnamed_device_is_none() -> None:
    """Without a device there is nothing to show, to nobody."""
    assert protocol.page_device(None) is None
    assert protocol.device_json(None) is None
    assert protocol.device_json(Device(label="x")) == {"label": "x"}


@given(st.text(min_size=1, max_size=256, alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_a_room_is_any_text_without_control_characters(room: str) -> None:
    """1 to 256 code points of anything printable or not, but controls and lone surrogates."""
    assert protocol.valid_room(room)


@pytest.mark.parametrize("room", ["", "x" * 257, "a\nb", "a\x00", "\x7f", "\x85", "\ud800", None, 5, ["a"], b"a"])
def test_what_is_no_room(room: object) -> None:
    """Empty, too long, with controls, or no text at all."""
    assert not protocol.valid_room(room)


@given(st.from_regex(r"[A-Za-z0-9._~\-:=+]{1,256}", fullmatch=True).filter(lambda s: s not in (".", "..")))
def test_a_session_id_is_url_safe_text(session: str) -> None:
    """The alphabet that survives paths and headers."""
    assert protocol.valid_session(session)


@pytest.mark.parametrize("session", ["", ".", "..", "a b", "a/b", "a%", "é", "x" * 257, "a\n", None, 5])
def test_what_is_no_session_id(session: object) -> None:
    """Anything that a proxy might fold, decode or cut."""
    assert not protocol.valid_session(session)


def test_a_code_has_one_meaning_for_pages() -> None:
    """No code is in two of the lists, and each that is a problem has a title."""
    lists = [protocol.ENDING_CODES, protocol.TICKET_CODES, protocol.SETUP_CODES, protocol.RETRY_CODES]
    assert sum(len(codes) for codes in lists) == len(frozenset().union(*lists))
