"""What Prometheus is told. Every figure stands here; `docs/operations.md` explains each, which a test sees to.

Labels are names of our own (routes, codes, reasons), so that there are few of them; never a room, session, key or
address.

One process keeps its figures in memory. Of several workers each keeps its own in mapped files that all of them read,
so whichever is asked tells of all. The files go by the worker's number, not by its process: who is started in place of
one that crashed counts on where that one stopped, and no file is left over.
"""

import asyncio
import os
import shutil
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from enforcer import __version__
from enforcer.domain.deliveries import Answer
from enforcer.domain.model import AuditEvent, Decision, EndReason
from enforcer.usecases.pulse import Pulse

K = TypeVar("K", bound="Count | Timing")
T = TypeVar("T")

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable in which workers, and the library, find the directory of their files."""
LOOK_EVERY = 1.0
"""Seconds between two looks at how late the event loop is."""
JOINED = "joined"
"""The outcome of a CONNECT that was let in; that of others is the code of the refusal."""

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds that histograms tell apart."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for


class Count:
    """A counter, for paths on which a microsecond counts: the library is told only when somebody looks."""

    __slots__ = ("_counter", "_more")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._more = 0

    def inc(self) -> None:
        """One more."""
        self._more += 1

    def hand_over(self) -> None:
        """Tells the library what has come since the last time."""
        more, self._more = self._more, 0
        if more:
            self._counter.inc(more)


class Timing:
    """A histogram, likewise. What it hands over goes into the library's buckets, which have private names (hence
    `prometheus-client <0.27`): it offers nothing but one observation after the other."""

    __slots__ = ("_bounds", "_histogram", "_more", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._bounds: list[float] = histogram._upper_bounds
        self._more = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """One more, which took so long."""
        self._more[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def hand_over(self) -> None:
        """Tells the library what has come since the last time."""
        if not any(self._more):
            return
        for bucket, more in zip(self._histogram._buckets, self._more, strict=True):
            if more:
                bucket.inc(more)
        self._histogram._sum.inc(self._sum)
        self._more = [0] * len(self._bounds)
        self._sum = 0.0


class Family(dict[str | tuple[str, ...], K], Generic[K]):
    """Those of a metric with labels, by their values, or by the value of its only one."""

    def __init__(self, make: Callable[..., K]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, labels: str | tuple[str, ...]) -> K:
        made = self[labels] = self._make(labels) if isinstance(labels, str) else self._make(*labels)
        return made


class Metrics:
    """The figures of one process. `worker` is its number if it is one of several, and `DIRECTORY` is set then."""

    def __init__(self, worker: int | None = None) -> None:
        self._directory = None if worker is None else Path(os.environ[DIRECTORY])
        values.ValueClass = values.MutexValue if worker is None else _in_files(worker)
        self._registry = r = CollectorRegistry()
        self._kept: list[Count | Timing] = []
        self.pulse = Pulse(time.monotonic)
        """The same of late, for who looks at it and not at Prometheus."""
        if self._directory is None:
            ProcessCollector(registry=r)
            GCCollector(registry=r)
        else:
            _pid_file(self._directory, worker).write_text(str(os.getpid()))

        build = Gauge(
            "enforcer_build_info", "What runs, always 1", ["version"], registry=r, multiprocess_mode="livemax"
        )
        build.labels(__version__).set(1)
        self.open_sockets = Gauge(
            "enforcer_open_sockets", "Sockets that are joined to a session", registry=r, multiprocess_mode="livesum"
        )
        self.open_sessions = Gauge(
            "enforcer_open_sessions", "Live sessions in the store", registry=r, multiprocess_mode="livemostrecent"
        )
        self.streams = Gauge(
            "enforcer_streams", "Readers of the stream of events", registry=r, multiprocess_mode="livesum"
        )
        self.connects = self._counts("enforcer_connects_total", "Socket.IO CONNECTs, by outcome", "outcome")
        self.logins = self._counts("enforcer_logins_total", "Logins, by outcome", "outcome")
        self.forward_auth = self._counts(
            "enforcer_forward_auth_total", "Questions of reverse proxies, by outcome", "outcome"
        )
        self.signals = self._counts(
            "enforcer_signals_total", "Messages of identity providers, by signal and outcome", "name", "outcome"
        )
        self.ends = self._counts("enforcer_sessions_ended_total", "Sessions that have ended, by reason", "reason")
        self.kick_delivery = self._timing(
            "enforcer_kick_delivery_seconds", "From the end of a session to the ack of one of its sockets"
        )
        self.kicks_unacked = Counter(
            "enforcer_kicks_unacked_total", "Sockets that were cut because no ack came in time", registry=r
        )
        self.takeover_wars = Counter(
            "enforcer_takeover_wars_total",
            "Rooms that were taken over more than five times in a minute, each once a minute",
            registry=r,
        )
        self._requests = self._timings(
            "enforcer_http_request_duration_seconds", "HTTP answers, by route", "method", "route", "status"
        )
        self.store_up = Gauge(
            "enforcer_store_up",
            "Whether the store would take a login now",
            registry=r,
            multiprocess_mode="livemostrecent",
        )
        self._commits = self._timing(
            "enforcer_store_commit_seconds", "From asking for a decision to its durable commit"
        )
        self.loop_lag = self._timing(
            "enforcer_event_loop_lag_seconds", "How late the event loop came to what was due, looked at once a second"
        )
        self._webhook_tries = self._counts(
            "enforcer_webhook_tries_total", "Tries to send a webhook, by outcome", "hook", "outcome"
        )
        self._webhook_seconds = self._timings(
            "enforcer_webhook_duration_seconds", "From sending a webhook to the head of its answer", "hook"
        )
        self._webhook_gauges = {
            name: Gauge(f"enforcer_webhook_{name}", meaning, ["hook"], registry=r, multiprocess_mode="livemax")
            for name, meaning in (
                ("up", "Whether the last event of a webhook was taken: 1 or 0; the process that sends it"),
                ("lag_seconds", "How long the oldest event has waited for its first try"),
                ("dead_letters", "Events that no try was taken of"),
            )
        }
        # A series that begins at zero shows its first event as an increase.
        for reason in EndReason:
            self.ends[reason]
        self.connects[JOINED]
        self.logins["created"]
        self.forward_auth["allowed"]

    def webhook(self, hook: str) -> "WebhookFigures":
        """Those of one webhook, by its name."""
        return WebhookFigures(hook, self._webhook_tries, self._webhook_seconds[hook,], self._webhook_gauges)

    def _counts(self, name: str, meaning: str, *labels: str) -> Family[Count]:
        counter = Counter(name, meaning, labels, registry=self._registry)
        return Family(lambda *values: self._keep(Count(counter.labels(*values))))

    def _timings(self, name: str, meaning: str, *labels: str) -> Family[Timing]:
        histogram = Histogram(name, meaning, labels, registry=self._registry, buckets=BUCKETS)
        return Family(lambda *values: self._keep(Timing(histogram.labels(*values))))

    def _timing(self, name: str, meaning: str) -> Timing:
        return self._keep(Timing(Histogram(name, meaning, registry=self._registry, buckets=BUCKETS)))

    def _keep(self, one: K) -> K:
        self._kept.append(one)
        return one

    def hand_over(self) -> None:
        """Brings up to date what the library, and so other workers, know."""
        for one in self._kept:
            one.hand_over()

    def answers(self, method: str, route: str, status: int) -> Timing:
        """HTTP answers of this kind; `route` is a template."""
        return self._requests[method if method in _METHODS else "other", route, f"{status // 100}xx"]

    def answered(self, method: str, route: str, status: int, began: float) -> None:
        """One of them; `began` is a reading of `time.perf_counter`."""
        self.answers(method, route, status).observe(time.perf_counter() - began)

    def committed(self, room: str, decision: Decision[Any], seconds: float) -> None:
        """A decision of this process was committed. What it ended is counted here, where it was decided, so once."""
        self._commits.observe(seconds)
        self.pulse.committed(decision)
        for entry in decision.audit:
            if entry.event is AuditEvent.ENDED and entry.reason is not None:
                self.ends[entry.reason].inc()

    def kicked(self, seconds: float) -> None:
        """A page has confirmed the end of its session, so long after its commit."""
        self.kick_delivery.observe(seconds)
        self.pulse.kicked(seconds)

    async def exposition(self) -> bytes:
        """Everything in Prometheus' text format, version 0.0.4: of this process, or of all workers.

        On a thread: it takes tens of milliseconds if there is much to tell, in which no page would be told anything.
        """
        self.hand_over()
        return await asyncio.to_thread(self._exposition)

    def _exposition(self) -> bytes:
        if self._directory is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._directory))  # type: ignore[no-untyped-call]  # without types
        registry.register(_WorkerProcesses(self._directory))
        return generate_latest(registry)


class WebhookFigures:
    """Of one webhook, while this process sends it."""

    def __init__(self, hook: str, tries: Family[Count], seconds: Timing, gauges: Mapping[str, Gauge]) -> None:
        self._hook = hook
        self._tries = tries
        self._seconds = seconds
        self._gauges = gauges
        for outcome in ("taken", "refused", "failed"):
            tries[hook, outcome]

    def tried(self, answer: Answer, seconds: float) -> None:
        """A try is over: taken, refused by a status, or failed without an answer."""
        outcome = "taken" if answer.taken else "failed" if answer.status is None else "refused"
        self._tries[self._hook, outcome].inc()
        self._seconds.observe(seconds)

    def stands(self, *, up: bool, lag: float, dead: int) -> None:
        """How the webhook stands."""
        for name, value in (("up", int(up)), ("lag_seconds", lag), ("dead_letters", dead)):
            self._gauges[name].labels(self._hook).set(value)

    def forget(self) -> None:
        """This process does not send it any more."""
        for gauge in self._gauges.values():
            gauge.labels(self._hook).set(0)


class LoopWatch:
    """Once a second, from `start` to `stop`, looks how late the event loop is, and hands over what was counted."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to look."""
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look, time.monotonic() + LOOK_EVERY)

    def _look(self, due: float) -> None:
        self._metrics.loop_lag.observe(max(0.0, time.monotonic() - due))
        self._metrics.hand_over()
        self.start()

    def stop(self) -> None:
        """May be called twice, and without `start`."""
        self._metrics.hand_over()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# ---- several workers ---------------------------------------------------------------------------


