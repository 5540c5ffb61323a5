"""Measures one request's check, as an application does it: from memory, by a call, by a token.

    python -m bench.live_sessions [--kicks 300]

Side by side: `LiveSessions` of the Python client, `GET /v1/sessions/{id}` over a kept connection, a `GET` of a session
that an application keeps in Redis, and the check of a signed token (PyJWT, HS256), which does not know whether its
session has ended. Then how long it takes from the answer
to a login until the application refuses the session that it displaced.
"""

import argparse
import json
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import redis

from bench.processes import enforcer
from bench.rivals import RESULTS, redis_server

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "client-python"))

from enforcer_client import Ended, Enforcer, LiveSessions


def measured(check: Callable[[], object], times: int) -> tuple[float, float]:
    """The median and the 99th percentile of a check, in microseconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter_ns()
        check()
        took.append((time.perf_counter_ns() - began) / 1000)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def kicks(client: Enforcer, live: LiveSessions, count: int) -> tuple[float, float]:
    """From the answer to a login until the displaced session is refused here: median and 99th percentile, in ms."""
    refused = threading.Event()
    at = [0.0]

    def on_end(_: Ended) -> None:
        at[0] = time.perf_counter()
        refused.set()

    stop = live.on_end(on_end)
    old, took = client.login("kicked")["session"], []
    assert live.is_live(old, "kicked")
    for _ in range(count):
        refused.clear()
        new = client.login("kicked")["session"]
        answered = time.perf_counter()
        assert refused.wait(5)
        assert not live.is_live(old, "kicked")
        assert live.is_live(new, "kicked")
        took.append(max(0.0, at[0] - answered) * 1000)
        old = new
    stop()
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="Measures one request's check.")
    parser.add_argument("--kicks", type=int, default=300)
    arguments = parser.parse_args()
    secret = secrets.token_urlsafe(32)
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="enforcer-bench-") as directory,
        enforcer(Path(directory)) as served,
        Enforcer(served.url, served.key) as client,
        LiveSessions(client) as live,
        redis_server() as url,
        redis.Redis.from_url(url) as kept,
    ):
        session = client.login("alice")["session"]
        token = jwt.encode({"sub": "alice", "sid": session, "exp": int(time.time()) + 3600}, secret, "HS256")
        kept.set(session, json.dumps(client.validate(session, "alice")))
        while not live.followed:
            time.sleep(0.01)
        assert live.is_live(session, "alice")
        rows = (
            ("LiveSessions", *measured(lambda: live.is_live(session, "alice"), 100_000)),
            ("GET /v1/sessions/{id}", *measured(lambda: client.validate(session, "alice"), 1_000)),
            ("GET of Redis, and JSON", *measured(lambda: json.loads(kept.get(session)), 3_000)),
            ("a token, PyJWT HS256", *measured(lambda: jwt.decode(token, secret, ["HS256"]), 10_000)),
        )
        print(f"{'one check':24}{'p50 µs':>10}{'p99 µs':>10}")
        for name, median, late in rows:
            print(f"{name:24}{median:10.1f}{late:10.1f}")
        print(
            "from the answer to a login to the refusal, ms: p50 {:.1f}, p99 {:.1f}".format(
                *kicks(client, live, arguments.kicks)
            )
        )


if __name__ == "__main__":
    main()
