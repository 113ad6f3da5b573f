"""Validation curves of runs, read from their metrics.csv."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean


@dataclass(frozen=True)
class Point:
    """One validation during training."""

    step: int
    flops: float
    bits_per_byte: float


def read_curve(folder: Path) -> list[Point]:
    """Validations of one run in the order of their steps, up to the first that is not finite; empty where there are
    none. A line that a kill cut short is left out."""
    try:
        text = (folder / "metrics.csv").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    points: dict[int, Point] = {}
    for row in csv.DictReader(text[: text.rfind("\n") + 1].splitlines()):
        try:
            value = float(row.get("validation_bits_per_byte") or "")
            point = Point(int(row["step"]), float(row["flops"]), value)
        except (KeyError, TypeError, ValueError):
            continue  # a row of training: nothing was validated
        if not math.isfinite(value):
            break
        points[point.step] = point
    return [points[step] for step in sorted(points)]


def mean_curve(curves: Iterable[list[Point]]) -> list[Point]:
    """The mean over runs, at the steps that all of them have reached."""
    by_step = [{point.step: point for point in curve} for curve in curves if curve]
    if not by_step:
        return []
    shared = sorted(set.intersection(*(set(points) for points in by_step)))
    return [
        Point(
            step,
            fmean(points[step].flops for points in by_step),
            fmean(points[step].bits_per_byte for points in by_step),
        )
        for step in shared
    ]