def make_directory() -> tempfile.TemporaryDirectory[str]:
    """An empty directory for the files of workers, which goes at the end.

    In memory if there is such a place: a full disk kills a process that writes to a file that it has mapped.
    """
    memory = "/dev/shm"  # noqa: S108 - the name of the directory in it is nobody's to guess
    return tempfile.TemporaryDirectory(
        prefix="enforcer-metrics-", dir=memory if os.access(memory, os.W_OK) else None, ignore_cleanup_errors=True
    )


def worker_ended(directory: Path, worker: int) -> None:
    """What the worker had is no more: its sockets, its process. What it has counted stays."""
    mark_process_dead(worker, str(directory))  # type: ignore[no-untyped-call]  # without types
    _pid_file(directory, worker).unlink(missing_ok=True)


def remove_directory() -> None:
    """For a worker whose starter was killed, and so could not."""
    shutil.rmtree(os.environ[DIRECTORY], ignore_errors=True)


def _in_files(worker: int) -> type[values.MutexValue]:
    """What the library keeps a figure in; only the name of the file is not its own."""
    kind: type[values.MutexValue] = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]
    return kind


def _pid_file(directory: Path, worker: int | None) -> Path:
    return directory / f"worker_{worker}.pid"


class _WorkerProcesses(Collector):
    """`process_*` of each worker, which the library has for one process only; all can look at each other."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        found: dict[str, Metric] = {}
        for file in sorted(self._directory.glob("worker_*.pid")):
            worker = file.stem.removeprefix("worker_")
            try:
                pid = file.read_text()
            except FileNotFoundError:  # it has just ended
                continue
            for metric in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                kept = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    kept.add_sample(sample.name, {"worker": worker}, sample.value)
        return found.values()
