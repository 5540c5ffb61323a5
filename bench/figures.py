"""What is read out of the results: figures, their medians and spread, and how two servers compare."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.rounds import WORKLOADS, Result

Value = Callable[[Result], float | None]


@dataclass(frozen=True)
class Figure:
    """A line of the table. `high`: whether more is better. A result without its workload has no value."""

    label: str
    high: bool
    digits: int
    value: Value

    def values(self, rounds: Sequence[Result]) -> list[float]:
        """One a round, as far as there is one."""
        found: list[float] = []
        for result in rounds:
            with suppress(KeyError, ZeroDivisionError):
                value = self.value(result)
                if value is not None:
                    found.append(value)
        return found

    def median(self, rounds: Sequence[Result]) -> float | None:
        """Over the rounds; None without any."""
        values = self.values(rounds)
        return statistics.median(values) if values else None


def _idle_cpu(result: Result) -> float | None:
    connect = result["connect"]
    return connect["server_cpu"] * 60 if connect["pings"] else None  # without pings it is not the cost of being idle


def _rss(result: Result) -> float:
    connect = result["connect"]
    return float((connect["rss"] - connect["rss_fresh"]) / connect["live"])


def _of(workload: str, *path: str, times: float = 1) -> Value:
    """A number that the loader or the sampling gave for a workload."""

    def value(result: Result) -> float:
        found: Any = result[workload]
        for name in path:
            found = found[name]
        return float(found) * times

    return value


FIGURES = (
    Figure("login req/s", True, 0, _of("login", "per_s")),
    Figure("login p99 ms", False, 1, _of("login", "notify", "p99_ms")),
    Figure("validate req/s", True, 0, _of("validate", "per_s")),
    Figure("connects/s", True, 0, _of("connect", "per_s")),
    Figure("RSS kB per socket", False, 1, _rss),
    Figure("idle CPU s/min", False, 2, _idle_cpu),
    Figure("takeover {rate}/s: event p50 ms", False, 2, _of("takeover", "event", "p50_ms")),
    Figure("takeover {rate}/s: event p99 ms", False, 2, _of("takeover", "event", "p99_ms")),
    Figure("takeover {rate}/s: notify p99 ms", False, 2, _of("takeover", "notify", "p99_ms")),
    Figure("takeover {rate}/s: server CPU %", False, 0, _of("takeover", "server_cpu", times=100)),
    Figure("takeover cycles/s, closed loop", True, 0, _of("closed", "per_s")),
    Figure("storm: all back after s", False, 2, _of("storm", "seconds")),
    Figure("mixed: event p99 ms", False, 2, _of("mixed", "event", "p99_ms")),
    Figure("mixed: validate p99 ms", False, 2, _of("mixed", "validate", "p99_ms")),
    Figure("mixed: server CPU %", False, 0, _of("mixed", "server_cpu", times=100)),
    Figure("mixed: RSS MB at its start", False, 1, _of("mixed", "rss_first", times=1 / 1024)),
    Figure("mixed: RSS MB at its end", False, 1, _of("mixed", "rss", times=1 / 1024)),
    Figure("kill -9: all back after s", False, 2, _of("restart", "seconds")),
    Figure("sessions forgotten by it %", False, 0, lambda r: 100 * r["restart"]["forgotten"] / r["restart"]["asked"]),
)


def _errors(*kinds: str) -> Value:
    return lambda result: sum(mode["errors"][kind] for mode in result.values() for kind in kinds)


ERRORS = (
    Figure("errors: lost events", False, 0, _errors("lost")),
    Figure("errors: wrong victims", False, 0, _errors("wrong_victim")),
    Figure("errors: refused newcomers", False, 0, _errors("refused")),
    Figure("errors: other", False, 0, _errors("dropped", "missing", "http", "unnamed", "validate")),
)
"""Totals, which are zero for a correct server."""

Results = Mapping[str, Sequence[Result]]
"""Server → its rounds."""


def rows(results: Results, rate: int) -> list[list[str]]:
    """The table: a column a server, then how many times better the first is than each other."""
    names = list(results)
    table = [["", *names, *(f"{names[0]} vs {other}" for other in names[1:])]]
    for figure in FIGURES:
        medians = [figure.median(results[n]) for n in names]
        if all(m is None for m in medians):
            continue
        cells = [_cell(figure, results[n]) for n in names]
        ratios = [ratio(figure, medians[0], other) for other in medians[1:]]
        table.append([figure.label.format(rate=rate), *cells, *ratios])
    nothing = [""] * (len(names) - 1)
    table.extend([f.label, *(f"{sum(f.values(results[n])):.0f}" for n in names), *nothing] for f in ERRORS)
    return table


def _cell(figure: Figure, rounds: Sequence[Result]) -> str:
    """The median, and the least and the most where there were several rounds."""
    values = figure.values(rounds)
    if not values:
        return "–"
    middle = f"{statistics.median(values):,.{figure.digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{figure.digits}f}–{max(values):,.{figure.digits}f})"


def ratio(figure: Figure, ours: float | None, theirs: float | None) -> str:
    """How many times better ours is, whether high or low is good."""
    if ours is None or theirs is None:
        return "–"
    a, b = (ours, theirs) if figure.high else (theirs, ours)
    return f"{a / b:.2f}" if b else "–"


def rendered(table: list[list[str]], markdown: bool) -> str:
    """As text, or as a table of Markdown."""
    width = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [row[0].ljust(width[0]), *(c.rjust(w) for c, w in zip(row[1:], width[1:], strict=True))]
        lines.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells))
    rule = "| " + " | ".join("-" * width[0] if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(width)) + " |"
    lines.insert(1, rule if markdown else "-" * len(lines[0]))
    return "\n".join(lines)


def remarks(results: Results) -> Iterator[str]:
    """What a reader of the table must know."""
    for name, rounds in results.items():
        for mode in WORKLOADS:
            runs = [r[mode] for r in rounds if mode in r]
            if any(run["loader_cpu"] > 0.9 for run in runs):
                yield f"{name}, {mode}: the loader was at its own limit"
            if late := sum(run["unfinished"] for run in runs):
                yield f"{name}, {mode}: overloaded, {late:,} requests were due and could not even be sent"
            for error in sorted({run["first_error"] for run in runs if "first_error" in run}):
                yield f"{name}, {mode}: {error}"
