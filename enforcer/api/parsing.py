"""Reads bodies and query strings, and says what is wrong with them; `bodies` has the models."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from enforcer import protocol
from enforcer.api.bodies import DeviceBody, IdentityBody
from enforcer.configuration.reading import did_you_mean
from enforcer.http.problems import Problem, invalid

MAX_BODY = 16 * 1024
"""Bytes of a request body."""

BODY_WITHIN = 10.0
"""Seconds for a request body to arrive."""

BROKEN_OFF = (ConnectionError, HttpProcessingError, web.RequestPayloadError)
"""What reading a body raises when its client leaves or sends chunks that are none."""


def moment(name: str, text: str | None) -> float | None:
    """ISO 8601 with an offset or Z, as UTC seconds.

    Raises:
        Problem: `invalid-request`.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # a + that was not encoded arrives as a space
        if at.tzinfo is None:
            raise ValueError
        return at.timestamp()
    except (ValueError, OverflowError):
        raise invalid([(name, "must be a time like 2026-11-21T08:30:00Z")]) from None


M = TypeVar("M", bound=BaseModel)


async def read_json(request: web.Request, *, optional: bool = False) -> dict[str, Any]:
    """The body as a JSON object, judged in the order of the API: media type, size, JSON.

    With `optional`, a request without a body counts as `{}`.

    Raises:
        Problem: `unsupported-media-type`, `too-large`, `too-slow`, `malformed-json` or `invalid-request`.
    """
    if optional and not request.body_exists:
        refuse_encoded(request)
        return {}
    return _object(await _raw(request, "application/json"))


async def read_form(request: web.Request) -> dict[str, str]:
    """The body as the fields of a form, each once at most; otherwise as `read_json`."""
    raw = await _raw(request, "application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise invalid([("body", "is not a form in UTF-8")]) from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise invalid([("body", "has a field more than once")])
    return fields


async def _raw(request: web.Request, media_type: str) -> bytes:
    refuse_encoded(request)
    if request.content_type != media_type:
        raise Problem("unsupported-media-type", f"send the body as Content-Type: {media_type}")
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise Problem("too-large", f"at most {MAX_BODY} bytes")
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.read()  # the application's limit holds for bodies without a length
    except TimeoutError:
        raise Problem("too-slow", f"the body did not arrive within {BODY_WITHIN:g} s") from None
    except BROKEN_OFF:
        raise Problem("malformed-request", "the body broke off, or its chunks are not valid HTTP/1.1") from None


def refuse_encoded(request: web.Request) -> None:
    """Nothing is unpacked here: a few bytes could become very many.

    Raises:
        Problem: `unsupported-media-type` for a request with any `Content-Encoding`, before its body is read.
    """
    if "Content-Encoding" in request.headers:
        raise Problem("unsupported-media-type", "send the body as it is, without Content-Encoding")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = _second_opinion(raw)
    else:
        if isinstance(value, dict) and isinstance(value.get("room"), float):  # or an integer of more than 64 bits
            value = _second_opinion(raw)
    if not isinstance(value, dict):
        raise invalid([("body", "must be a JSON object")])
    return value


def _second_opinion(raw: bytes) -> Any:
    """Lone surrogates are grammatical JSON, so they are a wrong value (422), not malformed (400) as orjson has it."""
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Problem("malformed-json", "the body is not JSON") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def validated(model: type[M], members: Mapping[str, Any]) -> M:
    """The members as the model.

    Raises:
        Problem: `invalid-request` with each field that is wrong.
    """
    try:
        return model.model_validate(dict(members))
    except ValidationError as error:
        raise invalid([_sentence(model, e) for e in error.errors(include_url=False, include_input=False)]) from None


def query(model: type[M], request: web.Request) -> M:
    """The query string as the model; each parameter at most once."""
    repeated = [(name, "given more than once") for name in set(request.query) if len(request.query.getall(name)) > 1]
    if repeated:
        raise invalid(repeated)
    return validated(model, request.query)


def with_query(model: type[M], allowed: type[BaseModel], request: web.Request, members: Mapping[str, Any]) -> M:
    """The body as the model, where what the GET form takes in the query may stand in the query here, too."""
    asked = query(allowed, request).model_dump(by_alias=True, exclude_none=True)
    given = {name: value for name, value in members.items() if value is not None or name not in asked}
    if both := [n for n, value in asked.items() if n in given and protocol.room_text(given[n]) != value]:
        raise invalid([(name, "differs between the body and the query") for name in both])
    return validated(model, {**asked, **given})


def _sentence(model: type[BaseModel], error: Mapping[str, Any]) -> tuple[str, str]:
    field = ".".join(str(part) for part in error["loc"]) or "body"
    if error["type"] == "extra_forbidden":
        known = [f.alias or name for name, f in model.model_fields.items()]
        if len(error["loc"]) > 1:
            inner = IdentityBody if error["loc"][0] == "idp" else DeviceBody
            known = [f.alias or name for name, f in inner.model_fields.items()]
        return field, "is not known" + did_you_mean(str(error["loc"][-1]), known)
    return field, str(error["msg"]).removeprefix("Value error, ")
