"""Identity providers end sessions: each kind of message over the wire, from an issuer with real keys."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.integration.pages import Opener
from tests.integration.problems import problem
from tests.issuer import CAEP, LOGOUT_EVENT, RISC, SSF, Issuer, Key, say
from tests.redis_server import RedisServer
from tests.running import EnforcerProcess, until

KEY = "k" * 8 + uuid.uuid4().hex
AUDIENCE = "https://app.example/signals/signed"
EVENTS = "https://app.example/events"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """Publishes four keys, one a kind, and a weak one."""
    weak = Key("RS256", "weak", rsa.generate_private_key(65537, 1024))
    with Issuer(Key("ES256"), Key("RS256"), Key("PS256"), Key("EdDSA"), weak) as made:
        yield made


def settings(issuer: Issuer, **more: Any) -> dict[str, Any]:
    """One signal of each kind, and some of a few more."""
    its: dict[str, Any] = {"issuer": issuer.url, "allow_http": True}
    return {
        "oidc": {"kind": "backchannel-logout", "client_id": "app", **its},
        "strict": {"kind": "backchannel-logout", "client_id": "app", "typ": "required", **its},
        "okta": {"kind": "token-revocation", "key": [KEY, KEY + "-new"]},
        "signed": {"kind": "token-revocation", "audience": AUDIENCE, **its},
        "ssf": {"kind": "caep", "audience": EVENTS, **its},
        "guarded": {"kind": "caep", "audience": EVENTS, "key": KEY + "-caep", **its},
        **more,
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[EnforcerProcess]:
    """It listens to them."""
    directory = tmp_path_factory.mktemp("signalled") / "enforcer"
    with EnforcerProcess(directory, signals=settings(issuer), max_sessions=5) as server:
        yield server
    log = server.read_log()
    assert "Traceback" not in log
    assert KEY not in log
    assert "eyJ" not in log, "no token is logged"


def idp(issuer: Issuer, **members: Any) -> dict[str, Any]:
    """What an app says of a login through this issuer."""
    return {"iss": issuer.url, "sub": "a1", "sid": uuid.uuid4().hex, "auth_time": int(time.time()), **members}


def sent(server: EnforcerProcess, name: str, token: str, **more: str) -> httpx.Response:
    """A logout token, in its form."""
    answer = httpx.post(f"{server.url}/signals/{name}", data={"logout_token": token, **more}, timeout=10)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def refused(answer: httpx.Response, status: int = 400) -> str:
    """As OpenID Connect Back-Channel Logout 1.0 §2.8 has it; what it says."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json"), answer.text
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.json()["error"] == ("invalid_request" if status < 500 else "temporarily_unavailable")
    return str(answer.json()["error_description"])


