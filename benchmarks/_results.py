"""Where a benchmark writes what it measured: JSON with machine, versions, commit and date, under benchmarks/results."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo.environment import environment

RESULTS = Path(__file__).parent / "results"


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median and range of repeated timings, in seconds: machines are noisy, one figure says little."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds), "runs": len(seconds)}


def write(name: str, rows: list[dict[str, Any]]) -> Path:
    body = {"benchmark": name, "date": datetime.now(UTC).isoformat(timespec="seconds"), **environment(), "rows": rows}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(body, indent=1) + "\n")
    return path
