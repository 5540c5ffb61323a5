"""`POST /signals/{name}`: identity providers say that sessions are over. Each kind has its own requests and answers.

What is wrong is always said in full, and then nothing was done. 503 means: say it again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qs

import orjson
from aiohttp import web

from enforcer.api import parsing
from enforcer.api.context import CONTEXT, Context
from enforcer.api.guard import bearer
from enforcer.domain.errors import KeysUnavailable, StoreUnavailable
from enforcer.domain.signals import Signal
from enforcer.http.problems import RETRY_AFTER, Problem, rate_limited, unauthorized
from enforcer.http.signals.reading import Foreign, Notice, Unacceptable, Unusable
from enforcer.http.signals.receivers import NotAuthenticated, Receiver
from enforcer.usecases.signals import Outcome, TooManyUnknown

log = logging.getLogger(__name__)

SIGNALS = "/signals/"
LARGEST = 64 * 1024
"""Bytes of a message."""
FORM, SET = "application/x-www-form-urlencoded", "application/secevent+jwt"
_TOO_MANY = "too many signals speak of somebody who is not known here"
_NOT_TAKEN = "a signal of an identity provider was not taken"
_KEYS_AWAY = "an issuer's keys cannot be had, so its signals are not taken: see `enforcer doctor`"

Problems = Callable[[int, str, str], web.Response]
"""An error in the form of its kind: a status, a code and what is wrong."""


async def receive(request: web.Request) -> web.Response:
    """One message of the signal that the path names."""
    context = request.app[CONTEXT]
    receiver = context.receivers.called(request.match_info["name"])
    if receiver is None:
        raise web.HTTPNotFound
    refused = context.authkeys.refused(context.client_ip(request))
    if refused is not None:
        raise rate_limited(refused)
    kind = receiver.setting.kind
    try:
        return await _KINDS[kind](request, context, receiver)
    except _Answered as answered:
        return answered.response
    except Exception as error:
        return _failed(context, receiver, error, _PROBLEMS[kind])


class _Answered(Exception):
    """The answer is known already."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


def _failed(context: Context, receiver: Receiver, error: Exception, problem: Problems) -> web.Response:
    """What every kind does about what is not its sender's fault; anything else goes on."""
    name = receiver.name
    match error:
        case StoreUnavailable():
            _count(context, name, "unavailable")
            answer = problem(503, "temporarily_unavailable", "the store does not answer; send it again")
        case KeysUnavailable():
            _count(context, name, "unavailable")
            context.notices.warn(f"keys {name}", _KEYS_AWAY, signal=name, error=str(error))
            answer = problem(503, "temporarily_unavailable", "the issuer's keys cannot be had now; send it again")
        case TooManyUnknown():
            _count(context, name, "limited")
            answer = problem(429, "temporarily_unavailable", _TOO_MANY)
            answer.headers["Retry-After"] = str(max(1, round(error.wait + 0.5)))
            return answer
        case _:
            raise error
    answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


# ---- the kinds ----------------------------------------------------------------------------------


async def _logout(request: web.Request, context: Context, receiver: Receiver) -> web.Response:
    """OpenID Connect Back-Channel Logout 1.0 §2.5 and §2.8: 200 once nothing of it is live."""
    try:
        if request.content_type != FORM:
            raise Unacceptable(f"send the token as {FORM}")
        signal = await receiver.logout(_logout_token(await _body(request, _oauth_problem)), context.registry.now())
        if await _taken(request, context, receiver, signal) is Outcome.REPEATED:
            raise Unacceptable("this token was taken before: its `jti` is not new")
    except Unacceptable as e:
        return _refused(request, context, receiver, e, _oauth_problem(400, "invalid_request", str(e)))
    return web.Response(headers=_NO_STORE)


def _logout_token(raw: bytes) -> str:
    try:
        form = parse_qs(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=16)
    except ValueError:
        raise Unacceptable("the body is no form") from None
    tokens = form.get("logout_token", [])
    if len(tokens) != 1:
        raise Unacceptable("the form must have one `logout_token`")
    return tokens[0]


async def _revocation(request: web.Request, context: Context, receiver: Receiver) -> web.Response:
    """Global Token Revocation: 204; 404 where no session of the subject is known, which holds all the same for logins
    that are on their way."""
    now = context.registry.now()
    try:
        once = await receiver.caller(bearer(request), now)
    except NotAuthenticated as e:
        return _refused(request, context, receiver, e, unauthorized(str(e)).response())
    try:
        parsing.refuse_encoded(request)
        if request.content_type != "application/json":
            raise Unacceptable("send the body as application/json")
        signal = replace(receiver.revocation(_object(await _body(request, _problem)), now), once=once)
    except Unacceptable as e:
        return _said(context, receiver, e, _problem(400, "invalid-request", str(e)))
    except Foreign as e:
        return _said(context, receiver, e, Problem("not-allowed", str(e)).response())
    except Unusable as e:
        return _said(context, receiver, e, _problem(422, "invalid-request", str(e)))
    match await _taken(request, context, receiver, signal):
        case Outcome.REPEATED:
            why = NotAuthenticated("this credential was shown before: its `jti` is not new")
            return _said(context, receiver, why, unauthorized(str(why)).response())
        case Outcome.UNKNOWN:
            return Problem("session-unknown", "no session of this subject is known").response()
    return web.Response(status=204, headers=_NO_STORE)