def pushed(server: EnforcerProcess, token: str, name: str = "ssf", **headers: str) -> httpx.Response:
    """A security event token."""
    fields = {"Content-Type": "application/secevent+jwt", **headers}
    answer = httpx.post(f"{server.url}/signals/{name}", content=token, headers=fields, timeout=10)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def revoked(server: EnforcerProcess, sub_id: Any, name: str = "okta", key: str | None = KEY) -> httpx.Response:
    """A token revocation."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{server.url}/signals/{name}", json={"sub_id": sub_id}, headers=headers, timeout=10)


def is_over(server: EnforcerProcess, session: str, reason: str, name: str) -> None:
    """Ended by this signal, as the record and the audit log say."""
    record = server.record(session)
    assert (record["active"], record["end_reason"]) == (False, reason)
    assert record["ended_by"] == {"kind": "signal", "name": name}
    rows = server.call("GET", f"/v1/audit?session={session}").json()["items"]
    assert (rows[-1]["event"], rows[-1]["reason"], rows[-1]["by"]) == ("ended", reason, record["ended_by"])


# ---- claims -------------------------------------------------------------------------------------


def test_a_claim_says_who_logs_in(server: EnforcerProcess, issuer: Issuer) -> None:
    """In the record; null is "not given", and a repeat is compared as it is understood."""
    who = idp(issuer, auth_time=1_700_000_000.9)
    body = {"idp": who, "aliases": ["b", "email:a@b.c", "b"], "request_id": "r1"}
    login = server.login("claims", **body)
    record = server.record(login["session"])
    assert record["idp"] == {**who, "auth_time": 1_700_000_000}
    assert record["aliases"] == ["b", "email:a@b.c"]
    again = {**body, "idp": {**who, "auth_time": 1_700_000_000}, "aliases": ["email:a@b.c", "b"]}
    assert server.login("claims", **again)["session"] == login["session"]
    for other in ({"aliases": ["b"]}, {"idp": {**who, "sid": "other"}}, {"idp": None}):
        answer = server.call("POST", "/v1/sessions", json={"room": "claims", **body, **other})
        problem(answer, 409, "request-id-reused")
    plain = server.record(server.login("claims", idp=None, aliases=None)["session"])
    assert (plain["idp"], plain["aliases"]) == (None, [])


@pytest.mark.parametrize(
    "body",
    [
        {"idp": {"iss": "i"}},
        {"idp": {"iss": "i", "sub": ""}},
        {"idp": {"iss": "i", "sub": "a\nb"}},
        {"idp": {"iss": "i", "sub": "a", "sid": 7}},
        {"idp": {"iss": "i", "sub": "a", "auth_time": "now"}},
        {"idp": {"iss": "i", "sub": "a", "auth_time": True}},
        {"idp": {"iss": "i", "sub": "a", "auth_time": -1}},
        {"idp": {"iss": "i", "sub": "a", "auth_tme": 1}},
        {"idp": {"iss": "i" * 513, "sub": "a"}},
        {"idp": []},
        {"idp": "a"},
        {"aliases": "a"},
        {"aliases": [""]},
        {"aliases": ["a" * 321]},
        {"aliases": [7]},
        {"aliases": ["a"] * 17},
    ],
    ids=str,
)
def test_what_says_nobody(server: EnforcerProcess, body: dict[str, Any]) -> None:
    """422, with the field; nobody is logged in."""
    for path in ("/notify", "/v1/sessions", "/v1/sessions/explain"):
        answer = server.call("POST", path, json={"room": "nobody", **body})
        told = problem(answer, 422, "invalid-request")
        assert told["errors"][0]["field"].startswith(next(iter(body)))
    assert server.call("GET", "/v1/users/nobody/sessions").json()["sessions"] == []
    if "auth_tme" in str(body):
        assert "did you mean 'auth_time'" in told["detail"]


# ---- back-channel logout ------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(4), ids=["ES256", "RS256", "PS256", "EdDSA"])
def test_a_logout_token_ends_its_session(server: EnforcerProcess, issuer: Issuer, number: int) -> None:
    """And no other of the user; signed in each of the four ways."""
    mine, other = idp(issuer, sub=f"n{number}"), idp(issuer, sub=f"n{number}")
    first = server.login(f"logout-{number}", idp=mine)["session"]
    second = server.login(f"logout-{number}", idp=other)["session"]
    token = issuer.keys[number].signed(issuer.logout_claims(sid=mine["sid"], sub=mine["sub"]), typ="logout+jwt")
    answer = sent(server, "oidc", token)
    assert (answer.status_code, answer.content) == (200, b"")
    is_over(server, first, "idp_logout", "oidc")
    assert server.record(second)["active"]
    assert "before" in refused(sent(server, "oidc", token))


def test_a_logout_token_by_subject_ends_all(server: EnforcerProcess, issuer: Issuer) -> None:
    """In every room; who has logged in there before is refused from now on, who comes later is not."""
    who = idp(issuer, sub="everywhere")
    sessions = [server.login(room, idp={**who, "sid": f"{room}"})["session"] for room in ("here", "there")]
    stranger = server.login("there", idp=idp(issuer, iss="https://other.example", sub="everywhere"))["session"]
    now = int(time.time())
    assert sent(server, "oidc", issuer.logout_token(sub="everywhere", iat=now)).status_code == 200
    for session in sessions:
        is_over(server, session, "idp_logout", "oidc")
    assert server.record(stranger)["active"]
    late = {"iss": issuer.url, "sub": "everywhere"}
    told = server.call("POST", "/v1/sessions", json={"room": "here", "idp": {**late, "auth_time": now - 1}})
    problem(told, 409, "signed-out")
    explained = server.call(
        "POST", "/v1/sessions/explain", json={"room": "here", "idp": {**late, "auth_time": now - 1}}
    )
    assert (explained.json()["outcome"], explained.json()["code"]) == ("refused", "signed-out")
    for good in ({"auth_time": now + 1}, {}):
        assert server.call("POST", "/v1/sessions", json={"room": "here", "idp": {**late, **good}}).status_code == 201
    assert sent(server, "oidc", issuer.logout_token(sub="nobody-at-all")).status_code == 200


def test_a_signal_that_overtakes_its_login(server: EnforcerProcess, issuer: Issuer) -> None:
    """The session at the issuer is over before the login has come: 409, nobody ends for it, and the log has it."""
    who = idp(issuer)
    stays = server.login("overtaken")["session"]
    assert sent(server, "oidc", issuer.logout_token(sid=who["sid"])).status_code == 200
    for body in ({"idp": who}, {"idp": {**who, "auth_time": None}}):
        problem(server.call("POST", "/notify", json={"room": "overtaken", **body}), 409, "signed-out")
    assert server.record(stays)["active"]
    rows = server.call("GET", "/v1/audit?room=overtaken").json()["items"]
    assert [row["event"] for row in rows] == ["started", "login_refused", "login_refused"]


def test_a_type_may_be_required(server: EnforcerProcess, issuer: Issuer) -> None:
    """One that does not say what it is: taken where the setting is `optional`."""
    for typ in ("JWT", None):
        claims = issuer.logout_claims(sub="t")
        token = issuer.keys[0].signed(claims, typ=typ)
        refused(sent(server, "strict", token))
        assert sent(server, "oidc", token).status_code == 200, "a refusal uses up no `jti`"
    assert sent(server, "strict", issuer.logout_token(sub="t")).status_code == 200


def forged(issuer: Issuer) -> dict[str, str]:
    """Tokens that somebody else has made."""
    claims = issuer.logout_claims(sub="victim")
    good = issuer.keys[1]
    public = good.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    plain = jwt.encode(claims, "", "none", headers={"kid": good.kid})
    head, body, signature = good.signed(claims).split(".")
    other = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "other"}).encode()).decode().rstrip("=")
    confused = _b64({"alg": "HS256", "typ": "JWT", "kid": good.kid}) + "." + _b64(claims)
    mac = hmac.new(public, confused.encode(), hashlib.sha256).digest()
    return {
        "none": plain,
        "None": _b64({"alg": "None", "kid": good.kid}) + plain[plain.index(".") :],
        "HS256 with the public key": f"{confused}.{_raw(mac)}",
        "another's key": Key("RS256", good.kid, rsa.generate_private_key(65537, 2048)).signed(claims),
        "a changed body": f"{head}.{other}.{signature}",
        "no signature": f"{head}.{body}.",
        "a kid that is a path": good.signed(claims, kid="../../../../dev/null"),
        "a kid that is an address": good.signed(claims, kid="http://127.0.0.1/keys"),
        "a weak key": issuer.keys[4].signed(claims),
        "an embedded key": Key("ES256").signed(claims, jwk=Key("ES256").jwk, kid=issuer.keys[0].kid),
        "a critical extension": good.signed(claims, crit=["exp2"], exp2=1),
        "unencoded": _b64({"alg": "RS256", "kid": good.kid, "b64": True}) + f".{body}.{signature}",
        "five parts": "a.b.c.d.e",
        "no JSON": "!.!.!",
        "nested": _raw(b"[" * 3000) + ".e30.x",
        "nothing": "",
    }


def _raw(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _b64(value: Any) -> str:
    return _raw(json.dumps(value).encode())


def test_what_the_issuer_has_not_signed(server: EnforcerProcess, issuer: Issuer) -> None:
    """400, whatever is tried, and the victim stays."""
    victim = server.login("victim", idp=idp(issuer, sub="victim"))["session"]
    for name, token in forged(issuer).items():
        assert refused(sent(server, "oidc", token)), name
    assert server.record(victim)["active"]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"nonce": "n"}, id="a nonce"),
        pytest.param({"events": None}, id="no events"),
        pytest.param({"events": {LOGOUT_EVENT: []}}, id="an event that is no object"),
        pytest.param({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}, id="of the future"),
        pytest.param({"exp": int(time.time()) - 60}, id="expired"),
        pytest.param({"exp": None, "iat": int(time.time()) - 400}, id="old, without an end"),
        pytest.param({"aud": "other"}, id="for another"),
        pytest.param({"iss": "https://other.example"}, id="of another"),
        pytest.param({"jti": None}, id="no jti"),
        pytest.param({"sub": None}, id="of nobody"),
    ],
)
def test_tokens_that_say_something_else(server: EnforcerProcess, issuer: Issuer, claims: dict[str, Any]) -> None:
    """Rightly signed, and no logout token for us: `tests/unit/http/test_signal_reading.py` has them all."""
    refused(sent(server, "oidc", issuer.logout_token(**{"sub": "victim", **claims})))


def test_requests_that_are_no_logout(server: EnforcerProcess, issuer: Issuer) -> None:
    """Of another form, too large, with the token twice or in the address; and names that there are not."""
    url, token = f"{server.url}/signals/oidc", issuer.logout_token(sub="x")
    refused(httpx.post(url, json={"logout_token": token}))
    refused(httpx.post(url))
    refused(httpx.post(f"{url}?logout_token={token}", data={"a": "b"}))
    refused(httpx.post(url, data={"other": token}))
    refused(httpx.post(url, data={"logout_token": [token, token]}))
    refused(httpx.post(url, content=b"\xff=\xff", headers={"Content-Type": "application/x-www-form-urlencoded"}))
    refused(httpx.post(url, data={"logout_token": "x" * 70_000}), 413)
    zipped = httpx.post(url, data={"logout_token": token}, headers={"Content-Encoding": "gzip"})
    problem(zipped, 415, "unsupported-media-type")
    problem(httpx.post(f"{server.url}/signals/other", data={"logout_token": token}), 404, "not-found")
    problem(httpx.get(url), 405, "method-not-allowed")
    assert sent(server, "oidc", token, state="s").status_code == 200, "none of it has used it up"


# ---- token revocation ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, KEY + "-new"], ids=["old key", "new key"])
def test_a_revocation_by_key(server: EnforcerProcess, issuer: Issuer, key: str) -> None:
    """By address, by issuer and subject, by alias or room; later logins are told by when they were made."""
    ways = {
        "email": ({"format": "email", "email": "Rita@Example.com"}, {"aliases": ["email:rita@example.COM"]}),
        "iss_sub": ({"format": "iss_sub", "iss": issuer.url, "sub": "rita"}, {}),
        "alias": ({"format": "opaque", "id": "0042"}, {"aliases": ["opaque:0042"]}),
        "room": ({"format": "opaque", "id": f"room{len(key)}"}, {}),
    }
    for name, (sub_id, more) in ways.items():
        room = f"{name}{len(key)}"
        who = idp(issuer, sub="rita")
        session = server.login(room, idp=who, **more)["session"]
        answer = revoked(server, sub_id, key=key)
        assert (answer.status_code, answer.content) == (204, b""), (name, answer.text)
        is_over(server, session, "idp_logout", "okta")
        early, later = ({**who, "sid": None, "auth_time": int(time.time()) + s} for s in (-60, 60))
        problem(server.call("POST", "/v1/sessions", json={"room": room, "idp": early, **more}), 409, "signed-out")
        assert server.call("POST", "/v1/sessions", json={"room": room, "idp": later, **more}).status_code == 201
        assert revoked(server, sub_id, key=key).status_code == 204


def test_revocations_that_are_refused(server: EnforcerProcess) -> None:
    """No key, a wrong one, what is not understood, nobody that is known, nobody that can be."""
    who = {"format": "email", "email": "nobody@example.com"}
    for key in (None, "wrong" * 9, server.authkey, KEY + "-caep"):
        answer = revoked(server, who, key=key)
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    problem(revoked(server, who), 404, "session-unknown")
    problem(revoked(server, {"format": "phone_number", "phone_number": "+1"}), 400, "invalid-request")
    problem(revoked(server, "alice"), 400, "invalid-request")
    problem(revoked(server, {"format": "email", "email": "a" * 400}), 422, "invalid-request")
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{server.url}/signals/okta"
    problem(
        httpx.post(url, content="{", headers={**headers, "Content-Type": "application/json"}), 400, "invalid-request"
    )
    problem(httpx.post(url, data={"sub_id": "x"}, headers=headers), 400, "invalid-request")
    problem(httpx.post(url, json={"sub_id": "x" * 70_000}, headers=headers), 413, "too-large")


def test_a_revocation_that_is_signed(server: EnforcerProcess, issuer: Issuer) -> None:
    """By the issuer, for our audience, once; it speaks of its own people only."""
    mine = {"format": "iss_sub", "iss": issuer.url, "sub": "signed"}
    session = server.login("signed", idp=idp(issuer, sub="signed"))["session"]
    shown = issuer.credential(AUDIENCE)
    problem(revoked(server, {**mine, "iss": "https://other.example"}, "signed", shown), 403, "not-allowed")
    assert revoked(server, mine, "signed", shown).status_code == 204
    is_over(server, session, "idp_logout", "signed")
    problem(revoked(server, mine, "signed", shown), 401, "unauthorized")
    for wrong in (issuer.credential("other"), issuer.credential(AUDIENCE, exp=None), KEY, server.authkey):
        problem(revoked(server, mine, "signed", wrong), 401, "unauthorized")


# ---- events -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [f"{CAEP}session-revoked", f"{CAEP}credential-change", f"{RISC}account-disabled", f"{RISC}sessions-revoked"],
)
def test_an_event_ends_sessions(server: EnforcerProcess, issuer: Issuer, event: str) -> None:
    """202, with the reason `caep`; again it is acknowledged, and does nothing."""
    sub = event.rpartition("/")[2]
    who = {"format": "iss_sub", "iss": issuer.url, "sub": sub}
    session = server.login("events", idp=idp(issuer, sub=sub))["session"]
    token = issuer.event_token(event, who)
    answer = pushed(server, token)
    assert (answer.status_code, answer.content) == (202, b""), answer.text
    is_over(server, session, "caep", "ssf")
    later = server.login("events", idp=idp(issuer, sub=sub, auth_time=int(time.time()) + 9))["session"]
    assert pushed(server, token).status_code == 202
    assert server.record(later)["active"], "a repeat ends nobody"


def test_events_that_end_nothing(server: EnforcerProcess, issuer: Issuer) -> None:
    """The transmitter's test, and what is no business of ours."""
    stream = {"format": "opaque", "id": "stream-1"}
    for event in (f"{SSF}verification", f"{SSF}stream-updated", f"{CAEP}token-claims-change"):
        token = issuer.event_token(event, stream, events={event: {"state": "x"}})
        assert pushed(server, token).status_code == 202


