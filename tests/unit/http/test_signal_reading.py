"""What a verified message is judged by: claims in, what to end or what is wrong out."""

from typing import Any

import pytest

from enforcer.domain.model import EndReason
from enforcer.domain.signals import of_alias, of_person, of_room, of_session
from enforcer.http.signals.reading import (
    LOGOUT_EVENT,
    Foreign,
    Notice,
    Unacceptable,
    Unusable,
    credential,
    event,
    logout,
    revocation,
)

NOW = 1_700_000_000.5
ISS, APP = "https://idp.example", "app"
CAEP, RISC = (
    "https://schemas.openid.net/secevent/caep/event-type/",
    "https://schemas.openid.net/secevent/risc/event-type/",
)
Claims = dict[str, Any]


def without_none(members: Claims) -> Claims:
    """Those that are given."""
    return {name: value for name, value in members.items() if value is not None}


def logout_claims(**claims: Any) -> Claims:
    """Of a good logout token, but for these."""
    usual = {
        "iss": ISS,
        "aud": APP,
        "iat": NOW - 1,
        "exp": NOW + 120,
        "jti": "j",
        "events": {LOGOUT_EVENT: {}},
        "sub": "a",
    }
    return without_none(usual | claims)


def judge_logout(typ: str | None = "logout+jwt", setting: str = "optional", **claims: Any) -> Any:
    """What comes of it."""
    return logout("idp", without_none({"typ": typ}), logout_claims(**claims), ISS, APP, setting, NOW)


@pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt", "application/logout+jwt", "LOGOUT+JWT"])
def test_a_logout_token(typ: str | None) -> None:
    """By `sub` the person, by `sid` the session alone, in whichever way the header names the type."""
    by_sub = judge_logout(typ)
    assert (by_sub.subjects, by_sub.reason, by_sub.at) == ((of_person(ISS, "a"),), EndReason.IDP_LOGOUT, NOW - 1)
    assert judge_logout(typ, sid="s").subjects == (of_session(ISS, "s"),)
    assert judge_logout(typ, sid="s", sub=None).subjects == (of_session(ISS, "s"),)
    assert judge_logout(typ, aud=["other", APP]).once == by_sub.once


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": None},
        {"aud": {"app": 1}},
        {"iat": None},
        {"iat": NOW + 31},
        {"iat": "yesterday"},
        {"iat": True},
        {"iat": -1},
        {"iat": float("nan")},
        {"exp": NOW},
        {"exp": "soon"},
        {"exp": None, "iat": NOW - 301},
        {"iat": NOW - 3600, "exp": NOW + 9},
        {"nonce": "n"},
        {"nonce": ""},
        {"events": None},
        {"events": []},
        {"events": {}},
        {"events": {LOGOUT_EVENT: None}},
        {"events": {LOGOUT_EVENT: "{}"}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 513},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\nb"},
        {"sub": "\ud800"},
        {"sid": "", "sub": "a"},
    ],
    ids=str,
)
def test_what_is_no_logout_token(claims: Claims) -> None:
    """Each says what is wrong, and repeats nothing of the token."""
    with pytest.raises(Unacceptable) as error:
        judge_logout(**claims)
    assert "yesterday" not in str(error.value)


def test_a_logout_token_at_the_edges() -> None:
    """A clock that is half a minute ahead, and a token without `exp` that is not five minutes old."""
    assert judge_logout(iat=NOW + 29).at == NOW, "what is said in the future was said now"
    assert judge_logout(exp=None, iat=NOW - 299).at == NOW - 299


@pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", "", "id_token", 7])
def test_a_token_of_another_type(typ: Any) -> None:
    """An access token or an event is no logout token; with `typ` required, what does not say it is none either."""
    with pytest.raises(Unacceptable):
        judge_logout(typ)


@pytest.mark.parametrize("typ", [None, "JWT"])
def test_a_type_may_be_asked_for(typ: str | None) -> None:
    """ASVS 5.0, 10.5.5."""
    with pytest.raises(Unacceptable):
        judge_logout(typ, "required")
    assert judge_logout("logout+jwt", "required")


