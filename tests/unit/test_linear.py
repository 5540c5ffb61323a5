"""What comes from anybody is read in linear time: eight times the bytes cost about eight times the work, never more.

A pattern that can match the same bytes in two ways takes the square of them, or doubles with each: a few hundred bytes
would then stop a server that has one loop.
"""

import ast
import importlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from enforcer.http.plain_requests import MAX_HEAD, opening_request, whole_request
from tests.running import ROOT

TIMES = 8
AT_MOST = 3 * TIMES
"""The growth allowed for `TIMES` times the bytes: three times what is linear, less than half of what is a square."""
HANGS_AFTER = 20
"""Seconds after which one call is given up; linear ones take less than a thousandth of it."""


@contextmanager
def given_up() -> Iterator[None]:
    """Ends work that does not end: the test fails instead of hanging."""

    def give_up(*_: object) -> None:
        raise AssertionError("it does not come to an end")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANGS_AFTER)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def cost(work: Callable[[], object]) -> float:
    """The least processor time of one call, in seconds; short calls are repeated so that the clock can tell."""
    best = float("inf")
    for _ in range(7):
        calls, began = 0, time.process_time()
        while (spent := time.process_time() - began) < 0.002:
            work()
            calls += 1
        best = min(best, spent / calls)
    return best