def test_events_that_are_refused(server: EnforcerProcess, issuer: Issuer) -> None:
    """400 with the code of RFC 8935 §2.4."""
    event, who = f"{CAEP}session-revoked", {"format": "email", "email": "a@b.c"}
    claims = issuer.event_claims(event, who)
    cases = {
        "invalid_issuer": issuer.event_token(event, who, iss="https://other.example"),
        "invalid_audience": issuer.event_token(event, who, aud="other"),
        "invalid_key": Key("ES256", issuer.keys[0].kid).signed(claims, typ="secevent+jwt"),
        "invalid_request": issuer.keys[0].signed(claims, typ="JWT"),
    }
    for code, token in cases.items():
        answer = pushed(server, token)
        assert (answer.status_code, answer.json()["err"]) == (400, code), answer.text
        assert answer.json().keys() == {"err", "description"}
    plain = pushed(server, issuer.event_token(event, who), **{"Content-Type": "text/plain"})
    assert (plain.status_code, plain.json()["err"]) == (400, "invalid_request")
    token = issuer.event_token(event, who)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {KEY}"}):
        answer = pushed(server, token, "guarded", **headers)
        assert (answer.status_code, answer.json()["err"]) == (400, "authentication_failed")
    assert pushed(server, token, "guarded", Authorization=f"Bearer {KEY}-caep").status_code == 202