def test_messages_are_told_apart_by_issuer_and_id() -> None:
    """Two issuers may use the same `jti`."""
    other = logout("idp", {}, logout_claims(iss="https://b.example"), "https://b.example", APP, "optional", NOW)
    assert len({judge_logout().once, judge_logout(jti="k").once, other.once}) == 3


# ---- token revocation ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sub_id", "subject", "rooms"),
    [
        ({"format": "email", "email": "A@b.c"}, of_alias("email:a@b.c"), ()),
        ({"format": "iss_sub", "iss": ISS, "sub": "a"}, of_person(ISS, "a"), ()),
        ({"format": "opaque", "id": "alice"}, of_alias("opaque:alice"), ("alice",)),
        ({"format": "opaque", "id": "x" * 300}, of_room("x" * 300), ()),
    ],
)
def test_a_revocation(sub_id: Claims, subject: str, rooms: tuple[str, ...]) -> None:
    """Each format that there is; more members of the subject say nothing."""
    for more in ({}, {"extra": 1}):
        found = revocation("okta", {"sub_id": sub_id | more}, None, NOW)
        assert (found.subjects, found.rooms, found.at, found.once) == ((subject,), rooms, NOW, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sub_id": None},
        {"sub_id": "alice"},
        {"sub_id": []},
        {"sub_id": {}},
        {"sub_id": {"format": "email"}},
        {"sub_id": {"format": "email", "email": 7}},
        {"sub_id": {"format": "iss_sub", "iss": ISS}},
        {"sub_id": {"format": "opaque", "id": ""}},
        {"sub_id": {"format": "opaque", "id": "a\x00"}},
        {"sub_id": {"format": "phone_number", "phone_number": "+1"}},
        {"sub_id": {"format": "complex", "user": {"format": "email", "email": "a@b.c"}}},
        {"sub_id": {"format": ["email"], "email": "a@b.c"}},
        {"sub_id": {"format": "email", "email": "a@b.c"}, "subject": 1},
    ],
    ids=str,
)
def test_what_is_no_revocation(body: Claims) -> None:
    """400."""
    with pytest.raises(Unacceptable):
        revocation("okta", body, None, NOW)


def test_a_subject_that_nobody_can_have() -> None:
    """422: an address that is longer than an alias may be."""
    with pytest.raises(Unusable):
        revocation("okta", {"sub_id": {"format": "email", "email": "a" * 400}}, None, NOW)


def test_an_issuer_speaks_of_its_own_people() -> None:
    """403 for another's; a key says nothing about issuers."""
    body = {"sub_id": {"format": "iss_sub", "iss": "https://other.example", "sub": "a"}}
    with pytest.raises(Foreign):
        revocation("okta", body, ISS, NOW)
    assert revocation("okta", body, None, NOW)


def test_a_credential() -> None:
    """Once, if it has an id; for us, now, and not for long."""
    good = {"iss": ISS, "aud": "https://app.example/signals/okta", "exp": NOW + 300}
    aud = good["aud"]
    assert credential(good, ISS, aud, NOW) is None
    assert credential({**good, "jti": "j", "iat": NOW}, ISS, aud, NOW) is not None
    for wrong in (
        {"iss": "x"},
        {"aud": "x"},
        {"exp": NOW},
        {"exp": None},
        {"exp": NOW + 9999},
        {"iat": NOW + 99},
        {"nbf": NOW + 99},
        {"jti": 7},
    ):
        with pytest.raises(Unacceptable):
            credential(good | wrong, ISS, aud, NOW)


# ---- events -------------------------------------------------------------------------------------

EMAIL = {"format": "email", "email": "a@b.c"}


def judge_event(kind: str = f"{CAEP}session-revoked", typ: str | None = "secevent+jwt", **claims: Any) -> Any:
    """What comes of a security event token."""
    usual = {"iss": ISS, "aud": APP, "iat": NOW - 1, "jti": "j", "sub_id": EMAIL, "events": {kind: {}}}
    return event("idp", without_none({"typ": typ}), without_none(usual | claims), ISS, APP, NOW)


