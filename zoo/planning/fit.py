"""Whether a step fits a device, bytes against bytes, and the cheapest changes that would make it fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from zoo.accounting.memory import StepMemory
from zoo.planning.target import Target

MARGIN = 0.05  # of what is predicted: context, workspaces and fragmentation, which no step on fake tensors shows


@dataclass(frozen=True)
class Layout:
    """How a step is laid out on devices: what can change without a change of what is computed.

    Attributes:
        sequences: of one micro-batch on one device.
        accumulate: micro-batches of one step.
        checkpointing: whether blocks run again in the backward pass.
        zero_stage: what is sharded.
    """

    sequences: int
    accumulate: int
    checkpointing: bool
    zero_stage: int


@dataclass(frozen=True)
class Remedy:
    """A change that makes the step fit.

    Attributes:
        change: in the words of a recipe or of the command line.
        peak_bytes: with it.
        price: what it costs.
    """

    change: str
    peak_bytes: int
    price: str


@dataclass(frozen=True)
class Fit:
    """Attributes:
    verdict: "fits"; "tight": without the margin of 5 %; "does not fit"; "unknown": nobody states the device's memory.
    needed_bytes: the peak with the margin.
    available_bytes: of the device.
    remedies: the cheapest first, where it does not fit.
    """

    verdict: Literal["fits", "tight", "does not fit", "unknown"]
    needed_bytes: int
    available_bytes: int | None
    remedies: tuple[Remedy, ...] = ()

    @property
    def missing_bytes(self) -> int:
        """By which it does not fit with its margin; 0 where it does."""
        return 0 if self.available_bytes is None else max(0, self.needed_bytes - self.available_bytes)


def fit_of(peak_bytes: int, target: Target) -> Fit:
    """A peak against the memory of a device."""
    needed, available = round(peak_bytes * (1 + MARGIN)), target.memory_bytes
    if available is None:
        return Fit("unknown", needed, None)
    verdict: Literal["fits", "tight", "does not fit"] = "fits"
    if needed > available:
        verdict = "tight" if peak_bytes <= available else "does not fit"
    return Fit(verdict, needed, available)


def with_remedies(
    fit: Fit,
    layout: Layout,
    weigh: Callable[[Layout], StepMemory],
    target: Target,
    *,
    num_devices: int,
    recomputed: float,
) -> Fit:
    """The same, with what would make it fit.

    Args:
        fit: of the layout.
        weigh: the memory of any layout.
        num_devices: among which something could be sharded.
        recomputed: share of training FLOPs that checkpointing adds.
    """
    if fit.missing_bytes == 0:
        return fit
    found = []
    for way in _ways(layout, num_devices, recomputed):
        for change, candidate, price in way:  # the mildest of its kind that does
            peak = weigh(candidate).peak_bytes
            if fit_of(peak, target).verdict == "fits":
                found.append(Remedy(change, peak, price))
                break
    return replace(fit, remedies=tuple(found))


_Change = tuple[str, Layout, str]


def _ways(layout: Layout, num_devices: int, recomputed: float) -> list[list[_Change]]:
    """Kinds of change, the cheapest first: smaller micro-batches, sharding, recomputing; each from mild to strong."""
    recomputing = f"{recomputed:.0%} more FLOPs"
    again = replace(layout, checkpointing=True)
    ways = [
        [(_accumulating(each), each, "smaller products") for each in _smaller(layout)],
        [(_sharding(each), each, "communication") for each in _shardings(layout, num_devices)],
    ]
    if not layout.checkpointing:
        saying = "trainer.activation_checkpointing=true"
        ways += [
            [(saying, again, recomputing)],
            [(f"{saying} {_accumulating(each)}", each, f"{recomputing}, smaller products") for each in _smaller(again)],
            [
                (f"{saying} {_sharding(each)}", each, f"{recomputing}, communication")
                for each in _shardings(again, num_devices)
            ],
        ]
    return ways


def _smaller(layout: Layout) -> list[Layout]:
    """The same step in more micro-batches, down to single sequences."""
    whole, found = layout.sequences * layout.accumulate, []
    accumulate = 2 * layout.accumulate
    while accumulate < whole:
        if whole % accumulate == 0:
            found.append(replace(layout, sequences=whole // accumulate, accumulate=accumulate))
        accumulate *= 2
    return [*found, replace(layout, sequences=1, accumulate=whole)] if layout.sequences > 1 else []


def _shardings(layout: Layout, num_devices: int) -> list[Layout]:
    return [replace(layout, zero_stage=stage) for stage in range(layout.zero_stage + 1, 4 if num_devices > 1 else 0)]


def _accumulating(layout: Layout) -> str:
    return f"trainer.accumulate={layout.accumulate}"


def _sharding(layout: Layout) -> str:
    return f"--zero-stage {layout.zero_stage}"
