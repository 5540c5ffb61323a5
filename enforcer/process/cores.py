"""How much of the machine is ours."""

import os


def usable_cores() -> int:
    """Processors that this process may use, which `taskset` or a container's set of them may have made fewer than there
    are. A limit on their time is none on their number: threads still run beside each other."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