def test_it_is_counted(server: EnforcerProcess, issuer: Issuer) -> None:
    """By signal and outcome."""
    sid = server.record(server.login("counted", idp={"iss": issuer.url, "sub": "c", "sid": "c"})["session"])["idp"][
        "sid"
    ]
    for outcome in ("ended", "nothing"):
        assert sent(server, "oidc", issuer.logout_token(sid=sid)).status_code == 200, outcome
    metrics = server.call("GET", "/metrics").text
    for outcome in ("ended", "nothing", "unknown", "refused", "repeated"):
        assert f'enforcer_signals_total{{name="oidc",outcome="{outcome}"}}' in metrics, outcome


# ---- keys ---------------------------------------------------------------------------------------


def redirects(request: BaseHTTPRequestHandler) -> None:
    """Leads to the keys, by another way."""
    say(request, {}, 302, Location="/keys")


def ten_megabytes(request: BaseHTTPRequestHandler) -> None:
    """Keys, and much more."""
    say(request, b'{"keys": [], "more": "' + b"x" * 10_000_000 + b'"}')


def hangs(request: BaseHTTPRequestHandler) -> None:
    """Says nothing for longer than anybody waits."""
    time.sleep(8)


def test_keys_that_cannot_be_had(tmp_path: Path) -> None:
    """503, which uses up nothing: a redirect, far too much, no JSON, another issuer's document, silence. An issuer that
    hangs keeps nobody else. Once the keys are there, the same token is taken."""
    with Issuer() as away, Issuer() as well:
        broken: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
            "redirect": redirects,
            "large": ten_megabytes,
            "no JSON": lambda request: say(request, b"<html>"),
            "no keys": lambda request: say(request, {"keys": "none"}),
            "error": lambda request: say(request, {}, 500),
        }
        signals = {
            name: {"kind": "backchannel-logout", "client_id": "app", "issuer": one.url, "allow_http": True}
            for name, one in (("away", away), ("well", well))
        }
        with EnforcerProcess(tmp_path / "enforcer", signals=signals) as server:
            session = server.login("alice", idp=idp(away, sub="a"))["session"]
            token = away.logout_token(sub="a")
            other = {
                "/.well-known/openid-configuration": lambda r: say(r, {"issuer": "x", "jwks_uri": f"{away.url}/keys"})
            }
            for name, answer in broken.items():
                away.answers = {"/keys": answer}
                assert refused(sent(server, "away", token), 503), name
            away.answers = other
            refused(sent(server, "away", token), 503)
            away.answers = {"/keys": hangs}
            with httpx.Client(timeout=15) as http:
                began = time.monotonic()
                hung = [_in_thread(http, server, token) for _ in range(3)]
                until(lambda: away.asked.count("/keys") > 5)
                assert sent(server, "well", well.logout_token(sub="b")).status_code == 200
                assert server.login("bob")["session"]
                assert time.monotonic() - began < 3, "nobody else has waited"
                assert [answer().status_code for answer in hung] == [503] * 3
            away.answers = {}
            assert server.record(session)["active"]
            assert sent(server, "away", token).status_code == 200
            is_over(server, session, "idp_logout", "away")
            rotated(server, away)
            assert "see `enforcer doctor`" in server.read_log()


