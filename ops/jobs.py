"""How many Terraforms this machine can run at the same time."""

from __future__ import annotations

import os
from pathlib import Path

_MEMORY_OF_A_PLAN = 600_000_000
"""Bytes: Terraform and the AWS provider with its schema, measured as 570 MB."""
_FOR_EACH_PROCESSOR = 2
"""A plan waits for AWS half of its time."""
_OF_THE_CONTAINER = Path("/sys/fs/cgroup")


def jobs_for(stacks: int) -> int:
    """As many as processors and free memory allow; at least one, and not more than there are stacks."""
    memory = _free_memory()
    by_memory = memory // _MEMORY_OF_A_PLAN if memory is not None else stacks
    return max(1, min(stacks, _processors() * _FOR_EACH_PROCESSOR, by_memory))


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _free_memory() -> int | None:
    """In bytes, of the machine or of the container; None where that is not known."""
    found = [value for value in (_free_in_machine(), _free_in_container()) if value is not None]
    return min(found, default=None)


def _free_in_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _free_in_container() -> int | None:
    """By control groups, version 2 (the kernel's "Control Group v2", "Memory Interface Files")."""
    try:
        limit, used = (int((_OF_THE_CONTAINER / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = next(
            int(line.split()[1])
            for line in (_OF_THE_CONTAINER / "memory.stat").read_text().splitlines()
            if line.startswith("inactive_file ")
        )
    except (OSError, ValueError, StopIteration):  # also "max", without a limit
        return None
    return max(0, limit - used + cached)