def _object(raw: bytes) -> Mapping[str, object]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Unacceptable("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Unacceptable("the body must be a JSON object")
    return value


async def _event(request: web.Request, context: Context, receiver: Receiver) -> web.Response:
    """RFC 8935 §2.2 and §2.3. One that was taken before is acknowledged again: its sender has not heard of it."""
    try:
        if request.content_type != SET:
            raise Unacceptable(f"send the token as {SET}")
        raw = await _body(request, _set_problem)
        try:
            token = raw.decode("ascii").strip()
        except UnicodeDecodeError:
            raise Unacceptable("the body is no token") from None
        said = await receiver.event(token, bearer(request), context.registry.now())
    except Unacceptable as e:
        return _refused(request, context, receiver, e, _set_problem(400, e.code, str(e)))
    if isinstance(said, Notice):
        log.info("an event that ends nothing", extra={"signal": receiver.name, "event": said.event})
        _count(context, receiver.name, "ignored")
    else:
        await _taken(request, context, receiver, said)
    return web.Response(status=202, headers=_NO_STORE)


_KINDS: Mapping[str, Callable[[web.Request, Context, Receiver], Awaitable[web.Response]]] = {
    "backchannel-logout": _logout,
    "token-revocation": _revocation,
    "caep": _event,
}


# ---- what they share ----------------------------------------------------------------------------

_NO_STORE = {"Cache-Control": "no-store"}


async def _body(request: web.Request, problem: Problems) -> bytes:
    """The body. `Problem` says no to one that is encoded or slow, `_Answered` to one that is too large."""
    parsing.refuse_encoded(request)
    raw = bytearray()
    try:
        async with asyncio.timeout(parsing.BODY_WITHIN):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > LARGEST:
                    raise _Answered(problem(413, "invalid_request", f"at most {LARGEST} bytes"))
    except TimeoutError:
        raise Problem("too-slow", f"the body did not arrive within {parsing.BODY_WITHIN:g} s") from None
    except parsing.BROKEN_OFF:
        raise Problem("malformed-request", "the body broke off, or its chunks are not valid HTTP/1.1") from None
    return bytes(raw)


async def _taken(request: web.Request, context: Context, receiver: Receiver, signal: Signal) -> Outcome:
    outcome = await context.signals.take(signal)
    if outcome is not Outcome.REPEATED:  # which anybody may have who has seen it
        context.authkeys.accepted(context.client_ip(request))
    _count(context, receiver.name, outcome)
    log.info("signal", extra={"signal": receiver.name, "outcome": outcome})
    return outcome


def _refused(
    request: web.Request, context: Context, receiver: Receiver, why: Exception, answer: web.Response
) -> web.Response:
    """Somebody who may be anybody: counts as a wrong key of the address."""
    context.authkeys.failed(context.client_ip(request))
    return _said(context, receiver, why, answer)


def _said(context: Context, receiver: Receiver, why: Exception, answer: web.Response) -> web.Response:
    """The log says so, once a minute and reason; the reasons are texts of ours."""
    _count(context, receiver.name, "refused")
    context.notices.warn(f"signal {receiver.name} {why}", _NOT_TAKEN, signal=receiver.name, why=str(why))
    return answer


def _count(context: Context, name: str, outcome: str) -> None:
    context.metrics.signals[name, str(outcome)].inc()


def _oauth_problem(status: int, code: str, why: str) -> web.Response:
    """RFC 6749 §5.2, as back-channel logout has it."""
    return _json(status, {"error": code, "error_description": why})


def _set_problem(status: int, code: str, why: str) -> web.Response:
    """RFC 8935 §2.3."""
    return _json(status, {"err": code, "description": why})


def _json(status: int, document: Mapping[str, str]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json", headers=_NO_STORE)


_CODES = {413: "too-large", 429: "rate-limited", 503: "unavailable"}


def _problem(status: int, code: str, why: str) -> web.Response:
    """A problem document, as everywhere else here."""
    return Problem(_CODES.get(status, code), why, status=status).response()


_PROBLEMS: Mapping[str, Problems] = {
    "backchannel-logout": _oauth_problem,
    "token-revocation": _problem,
    "caep": _set_problem,
}

ROUTES = (web.post(SIGNALS + "{name}", receive),)