@pytest.mark.parametrize(
    "kind",
    [f"{CAEP}session-revoked", f"{CAEP}credential-change", f"{RISC}account-disabled", f"{RISC}sessions-revoked"],
)
def test_an_event_that_ends(kind: str) -> None:
    """Each of the four, by when it happened if it says so."""
    found = judge_event(kind)
    assert (found.reason, found.subjects, found.at, found.late) == (
        EndReason.CAEP,
        (of_alias("email:a@b.c"),),
        NOW - 1,
        False,
    )
    assert judge_event(kind, events={kind: {"event_timestamp": NOW - 50}}).at == NOW - 50
    assert judge_event(kind, events={kind: {"event_timestamp": NOW + 50}}).at == NOW
    assert judge_event(kind, iat=NOW - 7200).late, "a push that was tried for hours is taken, for what was there then"


@pytest.mark.parametrize(
    ("sub_id", "subjects", "rooms"),
    [
        ({"format": "iss_sub", "iss": "https://b.example", "sub": "a"}, {of_person("https://b.example", "a")}, ()),
        ({"format": "opaque", "id": "r"}, {of_room("r")}, ("r",)),
        ({"format": "complex", "user": EMAIL}, {of_alias("email:a@b.c")}, ()),
        (
            {"format": "complex", "user": EMAIL, "session": {"format": "opaque", "id": "s"}},
            {of_session(ISS, "s")},
            (),
        ),
        (
            {"format": "aliases", "identifiers": [EMAIL, {"format": "opaque", "id": "r"}]},
            {of_alias("email:a@b.c"), of_room("r")},
            ("r",),
        ),
    ],
)
def test_the_subject_of_an_event(sub_id: Claims, subjects: set[str], rooms: tuple[str, ...]) -> None:
    """Of RFC 9493 and of SSF; a session of a user is that session alone. Older transmitters name it in the event."""
    found = judge_event(sub_id=sub_id)
    assert (set(found.subjects), found.rooms) == (subjects, rooms)
    kind = f"{CAEP}session-revoked"
    assert set(judge_event(kind, sub_id=None, events={kind: {"subject": sub_id}}).subjects) == subjects


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "x"}, "invalid_issuer"),
        ({"aud": "x"}, "invalid_audience"),
        ({"iat": None}, "invalid_request"),
        ({"iat": NOW + 31}, "invalid_request"),
        ({"exp": NOW}, "invalid_request"),
        ({"jti": None}, "invalid_request"),
        ({"events": None}, "invalid_request"),
        ({"events": {}}, "invalid_request"),
        ({"events": {f"{CAEP}session-revoked": 1}}, "invalid_request"),
        ({"events": {f"{CAEP}session-revoked": {"event_timestamp": "now"}}}, "invalid_request"),
        ({"sub_id": None}, "invalid_request"),
        ({"sub_id": "alice"}, "invalid_request"),
        ({"sub_id": {"format": "did", "url": "did:x"}}, "invalid_request"),
        ({"sub_id": {"format": "complex"}}, "invalid_request"),
        ({"sub_id": {"format": "complex", "user": {"format": "complex", "user": EMAIL}}}, "invalid_request"),
        ({"sub_id": {"format": "complex", "session": {"format": "email", "email": "a@b.c"}}}, "invalid_request"),
        ({"sub_id": {"format": "aliases", "identifiers": []}}, "invalid_request"),
        ({"sub_id": {"format": "aliases", "identifiers": [EMAIL] * 17}}, "invalid_request"),
        ({"sub_id": {"format": "aliases", "identifiers": ["a"]}}, "invalid_request"),
        ({"sub_id": {"format": "email", "email": "a" * 400}}, "invalid_request"),
    ],
    ids=str,
)
def test_what_is_no_event_for_us(claims: Claims, code: str) -> None:
    """With the code that RFC 8935 has for it."""
    with pytest.raises(Unacceptable) as error:
        judge_event(**claims)
    assert error.value.code == code


@pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt"])
def test_an_event_token_says_so(typ: str | None) -> None:
    """So that no other token of the issuer can be passed off as one."""
    with pytest.raises(Unacceptable):
        judge_event(typ=typ)


def test_events_that_end_nothing() -> None:
    """The transmitter's test, changes of the stream, and what we do not know: taken, whatever their subject is."""
    for kind in ("https://schemas.openid.net/secevent/ssf/event-type/verification", f"{CAEP}device-compliance-change"):
        found = judge_event(kind, sub_id={"format": "opaque", "id": "stream"})
        assert isinstance(found, Notice)
        assert found.event == kind
