"""Run folders as a worker leaves them, written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from zoo.report.rows import Arm

RESULT: dict[str, Any] = {
    "status": "ok",
    "reason": None,
    "params": 420_096,
    "active_params": 420_096,
    "num_steps": 400,
    "tokens": 1_638_400,
    "text_bytes": 4_915_200.0,
    "training_flops": 990_000_000_000,
    "optimizer_flops": 10_000_000_000,
    "flops": 1_000_000_000_000,
    "validation_bytes": 123_456,
    "validation_stride": 64,
    "mean_context_bytes": 213.4,
    "tokens_per_second": 41_300.0,
    "mfu": 0.312,
    "mfu_palm": 0.34,
    "peak_flops_per_second": 6.1e10,
    "peak_source": "measured_gemm",
    "peak_memory_bytes": 312 * 2**20,
    "predicted_peak_memory_bytes": 298 * 2**20,
    "peak_memory_kind": "rss",
    "lossless": True,
    "cost_notes": [],
    "device": "a CPU",
    "num_threads": 1,
    "versions": {"zoo": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "lightning": "2.6.6"},
    "commit": "0123456789ab",
    "dirty": False,
}
MakeArm = Callable[..., Arm]


@pytest.fixture
def make_arm(tmp_path: Path) -> MakeArm:
    """make_arm(name, {seed: what}, **common): `what` is bits per byte, a mapping over RESULT, a text, or None."""

    def make(name: str, runs: Mapping[int, float | Mapping[str, Any] | str | None], **common: Any) -> Arm:
        dirs = {}
        for seed, what in runs.items():
            folder = dirs[seed] = tmp_path / name / f"seed-{seed}"
            folder.mkdir(parents=True)
            if what is None:
                continue
            if isinstance(what, str):
                text = what
            else:
                own = what if isinstance(what, Mapping) else {"validation_bits_per_byte": what}
                text = json.dumps({**RESULT, "seed": seed, **common, **own})
            (folder / "result.json").write_text(text)
        return Arm(name, dirs)

    return make
