"""Where a run happened: versions, machine, code."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def environment() -> dict[str, Any]:
    """Versions of what matters, the device, threads, and the commit of the code in use (None outside a checkout)."""
    import torch

    from zoo import __version__
    from zoo.accounting.gemm_peak import cpu_name

    versions = {"zoo": __version__, "python": platform.python_version()}
    for package in ("torch", "lightning", "numpy", "torchmetrics", "jsonargparse", "triton"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    commit, dirty = code_version()
    return {
        "versions": versions,
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "num_threads": torch.get_num_threads(),
        "commit": commit,
        "dirty": dirty,
    }


def code_version() -> tuple[str | None, bool | None]:
    """Commit of the checkout that zoo is imported from, and whether its files differ from it."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no", "--", "."))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