def _in_thread(http: httpx.Client, server: EnforcerProcess, token: str) -> Callable[[], httpx.Response]:
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(1)
    future = pool.submit(http.post, f"{server.url}/signals/away", data={"logout_token": token})
    pool.shutdown(wait=False)
    return future.result


def rotated(server: EnforcerProcess, issuer: Issuer) -> None:
    """A new key is asked for when the first token comes that it has signed, and the next unknown one is not."""
    asked = issuer.asked.count("/keys")
    issuer.keys = [Key("EdDSA")]
    assert sent(server, "away", issuer.logout_token(sub="b")).status_code == 200
    assert issuer.asked.count("/keys") == asked + 1
    for _ in range(3):
        refused(sent(server, "away", Key("ES256").signed(issuer.logout_claims(sub="a"))))
    assert issuer.asked.count("/keys") == asked + 1


# ---- nodes --------------------------------------------------------------------------------------


def test_two_nodes_are_one(tmp_path: Path, redis_server: RedisServer, open_ws: Opener, room: str) -> None:
    """A signal on one of them ends the sessions of the other, whose page goes at once; neither takes the same message
    again, and both refuse a login that it has overtaken."""
    with Issuer() as issuer:
        own = {"kind": "backchannel-logout", "client_id": "app", "issuer": issuer.url, "allow_http": True}
        usual: dict[str, Any] = {"store": redis_server.url, "signals": {"oidc": own}}
        with EnforcerProcess(tmp_path / "here", **usual) as here, EnforcerProcess(tmp_path / "there", **usual) as there:
            who = idp(issuer, sub=room)
            login = here.login(room, idp=who)
            page = open_ws(here, auth={"ticket": login["ticket"]})
            page.joined()
            token = issuer.logout_token(sub=room)
            assert sent(there, "oidc", token).status_code == 200
            assert page.take("force-logout")["reason"] == "idp_logout"
            is_over(here, login["session"], "idp_logout", "oidc")
            for node in (here, there):
                refused(sent(node, "oidc", token))
                early = {"room": room, "idp": {**who, "auth_time": who["auth_time"] - 60}}
                problem(node.call("POST", "/notify", json=early), 409, "signed-out")
