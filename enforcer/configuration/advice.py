"""What deserves a second thought in a configuration that can be read: `warnings` at each start, `preflight` before one.

`preflight` looks at this machine as a start would, and leaves nothing behind.
"""

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from enforcer.configuration.reading import did_you_mean
from enforcer.configuration.settings import ENV_PREFIX, Settings
from enforcer.configuration.webhooks import Webhook
from enforcer.domain.rules import Limits
from enforcer.process.cores import usable_cores
from enforcer.process.listening import try_to_listen, why_not_listening
from enforcer.store.redis.address import is_redis, redis_address
from enforcer.webhooks.addresses import is_public

ELSEWHERE = frozenset({"ENFORCER_URL"})
"""Variables in our name that are for applications: where they find the server."""
SHORTEST_WARNING = 20.0
"""Seconds that WCAG 2.2.1 asks for."""
REPEATED_AFTER = 3.0
"""Seconds after which the news of an end is repeated for the last time."""
SHORTEST_GRACE = 20.0
"""Seconds that `deploy/enforcer.service` gives a stop; other platforms give 10 (Docker) or 30 (Kubernetes)."""
END_WITHIN = 10.0
"""Seconds of a stop without its drain."""
WITHIN = 2.0
"""Seconds that a Redis has to answer."""


