"""How much of the machine is ours."""

import os


def usable_cores() -> int:
    """Processors that this process may use, which a container or `taskset` may have made fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
