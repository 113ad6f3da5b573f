"""How long a step took, and whether it was one like others."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

import torch

Moment = float | torch.cuda.Event  # of the host, in seconds, or on the device's stream


class Step:
    """One optimizer step: the moments at which pieces of it began and ended, in turn."""

    __slots__ = ("edges", "measured")

    def __init__(self) -> None:
        self.edges: list[Moment] = []
        self.measured = False

    def ended(self) -> bool:
        """Whether its time can be read without waiting."""
        last = self.edges[-1] if self.edges else 0.0
        return isinstance(last, float) or last.query()

    def seconds(self) -> float:
        """Waits for the device where that has not ended the step."""
        return sum(map(_seconds_between, self.edges[::2], self.edges[1::2]))


def _seconds_between(began: Moment, ended: Moment) -> float:
    if isinstance(began, float):
        assert isinstance(ended, float)
        return ended - began
    assert not isinstance(ended, float)
    ended.synchronize()
    return began.elapsed_time(ended) / 1e3


def compilations() -> int:
    """Graphs that torch.compile has made in this process so far."""
    dynamo = sys.modules.get("torch._dynamo.utils")  # not imported for this: that costs a second
    return dynamo.counters["stats"]["unique_graphs"] if dynamo else 0


def alloc_retries(device: torch.device) -> int:
    """How often CUDA's allocator had to give memory back and ask again so far; the host knows without the device."""
    return torch.cuda.memory_stats(device).get("num_alloc_retries", 0) if device.type == "cuda" else 0


def slowest_of_ranks(seconds: float, device: torch.device) -> float:
    """The largest figure of all ranks, each of which calls this; NaN where none has one, or there are no ranks."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return math.nan
    known = torch.tensor([0.0 if math.isnan(seconds) else seconds], dtype=torch.float64, device=device)
    torch.distributed.all_reduce(known, op=torch.distributed.ReduceOp.MAX)
    return float(known) or math.nan


def median_and_spread(seconds: Iterable[float]) -> tuple[float, float]:
    """Median and interquartile range; NaN where there are too few."""
    ordered = sorted(seconds)
    if len(ordered) < 2:
        return (ordered[0] if ordered else math.nan), math.nan
    return _quantile(ordered, 0.5), _quantile(ordered, 0.75) - _quantile(ordered, 0.25)


def _quantile(ordered: list[float], share: float) -> float:
    """Between the nearest two, as `statistics.quantiles` has it by its inclusive method, whose call takes 10 us."""
    place = share * (len(ordered) - 1)
    index = min(int(place), len(ordered) - 2)
    return ordered[index] + (place - index) * (ordered[index + 1] - ordered[index])