HEADS: dict[str, Callable[[int], bytes]] = {
    "empty fields": lambda n: b"A: \r\n" * (n // 5),
    "fields of blanks": lambda n: (b"A:" + b" \t" * 20 + b"\r\n") * (n // 44),
    "one field of blanks": lambda n: b"A:" + b" " * n + b"\r\n",
    "one field of words": lambda n: b"A:" + b" a" * (n // 2) + b"\r\n",
    "fields of words": lambda n: b"A: a b\tc  d \r\n" * (n // 13),
    "one long name": lambda n: b"A" * n + b": a\r\n",
    "a name without an end": lambda n: b"A" * n,
    "colons": lambda n: b":" * n + b"\r\n",
    "ends of lines": lambda n: b"\r\n" * (n // 2),
    "carriage returns": lambda n: b"A:" + b"\r" * n + b"\r\n",
    "line feeds": lambda n: b"A: a\n" * (n // 5),
    "folded": lambda n: b"A: a\r\n " * (n // 7),
    "many different fields": lambda n: b"".join(b"A%d: \r\n" % i for i in range(n // 10)),
    "commas in Connection": lambda n: b"Connection: " + b", " * (n // 2) + b"\r\n",
}
STARTS = {
    "request": b"POST /notify HTTP/1.1\r\nHost: a\r\n",
    "opening": b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n",
}
ENDS = {"that fits": b"\r\n", "that does not fit": b"\x00\r\n\r\n", "cut off": b""}
TARGETS: dict[str, Callable[[int], bytes]] = {
    "long path": lambda n: b"GET /" + b"a/" * (n // 2) + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "long query": lambda n: b"GET /?" + b"a=&" * (n // 3) + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "question marks": lambda n: b"GET /" + b"?" * n + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "blanks in the request line": lambda n: b"GET /" + b" " * n + b" HTTP/1.1\r\n\r\n",
    "a path without an end": lambda n: b"GET /" + b"a" * n,
}


def hostile(size: int) -> Iterator[tuple[str, bytes]]:
    """Heads of about that many bytes which keep a careless reader busy, by what is in them."""
    for start, line in STARTS.items():
        for form, fields in HEADS.items():
            for name, end in ENDS.items():
                yield f"{start}, {form}, an end {name}", line + fields(size - len(line) - len(end)) + end
    for form, request in TARGETS.items():
        yield form, request(size - 40)


def plain(size: int) -> bytes:
    """An opening request of at most so many bytes with nothing unusual about it but that it has many short fields."""
    line = STARTS["opening"] + b"Connection: Upgrade\r\n"
    return line + b"".join(b"A%d: a\r\n" % i for i in range((size - len(line)) // 10)) + b"\r\n"


@pytest.mark.parametrize(
    "size", [320, 4096, MAX_HEAD, 16 * MAX_HEAD], ids=["320", "4 KiB", "the most of a plain one", "64 KiB"]
)
def test_a_hostile_head_costs_no_more_than_a_plain_one(size: int) -> None:
    """Of the same size, whatever is in it."""

    def read(head: bytes) -> Callable[[], object]:
        return lambda: (whole_request(head), opening_request(head))

    assert opening_request(plain(size)) is not None
    with given_up():
        measure = cost(read(plain(size)))
        for form, head in hostile(size):
            read(head)()  # one call ends, before many are timed
            assert cost(read(head)) < 5 * measure, form


PATTERNS: dict[str, tuple[str, ...]] = {
    "enforcer.http.plain_requests:_REQUEST_LINE": ("GET /{a/} HTTP/1.1x", "GET /{a}", "POST {/} ", "{GET }"),
    "enforcer.http.plain_requests:_OPENING_LINE": ("GET /{a}?{b} HTTP/1.1x", "GET /{a=&}", "GET /?{?}"),
    "enforcer.http.plain_requests:_ANY_LINE": ("{A}", "GET {a}", "GET {/ }x", "GET {/} HTTP/1.1x"),
    "enforcer.http.plain_requests:_LENGTH": ("{1}", "{0}x"),
    "enforcer.protocol:_SESSION_ID": ("{a}!", "{a}"),
    "enforcer.protocol:_SLOT": ("{a}!", "{a}"),
    "enforcer.configuration.signals:_NAME": ("{a}!", "{a}"),
    "enforcer.gateway.polling:_MESSAGE": ("4{4}", "{4}x"),
    "enforcer.configuration.settings:_WEB_ORIGIN": ("https://{a.}!", "http://[{:}", "https://{a}:{1}"),
    "enforcer.configuration.settings:_APP_ORIGIN": ("{a}", "{a+}://", "a://{a.}/", "a://{a}:{1}"),
    "enforcer.configuration.settings:_DURATION": ("{1}", "{1}.{1}", "{1s}x", "{1.1}", "{1s1m}.x"),
    "enforcer.configuration.text:_TOKEN": ('"{a}', '"{\\\\}', '"{\\\\"}x', "{:"),
    "enforcer.configuration.text:_WORD": ("{a}1",),
    "enforcer.command.history:_TIME": ("2026-11-21T{1}", "{2026-11-21T}", "{2}"),
    "enforcer.command.moments:_AGO": ("{1h}", "{1}", "{1.1h}x", "{1h}  ago"),
    "enforcer.command.moments:_UNIX": ("@{1}", "1.{1}"),
    "enforcer.store.redis.address:_HOST": ("[{:}", "{a.}!", "{a}:{1}", "[{a}]:{1}x"),
}
"""Each compiled pattern of the server, with texts that it does not quite match; what is in braces is repeated."""


def named(place: str) -> "re.Pattern[str] | re.Pattern[bytes]":
    """The pattern of that name."""
    module, name = place.split(":")
    pattern: re.Pattern[str] | re.Pattern[bytes] = getattr(importlib.import_module(module), name)
    return pattern


def repeated(text: str, size: int) -> str:
    """The text with what is in its braces repeated, to about that many characters."""
    parts = re.split(r"\{(.*?)\}", text)
    pumped = parts[1::2]
    each = size // max(1, sum(map(len, pumped)))
    return "".join(part * each if i % 2 else part for i, part in enumerate(parts))


def matched(pattern: "re.Pattern[str] | re.Pattern[bytes]", text: str) -> object:
    """Matches it to its end, as the server does."""
    return pattern.fullmatch(text.encode() if isinstance(pattern.pattern, bytes) else text)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", PATTERNS)
def test_a_pattern_is_linear(place: str) -> None:
    """As it is used here: at a fixed beginning, to a fixed end."""
    pattern = named(place)
    for text in PATTERNS[place]:
        short, long = repeated(text, 4096), repeated(text, TIMES * 4096)
        with given_up():
            costs = [cost(partial(matched, pattern, each)) for each in (short, long)]
        assert costs[1] < AT_MOST * max(costs[0], 1e-6), text


def test_every_pattern_is_known_here() -> None:
    """A compiled pattern has its line above; one that is used in passing reads settings, never what pages send."""
    compiled, passing = set(), set()
    for path in (ROOT / "enforcer").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
                continue
            if node.func.attr == "compile":
                (name,) = [
                    target.id
                    for a in ast.walk(tree)
                    if isinstance(a, ast.Assign) and a.value is node
                    for target in a.targets
                    if isinstance(target, ast.Name)
                ]
                compiled.add(f"{module}:{name}")
            else:
                passing.add(module)
    assert compiled == set(PATTERNS)
    ours = {
        "configuration.settings",
        "configuration.webhooks",
        "configuration.reading",
        "command.arguments",
        "command.manual",
        "command.moments",
    }
    ours |= {"store.redis.address", "store.sqlite.statements"}
    assert passing <= {f"enforcer.{module}" for module in ours}
