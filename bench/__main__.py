"""Puts the same load on several single-session servers, side by side, and prints one table.

    python -m bench --quick                  2,000 sockets, one round
    python -m bench --rounds 5               10,000 sockets
    python -m bench --servers enforcer,node-lean --workloads takeover,closed
    python -m bench --cluster                two nodes over one Redis

Each server runs alone on one core, the loader on another. The servers take turns round by round, so that a noisy
minute of the machine hits all of them; each figure is the median over the rounds, with the least and the most beside
it. `bench/README.md` says what the figures mean.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import charts, figures
from bench.processes import CORES, SERVER_CORES, Failed
from bench.rivals import RESULTS, Rival, chosen
from bench.rounds import WORKLOADS, Load, Result, build_loader, run_once


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--servers", help="folders of rivals/, by comma; the first is compared with the others")
    parser.add_argument("--workloads", help=f"of {','.join(WORKLOADS)} (all but mixed)")
    parser.add_argument("--quick", action="store_true", help="2,000 sockets, one round, short runs")
    parser.add_argument("--cluster", action="store_true", help="two nodes over one Redis, takeovers across them")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sockets", type=int)
    parser.add_argument("--rate", type=int, help="takeovers a second, open loop")
    parser.add_argument("--secs", type=float, help="length of the takeover and mixed runs")
    parser.add_argument("--profile", action="store_true", help="record the first server with py-spy; slows it down")
    parser.add_argument("--json", type=Path, help="write every result of every round here")
    parser.add_argument("--charts", type=Path, metavar="DIR", help="draw the figures into this directory")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    return parser.parse_args()


def load_of(given: argparse.Namespace) -> tuple[Load, int]:
    """What is to be done, and how many rounds of it."""
    quick = given.quick
    usual = (
        ["login", "validate", "connect", "takeover", "closed"]
        if given.cluster
        else [name for name in WORKLOADS if name != "mixed"]
    )
    workloads = given.workloads.split(",") if given.workloads else usual
    if unknown := set(workloads) - set(WORKLOADS):
        raise Failed(f"there is no workload {', '.join(sorted(unknown))}; known: {', '.join(WORKLOADS)}")
    load = Load(
        sockets=given.sockets or (2000 if quick else 10_000),
        rate=given.rate or (200 if given.cluster else 500),
        seconds=given.secs or (4 if quick else 10),
        hold=2 if quick or given.cluster else None,
        workloads=workloads,
        nodes=2 if given.cluster else 1,
        profile=given.profile,
    )
    return load, given.rounds or (1 if quick else 3)


def about(load: Load, rounds: int, rivals: list[Rival]) -> Iterator[str]:
    """Where, what and with which versions."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    yield (
        f"{load.sockets:,} sockets, {rounds} round(s), {platform.machine()}, {len(CORES)} core(s), "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, Node {node or 'none'}"
    )
    for rival in rivals:
        yield f"{rival.name}: {rival.spec['title']}" + (f" ({rival.versions()})" if rival.versions() else "")
    if len(CORES) < 2:
        yield "ONE CORE ONLY: servers and loader share it, so these figures say little about the servers."
    elif os.getloadavg()[0] > 0.5:
        yield f"The machine was not idle before the run: load average {os.getloadavg()[0]:.1f}."
    if load.nodes > 1:
        yield "Two nodes over one Redis; sockets on one node, POSTs for the same user to the other."
        if len(SERVER_CORES) < 3:
            yield (
                f"The nodes and Redis share {len(SERVER_CORES)} core(s): this shows that nodes work together and what "
                "that costs, not how they scale."
            )


def measured(rivals: list[Rival], load: Load, rounds: int) -> tuple[dict[str, list[Result]], list[str]]:
    """The rounds, the servers in another order each time; and what failed."""
    results: dict[str, list[Result]] = {rival.name: [] for rival in rivals}
    failures: list[str] = []
    order = list(rivals)
    for number in range(1, rounds + 1):
        for rival in order:
            if number > rival.spec.get("max_rounds", rounds):
                continue
            began = time.monotonic()
            try:
                results[rival.name].append(run_once(rival, load))
            except Failed as e:
                failures.append(f"{rival.name}, round {number}: FAILED, not counted: {e}")
                print(failures[-1], file=sys.stderr)
            print(f"round {number}/{rounds} {rival.name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        order.append(order.pop(0))
    return results, failures


def main() -> None:
    """Measures, prints, writes."""
    given = arguments()
    RESULTS.mkdir(exist_ok=True)
    build_loader()
    load, rounds = load_of(given)
    rivals = chosen(given.servers.split(",") if given.servers else None, given.cluster)
    said = list(about(load, rounds, rivals))
    results, failures = measured(rivals, load, rounds)
    said += failures + list(figures.remarks(results))
    if given.json:
        given.json.write_text(json.dumps({"about": said, "rate": load.rate, "results": results}, indent=1))
    if given.charts:
        charts.write(results, load.rate, given.charts)
    print("\n".join(said), end="\n\n")
    print(figures.rendered(figures.rows(results, load.rate), given.markdown))
    print("\nMedians over the rounds (least–most); errors are totals. A vs B: how many times better A is.")


if __name__ == "__main__":
    try:
        main()
    except Failed as e:
        sys.exit(f"bench: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
