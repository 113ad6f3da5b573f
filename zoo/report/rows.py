"""The rows of an ablation's table, computed from run folders and nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from zoo.ablation.stats import Interval, mean_ci, paired_difference
from zoo.run import read_result


@dataclass(frozen=True)
class Arm:
    """One variant of an ablation.

    Attributes:
        name: of the variant.
        dirs: seed -> folder of its run.
    """

    name: str
    dirs: Mapping[int, Path]


@dataclass(frozen=True)
class Row:
    """What the runs of one arm say together. None: no run says it.

    Attributes:
        name, is_baseline: of the arm.
        status: `ok`, or how many of its runs are and what the others are.
        params, active_params: of the model.
        flops, training_flops, optimizer_flops, tokens, text_bytes: spent, means over the runs that are ok (over all if
            none is); `flops` is the sum of the next two, `text_bytes` the raw text behind the tokens.
        bits_per_byte: of the validation split, over seeds; None as soon as one seed diverged, for the mean of the
            others would flatter the arm.
        difference: from the baseline, paired by seed; None in the baseline's own row.
        tokens_per_second, mfu, mfu_palm: medians over runs.
        peak_memory_bytes, predicted_peak_memory_bytes: the largest of the runs; predicted from a step on fake tensors.
        results: seed -> result.json, with status `missing` where there is none and `failed` where it is unreadable.
        dirs: seed -> folder.
    """

    name: str
    is_baseline: bool
    status: str
    params: int | None = None
    active_params: int | None = None
    flops: float | None = None
    training_flops: float | None = None
    optimizer_flops: float | None = None
    tokens: float | None = None
    text_bytes: float | None = None
    bits_per_byte: Interval | None = None
    difference: Interval | None = None
    tokens_per_second: float | None = None
    mfu: float | None = None
    mfu_palm: float | None = None
    peak_memory_bytes: int | None = None
    predicted_peak_memory_bytes: int | None = None
    results: Mapping[int, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    dirs: Mapping[int, Path] = field(default_factory=dict, repr=False)


def rows(arms: Iterable[Arm], baseline: str) -> list[Row]:
    """One row per arm, in their order.

    Args:
        baseline: name of the arm that the others are compared with.

    Raises:
        ValueError: no arm has that name.
    """
    arms = list(arms)
    if baseline not in [arm.name for arm in arms]:
        raise ValueError(f"baseline {baseline!r} is not one of the arms: {', '.join(arm.name for arm in arms)}")
    results = {arm.name: {seed: read_run(folder) for seed, folder in arm.dirs.items()} for arm in arms}
    reference = _values(results[baseline])
    return [_row(arm, results[arm.name], arm.name == baseline, reference) for arm in arms]


def read_run(folder: Path) -> dict[str, Any]:
    """result.json of a run, never an error: what is not there is `missing`, what is not whole is `failed`."""
    result = read_result(folder)
    if isinstance(result.get("status"), str):
        return result
    if (folder / "result.json").exists():
        return {"status": "failed", "reason": f"{folder / 'result.json'} is damaged: running it again replaces it"}
    return {"status": "missing"}


def _row(arm: Arm, results: Mapping[int, Mapping[str, Any]], is_baseline: bool, reference: Mapping[int, float]) -> Row:
    values = _values(results)
    ok = [result for result in results.values() if result["status"] == "ok"] or list(results.values())
    every = list(results.values())
    return Row(
        name=arm.name,
        is_baseline=is_baseline,
        status=_status(every),
        params=_whole(_numbers(every, "params")),
        active_params=_whole(_numbers(every, "active_params")),
        flops=_mean(_numbers(ok, "flops")),
        training_flops=_mean(_numbers(ok, "training_flops")),
        optimizer_flops=_mean(_numbers(ok, "optimizer_flops")),
        tokens=_mean(_numbers(ok, "tokens")),
        text_bytes=_mean(_numbers(ok, "text_bytes")),
        bits_per_byte=mean_ci(list(values.values())),
        difference=None if is_baseline else paired_difference(values, reference),
        tokens_per_second=_median(_numbers(ok, "tokens_per_second")),
        mfu=_median(_numbers(ok, "mfu")),
        mfu_palm=_median(_numbers(ok, "mfu_palm")),
        peak_memory_bytes=_largest(_numbers(every, "peak_memory_bytes")),
        predicted_peak_memory_bytes=_largest(_numbers(every, "predicted_peak_memory_bytes")),
        results=results,
        dirs=dict(arm.dirs),
    )


def _values(results: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    """Bits per byte by seed; none at all where a seed diverged."""
    if any(result["status"] == "diverged" for result in results.values()):
        return {}
    found = {}
    for seed, result in results.items():
        if result["status"] == "ok" and (values := _numbers([result], "validation_bits_per_byte")):
            found[seed] = values[0]
    return found


def _status(results: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(str(result["status"]) for result in results)
    if set(counts) == {"ok"}:
        return "ok"
    reasons: dict[str, str] = {}
    for result in results:
        if result.get("reason"):
            reasons.setdefault(str(result["status"]), str(result["reason"]))
    parts = []
    for status in sorted(counts, key=lambda status: status != "ok"):  # ok first, the others as they came
        number = f"{counts[status]} "
        if status == "ok" or counts[status] == len(results):
            number = f"{counts[status]}/{len(results)} "
        if counts[status] == len(results) and status != "missing":
            number = ""
        reason = f": {reasons[status]}" if status != "ok" and status in reasons else ""
        parts.append(f"{number}{status}{reason}")
    return ", ".join(parts) or "no runs"


def _numbers(results: Iterable[Mapping[str, Any]], key: str) -> list[float]:
    """The finite numbers that results give for a key; missing ones, nulls and NaN are left out."""
    found = [result.get(key) for result in results]
    return [v for v in found if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)]


def _whole(values: Sequence[float]) -> int | None:
    return int(values[0]) if values else None


def _largest(values: Sequence[float]) -> int | None:
    return int(max(values)) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
