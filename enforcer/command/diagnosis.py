"""What `enforcer doctor` makes of what it has found: what is well, what is to be mended, and how. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

CLOCKS_APART = 5.0
"""Seconds by which two clocks may differ."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    MEND = "mend"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do, if there is anything."""

    level: Level
    about: str
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question: a status with what was said, or an error in words."""

    status: int | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def code(self) -> str | None:
        """The code of one of our problem documents."""
        code = self.document.get("code")
        return code if isinstance(code, str) else None


@dataclass(frozen=True, slots=True)
class Server:
    """The running server, asked directly, at `now` by the clock of whoever asks (UTC seconds).

    `key` is the answer to a call with the authkey, `seen` to `/session/seen`.
    """

    url: str
    now: float
    health: Answer
    ready: Answer = Answer()
    description: Answer = Answer()
    key: Answer = Answer()
    seen: Answer = Answer()


def of_server(s: Server, version: str) -> Iterator[Finding]:
    """Does it run, is it ours, does its store answer, has it this key, do the clocks agree."""
    if s.health.error is not None:
        yield Finding(
            Level.MEND,
            "server",
            f"{s.url} cannot be reached: {s.health.error}",
            "start it, or give its address with --url; a container or firewall may be between",
        )
        return
    if s.health.status != 200 or s.health.document.get("status") != "ok":
        yield Finding(
            Level.MEND,
            "server",
            f"{s.url}/healthz answers {s.health.status}, which is not Enforcer",
            "something else has the port, or a proxy answers: give the server's own address with --url",
        )
        return
    yield from _of_version(s, version)
    if s.ready.status == 200:
        yield Finding(Level.OK, "store", "the store answers")
    else:
        yield Finding(
            Level.MEND,
            "store",
            "the store does not answer: every login is 503",
            "`enforcer check-config` looks at it from here; the server's log says why; a full disk is one cause",
        )
    if s.key.status == 401:
        yield Finding(
            Level.MEND,
            "key",
            "the server does not know the authkey of this configuration",
            "use the configuration that the server runs with, and reload it (SIGHUP) after a change of the key",
        )
    elif s.key.status == 429:
        yield Finding(Level.MEND, "key", "the server refuses this address after wrong keys", "mend who shows them")
    elif s.key.status == 200:
        yield Finding(Level.OK, "key", "the authkey of this configuration is the server's")
    yield from _of_clocks(s)


def _of_version(s: Server, version: str) -> Iterator[Finding]:
    told = s.description.document.get("info")
    runs = told.get("version") if isinstance(told, dict) else None
    if runs == version:
        yield Finding(Level.OK, "server", f"Enforcer {version} answers at {s.url}")
    else:
        yield Finding(
            Level.MEND,
            "server",
            f"Enforcer {runs or 'of an unknown version'} runs at {s.url}, and {version} is installed here",
            "restart the server, or ask with its own version",
        )


def _of_clocks(s: Server) -> Iterator[Finding]:
    clock, store = s.seen.document.get("clock"), s.seen.document.get("store_clock")
    if not isinstance(clock, int | float) or not isinstance(store, int | float):
        return
    for name, apart in (("this machine's", abs(clock - s.now)), ("the store's", abs(clock - store))):
        if apart > CLOCKS_APART:
            yield Finding(
                Level.MEND,
                "clock",
                f"the server's clock and {name} are {apart:.0f} s apart",
                "run NTP (chrony, systemd-timesyncd) on both: tickets and signals are judged by it",
            )
            return
    yield Finding(Level.OK, "clock", "the clocks agree")


@dataclass(frozen=True, slots=True)
class Outside:
    """The same server from outside, through whatever is before it.

    `seen` is the answer to `/session/seen`; `opening` to a WebSocket that a page of this origin would open; `inside`
    are the answers without a key at addresses that are for applications.
    """

    url: str
    seen: Answer
    opening: Answer = Answer()
    inside: Mapping[str, Answer] = field(default_factory=dict)


OURS = frozenset({"unauthorized", "rate-limited", "credentials-in-url", "unsupported-media-type"})
"""Codes by which it shows that a call has reached us."""


def of_outside(o: Outside) -> Iterator[Finding]:
    """What the proxy passes on, and what it should not."""
    if o.seen.error is not None:
        certificate = "certificate" in o.seen.error.lower()
        yield Finding(
            Level.MEND,
            "proxy",
            f"{o.url} cannot be reached: {o.seen.error}",
            "renew or complete the certificate" if certificate else "look at the name, the port, and the proxy itself",
        )
        return
    yield from _of_passing(o)
    yield from _of_opening(o)
    open_doors = sorted(path for path, answer in o.inside.items() if answer.code in OURS)
    if open_doors:
        yield Finding(
            Level.MEND,
            "proxy",
            f"{' and '.join(open_doors)} can be reached from outside",
            "pass on only /socket.io/, /session/ and /client/ (and /signals/ where providers send them); "
            "applications ask from inside",
        )
    elif o.inside:
        yield Finding(Level.OK, "proxy", "the calls of applications cannot be reached from outside")


def _of_passing(o: Outside) -> Iterator[Finding]:
    seen = o.seen.document
    if o.seen.code == "misdirected":
        yield Finding(
            Level.MEND,
            "proxy",
            f"the server does not answer for {urlsplit(o.url).hostname}, or for the Host that the proxy makes of it",
            f"add {urlsplit(o.url).hostname!r} to `hostnames`, and let the Host of the request arrive",
        )
        return
    if o.seen.status != 200 or "host" not in seen:
        yield Finding(
            Level.MEND,
            "proxy",
            f"{o.url}/session/seen answers {o.seen.status}, not with what the server has seen",
            "pass /session/ on to this server, with its Authorization header and uncached",
        )
        return
    wanted = urlsplit(o.url).hostname
    if urlsplit(f"//{seen['host']}").hostname != wanted:  # whatever the port, as for `same-host`
        yield Finding(
            Level.MEND,
            "proxy",
            f"the Host that arrives is {str(seen['host'])[:100]!r}, not {wanted!r}",
            "nginx: proxy_set_header Host $http_host; with another one `same-host` is the wrong host",
        )
    else:
        yield Finding(Level.OK, "proxy", "Host arrives")
    if not seen.get("forwarded"):
        yield Finding(
            Level.MEND,
            "proxy",
            "X-Forwarded-For does not arrive: all visitors have the proxy's address, and share their limits",
            "nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; then list it in trusted_proxies",
        )
    elif not seen.get("trusted"):
        yield Finding(
            Level.MEND,
            "proxy",
            f"X-Forwarded-For arrives from {seen.get('peer')}, which is not believed",
            f"add {seen.get('peer')}, or its network, to trusted_proxies",
        )
    else:
        yield Finding(Level.OK, "proxy", f"X-Forwarded-For arrives: you come from {seen.get('address')}")


def _of_opening(o: Outside) -> Iterator[Finding]:
    origin = f"{urlsplit(o.url).scheme}://{urlsplit(o.url).netloc}"
    if o.opening.status == 101:
        yield Finding(Level.OK, "proxy", "Upgrade arrives: pages can open WebSockets")
    elif o.opening.code == "origin-not-allowed":
        yield Finding(
            Level.MEND,
            "proxy",
            f"pages of {origin} may not connect",
            f"add {origin!r} to `origins`, or let the Host of the request arrive if they are `same-host`",
        )
    else:
        told = o.opening.error or f"answers {o.opening.status}"
        yield Finding(
            Level.MEND,
            "proxy",
            f"a WebSocket at {o.url}/socket.io/ does not open: it {told}",
            "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; and Connection, likewise",
        )


@dataclass(frozen=True, slots=True)
class Application:
    """A page of the application behind the proxy that shows what headers came, asked by a visitor with a live session
    who sends identity headers of its own. `shows_identity`: it shows the right one; `shows_spoofed`: the other."""

    url: str
    answer: Answer
    shows_identity: bool
    shows_spoofed: bool


def of_application(a: Application) -> Iterator[Finding]:
    """Does an identity header that a browser makes up survive."""
    if a.answer.error is not None:
        yield Finding(Level.MEND, "identity", f"{a.url} cannot be reached: {a.answer.error}", "look at the address")
    elif a.shows_spoofed:
        yield Finding(
            Level.MEND,
            "identity",
            "an identity header that the visitor made up reaches the application: anybody can be anybody",
            "delete X-Enforcer-Session, X-Enforcer-Room and X-Enforcer-Slot of every request before they are set; "
            "the recipes in docs/integrations/proxies.md do",
        )
    elif a.shows_identity:
        yield Finding(Level.OK, "identity", "the proxy replaces identity headers that a visitor makes up")
    else:
        yield Finding(
            Level.NOTE,
            "identity",
            f"{a.url} answers {a.answer.status} and does not show which headers it got, so nothing can be said",
            "give an address behind /forward-auth whose page shows the X-Enforcer- headers",
        )


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """What an issuer of the setting `signals` publishes: how many keys, and how many can be used here."""

    name: str
    published: int = 0
    usable: int = 0
    error: str | None = None


def of_issuers(issuers: Sequence[IssuerKeys]) -> Iterator[Finding]:
    """Can its signatures be judged."""
    for i in issuers:
        if i.error is not None:
            yield Finding(
                Level.MEND,
                "signals",
                f"{i.name}: its issuer's keys cannot be had: {i.error}",
                "let this machine reach the issuer over https, write it as it describes itself, or set jwks_uri",
            )
        elif not i.usable:
            yield Finding(
                Level.MEND,
                "signals",
                f"{i.name}: none of the {i.published} keys of its issuer can be used",
                "let it sign with RS256, PS256, ES256 or EdDSA, by RSA keys of 2,048 bits and more",
            )
        else:
            yield Finding(Level.OK, "signals", f"{i.name}: its issuer publishes {i.usable} keys that can be used")