def warnings(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """What works but deserves a second thought; `enforcer check-config` and the start say it."""
    return [
        *_environment(os.environ if environ is None else environ),
        *_contradictions(settings),
        *_doors(settings),
    ]


def _environment(environ: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(environ):
        setting = name.removeprefix(ENV_PREFIX).lower()
        if name.startswith(ENV_PREFIX) and setting not in Settings.model_fields and name not in ELSEWHERE:
            yield f"{name} in the environment names no setting{did_you_mean(setting, Settings.model_fields)}"


def _contradictions(s: Settings) -> Iterator[str]:
    """Settings of which one takes the meaning of another away."""
    yield from _about_warning(s.rules, "")
    for name, limits in s.rules.slots.items():
        own = s.slots[name].model_fields_set
        if own & {"idle_timeout", "absolute_timeout", "warn_before"}:
            yield from _about_warning(limits, f"slots.{name}.")
        idle, absolute = limits.idle_timeout, limits.absolute_timeout
        if own & {"idle_timeout", "absolute_timeout"} and idle and absolute and idle >= absolute:
            yield f"slots.{name}: idle_timeout is not shorter than absolute_timeout, so no session in it ends as idle"
    later = (
        ("idle_timeout", s.idle_timeout, "absolute_timeout", s.absolute_timeout, "no session ends as idle"),
        ("idle_timeout", s.idle_timeout, "lost_timeout", s.lost_timeout, "closed browsers end as lost before it"),
        ("alive_window", s.alive_window, "lost_timeout", s.lost_timeout, "sessions end that still count as alive"),
        ("ticket_lifetime", s.ticket_lifetime, "absolute_timeout", s.absolute_timeout, "it changes nothing"),
    )
    for name, seconds, other, limit, so in later:
        if seconds is not None and limit is not None and seconds >= limit:
            yield f"{name} {seconds:.15g} s is not shorter than {other} {limit:.15g} s, so {so}"
    if s.ack_timeout <= REPEATED_AFTER:
        yield f"ack_timeout {s.ack_timeout:.15g} s cuts a page before the news of its end is repeated after 3 s"
    for name, limit in (
        ("max_connections_per_room", s.max_connections_per_room),
        ("max_connections_per_ip", s.max_connections_per_ip),
    ):
        if limit is not None and limit > s.max_connections:
            yield f"{name} {limit} is more than max_connections {s.max_connections}, so it limits nothing"
    if s.max_sessions > s.max_connections_per_room:
        yield (
            f"max_sessions {s.max_sessions} is more than max_connections_per_room {s.max_connections_per_room}, "
            "so the last of a user's sessions cannot connect"
        )
    if s.drain_delay + s.drain_window > SHORTEST_GRACE - END_WITHIN:
        yield (
            f"a stop takes up to {s.drain_delay + s.drain_window + END_WITHIN:.15g} s: whoever runs the process must"
            " wait as long before killing it (terminationGracePeriodSeconds, TimeoutStopSec, stop_grace_period)"
        )
    if s.workers > usable_cores():
        yield f"workers {s.workers} is more than the {usable_cores()} processors that this process may use"


def _about_warning(limits: Limits, where: str) -> Iterator[str]:
    timeouts = [t for t in (limits.idle_timeout, limits.absolute_timeout) if t is not None]
    warn_before = limits.warn_before or 0.0
    if timeouts and warn_before < SHORTEST_WARNING:
        told = f"is shorter than the {SHORTEST_WARNING:g} s that WCAG 2.2.1 asks for"
        yield f"{where}warn_before {warn_before:.15g} s {told}"
    if timeouts and warn_before >= min(timeouts):
        yield f"{where}warn_before {warn_before:.15g} s is not shorter than the time-out of {min(timeouts):.15g} s"


def _doors(s: Settings) -> Iterator[str]:
    """What lets more people in than may be meant."""
    for name, keys in s.named_keys.items():
        if any(len(set(key)) < 10 for key in keys):
            yield f"{name} has few different characters; `enforcer genkey` makes a strong one"
        if len(set(keys)) < len(keys):
            yield f"{name} holds the same key twice; one is enough unless it is being changed"
    for hook in s.webhooks:
        yield from _about_hook(hook)
    for named in s.keys:
        if named.rooms and named.rooms[-1].isalnum():
            yield (
                f"keys.{named.name}: its rooms begin with {named.rooms!r}, and so does {named.rooms + '2'!r}; end it "
                "with a sign that no name goes on with, such as ':'"
            )
    networks = [ipaddress.ip_network(n, strict=False) for n in s.trusted_proxies]
    v4 = [n for n in networks if isinstance(n, ipaddress.IPv4Network)]
    v6 = [n for n in networks if isinstance(n, ipaddress.IPv6Network)]
    trusted: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
        *ipaddress.collapse_addresses(v4),
        *ipaddress.collapse_addresses(v6),
    ]
    for network in trusted:
        if network.prefixlen < 8:
            yield (
                f"trusted_proxies has {network}: whoever connects from there may claim any address in "
                "X-Forwarded-For; list your proxies"
            )
    if s.join == "open":
        yield "join is open: whoever knows a user's name can listen for that user's logouts"
    if _rebinds(s):
        yield (
            "origins is same-host, and anybody may connect: any site can lead its own name here (DNS rebinding) and so"
            " become the same host; set `hostnames` to the names of this server, or `origins` to a list"
        )
    if s.demo:
        yield "demo is on: anyone who reaches the server can use /demo; leave it off in production"
    if s.store == "memory://":
        yield "store is memory://: every session is forgotten at a restart"


def _about_hook(hook: Webhook) -> Iterator[str]:
    parts = urlsplit(hook.url)
    host = parts.hostname or ""
    inside = host == "localhost" or (_is_address(host) and not is_public(host))
    if inside and not hook.allow_private:
        yield (
            f"webhooks: {hook.name} leads to {host}, which is not public, so nothing is sent; set `allow_private` for "
            "a receiver of your own"
        )
    elif parts.scheme == "http" and not inside:
        yield f"webhooks: {hook.name} is http: whoever is on the way can read what is sent"


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def who_may_what(settings: Settings) -> list[str]:
    """A line for each key: what it may do, and where. Never the key."""
    lines = ["authkey may everything, in all rooms"]
    if settings.metrics_key is not None:
        lines.append("metrics_key may metrics")
    for key in settings.keys:
        where = f"in rooms that begin with {key.rooms!r}" if key.rooms else "in all rooms"
        lines.append(f"key {key.name!r} may {', '.join(dict.fromkeys(key.may))}, {where}")
    return lines


def _rebinds(s: Settings) -> bool:
    """Whether a name of anybody's choice counts as this host's, where no ticket is asked for."""
    return (
        s.origins == "same-host" and s.hostnames is None and not _is_loopback(s.ipaddr) and (s.join == "open" or s.demo)
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


# ---- this machine ------------------------------------------------------------------------------


def preflight(settings: Settings) -> tuple[list[str], list[str]]:
    """What would keep a start from succeeding here: errors, and warnings where it may be another's or passing."""
    errors: list[str] = []
    found: list[str] = []
    places = {"port": (settings.ipaddr, settings.port), "internal_port": settings.internal}
    for setting, place in places.items():
        if place is None:
            continue
        try:
            try_to_listen(*place)
        except OSError as error:
            told = why_not_listening(*place, error, setting)
            if error.errno == errno.EADDRINUSE:
                found.append(f"{told}; fine if it is this server that runs there")
            else:
                errors.append(told)
    if settings.store.startswith("sqlite:///"):
        errors += _wrong_with_file(Path(settings.store.removeprefix("sqlite:///")))
    elif is_redis(settings.store):
        found += _unreachable(settings.store)
    return errors, found


def _wrong_with_file(path: Path) -> Iterator[str]:
    """As a start would find it; a database that is in use is not opened."""
    directory = path.parent
    if not directory.is_dir():
        yield f"store: {directory} is not a directory; make it, or change `store`"
    elif path.is_dir():
        yield f"store: {path} is a directory; name a file in it"
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield f"store: {directory} is not writable for this user, and SQLite makes files beside the database"
    elif path.exists() and not os.access(path, os.R_OK | os.W_OK):
        yield f"store: {path} cannot be read and written by this user"
    elif path.exists() and not _is_database(path):
        yield f"store: {path} is not a database of SQLite; move it away, or change `store`"


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(16)
    return head in (b"", b"SQLite format 3\0")


def _unreachable(url: str) -> Iterator[str]:
    address = redis_address(url)
    if address.ca is not None and not os.access(address.ca, os.R_OK):
        yield f"store: the file of certificates {address.ca} cannot be read"
    for host, port in address.hosts:
        try:
            socket.create_connection((host, port), WITHIN).close()
        except OSError as error:
            yield f"store: {host} port {port} does not answer ({error.strerror or error}); a start waits for it"
