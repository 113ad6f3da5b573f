"""Where zoo keeps what it built once for all runs: token stores, measured peaks."""

from __future__ import annotations

import os
from pathlib import Path


def zoo_home() -> Path:
    """$ZOO_HOME, or ~/.cache/zoo. It need not exist yet."""
    return Path(os.environ.get("ZOO_HOME") or "~/.cache/zoo").expanduser()
