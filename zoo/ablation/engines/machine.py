"""What this machine offers to runs: cores and GPUs that this process may use."""

from __future__ import annotations

import os
from pathlib import Path


def usable_cores(cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may run on; a container's CPU quota counts, as affinity does not show it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota_cores(cgroups)
    return cores if quota is None else max(1, min(cores, int(quota)))


def _quota_cores(cgroups: Path) -> float | None:
    try:
        quota, period = (cgroups / "cpu.max").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period")
            )
        except OSError:
            return None
    try:
        cores = float(quota) / float(period)  # "max" and -1 are no quota
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def usable_gpus() -> list[str]:
    """Names for CUDA_VISIBLE_DEVICES, one for each GPU that this process may use."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]
