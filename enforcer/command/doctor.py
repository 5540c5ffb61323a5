"""`enforcer doctor`: asks the running server, what is before it and what it depends on, and says what to mend."""

import argparse
import asyncio
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from enforcer import __version__
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
from enforcer.command.printing import print_json
from enforcer.configuration.settings import Settings
from enforcer.domain.errors import EnforcerError, KeysUnavailable
from enforcer.process.listening import local_url
from enforcer.process.terminal import plain
from enforcer.tickets import DOCTOR, TicketKeys

WITHIN = 5.0
"""Seconds for each answer."""
LARGEST = 256 * 1024
"""Bytes of an answer that are read."""
TO_MEND = 1
"""The exit status if there is something."""
SIGNS = {Level.OK: "ok  ", Level.NOTE: "note", Level.MEND: "MEND"}
ROOM = "enforcer-doctor"
"""Who logs in for a moment, where the identity headers are looked at."""
HEADERS = ("X-Enforcer-Session", "X-Enforcer-Room", "X-Enforcer-Slot")


def diagnose(settings: Settings, arguments: argparse.Namespace) -> int:
    """Looks at everything that was named, and prints what was found; the exit status."""
    findings = list(_findings(settings, arguments))
    if arguments.json:
        print_json([{k: getattr(f, k) for k in ("level", "about", "text", "remedy")} for f in findings])
    else:
        for f in findings:
            print(f"{SIGNS[f.level]}  {f.about}: {plain(f.text)}")
            if f.remedy is not None:
                print(f"        {plain(f.remedy)}")
    return TO_MEND if any(f.level is Level.MEND for f in findings) else 0


def _findings(settings: Settings, arguments: argparse.Namespace) -> Iterator[Finding]:
    inside = _address(arguments.url or local_url(*(settings.internal or (settings.ipaddr, settings.port)))).rstrip("/")
    yield from of_server(_server(inside, settings), __version__)
    if arguments.public is None:
        yield Finding(Level.NOTE, "proxy", "not looked at", "give the address that browsers use with --public")
    else:
        yield from of_outside(_outside(_address(arguments.public).rstrip("/"), settings))
    if arguments.app is not None:
        yield from of_application(_application(_address(arguments.app), inside, settings))
    yield from of_issuers(asyncio.run(_issuers(settings)))


def _server(url: str, settings: Settings) -> Server:
    own = _own_name(settings)
    key = {"Authorization": f"Bearer {settings.authkeys[0]}", **own}
    health = _asked(url, "/healthz")
    if health.error is not None:
        return Server(url, time.time(), health)
    return Server(
        url,
        time.time(),
        health,
        _asked(url, "/readyz"),
        _asked(url, "/openapi.json", own, largest=4 * LARGEST),
        _asked(url, "/v1/sessions?limit=1", key),
        _asked(url, "/session/seen", {**_ticket(settings), **own}),
    )


def _own_name(settings: Settings) -> dict[str, str]:
    """A name under which the server answers, whatever address it is asked at; see `hostnames`."""
    return {} if settings.hostnames is None else {"Host": settings.hostnames[0]}


def _outside(url: str, settings: Settings) -> Outside:
    seen = _asked(url, "/session/seen", _ticket(settings))
    if seen.error is not None:
        return Outside(url, seen)
    split = urlsplit(url)
    opening = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "ZW5mb3JjZXIgZG9jdG9yIQ==",
        "Origin": f"{split.scheme}://{split.netloc}",
    }
    return Outside(
        url,
        seen,
        _asked(url, "/socket.io/?EIO=4&transport=websocket", opening),
        {
            "/v1/": _asked(url, "/v1/sessions"),
            "/notify": _asked(url, "/notify", {"Content-Type": "application/json"}, b"{}"),
            "/metrics": _asked(url, "/metrics"),
        },
    )


def _application(url: str, inside: str, settings: Settings) -> Application:
    """As a visitor who is logged in, for as long as it takes."""
    key = {
        "Authorization": f"Bearer {settings.authkeys[0]}",
        "Content-Type": "application/json",
        **_own_name(settings),
    }
    room, spoofed = f"{ROOM}-{secrets.token_hex(4)}", f"spoofed-{secrets.token_hex(8)}"
    login = _asked(inside, "/v1/sessions", key, json.dumps({"room": room}).encode())
    session, ticket = login.document.get("session"), login.document.get("proxy_ticket")
    cookie = "enforcer_proxy" if settings.forward_auth is None else settings.forward_auth.cookie
    headers = {**dict.fromkeys(HEADERS, spoofed), "Cookie": f"{cookie}={ticket}"}
    split = urlsplit(url)
    try:
        query = f"?{split.query}" if split.query else ""
        answer, text = _fetched(f"{split.scheme}://{split.netloc}", f"{split.path or '/'}{query}", headers)
    finally:
        if isinstance(session, str):
            _asked(inside, f"/v1/sessions/{session}", key, method="DELETE")
    return Application(url, answer, room in text, spoofed in text)


async def _issuers(settings: Settings) -> Sequence[IssuerKeys]:
    from enforcer.http.signals.receivers import Receivers  # which loads aiohttp

    receivers = Receivers(settings.signals, time.monotonic)
    found = []
    try:
        for name in settings.signals:
            receiver = receivers.called(name)
            if receiver is None or receiver.issuer is None:
                continue
            try:
                keys = await receiver.issuer.learn()
            except KeysUnavailable as e:
                found.append(IssuerKeys(name, error=str(e)))
                continue
            found.append(IssuerKeys(name, len(keys), _usable(keys)))
    finally:
        await receivers.close()
    return found


def _usable(keys: Sequence[Mapping[str, Any]]) -> int:
    from enforcer.http.signals.signatures import usable  # needs the extra `signals`

    return sum(map(usable, keys))


# ---- asking -------------------------------------------------------------------------------------


def _address(text: str) -> str:
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).netloc:
        raise EnforcerError("an address begins with http:// or https://")
    return text


def _ticket(settings: Settings) -> dict[str, str]:
    ticket = TicketKeys(settings.authkeys).sign(DOCTOR, "doctor", secrets.token_hex(8), time.time(), None)
    return {"Authorization": f"Bearer {ticket}"}


def _asked(
    url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    method: str | None = None,
    largest: int = LARGEST,
) -> Answer:
    """What this address answers, as JSON if it is; no redirect is followed."""
    return _fetched(url, path, headers, body, method=method, largest=largest)[0]


def _fetched(
    url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    method: str | None = None,
    largest: int = LARGEST,
) -> tuple[Answer, str]:
    split = urlsplit(url)
    connection: http.client.HTTPConnection
    if split.scheme == "https":
        connection = http.client.HTTPSConnection(split.netloc, timeout=WITHIN, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(split.netloc, timeout=WITHIN)
    try:
        connection.request(method or ("GET" if body is None else "POST"), split.path + path, body, dict(headers or {}))
        answer = connection.getresponse()
        raw = b"" if answer.status == http.HTTPStatus.SWITCHING_PROTOCOLS else answer.read(largest)
    except (OSError, http.client.HTTPException, ValueError) as e:
        return Answer(error=str(e) or type(e).__name__), ""
    finally:
        connection.close()
    text = raw.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    return Answer(answer.status, document if isinstance(document, dict) else {}), text
