"""Where Redis is, as the setting `store` says it. Pure.

    redis://[user[:password]@]host[:port][/db]                     one server; rediss:// with TLS
    redis+sentinel://[user[:password]@]host[:port],…/master[/db]   found through Sentinels; rediss+sentinel:// with TLS
    redis+cluster://[user[:password]@]host[:port],…                a Cluster, from any of its nodes; rediss+cluster://

All take `?prefix=…` (what the names of all keys begin with) and, with TLS, `?ca=…` (a file of trusted certificates).
User and password are percent-encoded.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

PORT = 6379
SENTINEL_PORT = 26379
SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
PREFIX = "enf"

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed address. `kind` is `single`, `sentinel` or `cluster`; `master` is the name that the Sentinels know."""

    kind: str
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    master: str | None = None
    prefix: str = PREFIX
    ca: str | None = None

    def __str__(self) -> str:
        """For logs: never with the password."""
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"redis {self.kind} {hosts}" + (f"/{self.master}" if self.master else "")


def is_redis(url: str) -> bool:
    """Whether a store's URL means Redis of any kind."""
    return url.partition("://")[0] in SCHEMES


def redis_address(url: str) -> RedisAddress:
    """The address that a URL means.

    Raises:
        ValueError: with what is wrong, in words that never hold the user or the password.
    """
    scheme, _, _ = url.partition("://")
    if scheme not in SCHEMES:
        raise ValueError(f"a Redis store begins with one of {', '.join(s + '://' for s in SCHEMES)}")
    parts = urlsplit(url)
    tls, kind = scheme.startswith("rediss"), scheme.partition("+")[2] or "single"
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    default = SENTINEL_PORT if kind == "sentinel" else PORT
    path = [part for part in parts.path.split("/") if part]
    master = path.pop(0) if kind == "sentinel" and path else None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := options.keys() - {"prefix", "ca"}:
        raise ValueError(f"the address of Redis knows ?prefix= and ?ca=, not {', '.join(sorted(unknown))}")
    if kind == "sentinel" and master is None:
        raise ValueError("a Sentinel address names its master: redis+sentinel://host:26379,host:26379/mymaster")
    found = tuple(_host(text, default) for text in hosts.split(","))
    if kind == "single" and len(found) > 1:
        raise ValueError("several hosts need redis+sentinel:// or redis+cluster://")
    return RedisAddress(
        kind,
        found,
        tls,
        unquote(username) or None,
        unquote(password) or None,
        _db(path, kind),
        master,
        _prefix(options.get("prefix", PREFIX)),
        options.get("ca"),
    )


def _host(text: str, default: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    if match is None or int(match["port"] or default) not in range(1, 65536):
        raise ValueError("the address of Redis needs host or host:port; percent-encode /?#@: in a password")
    return match["v6"] or match["name"], int(match["port"] or default)


def _db(path: list[str], kind: str) -> int:
    if not path:
        return 0
    if len(path) > 1 or not re.fullmatch(r"\d{1,4}", path[0]):
        raise ValueError("the path of a Redis address is the number of a database, as in redis://host/2")
    if kind == "cluster" and int(path[0]):
        raise ValueError("a Cluster has database 0 only; keep things apart with ?prefix=")
    return int(path[0])


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", text):
        raise ValueError("prefix is 1 to 64 of A–Z a–z 0–9 . _ : -")
    return text
