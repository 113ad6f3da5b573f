"""Whether a step fits a device, bytes against bytes, and the cheapest changes that would make it fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations, product
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
    """The same, with what would make it fit: each kind of change in the mildest form that does, and of several kinds
    together only what one alone does not.

    Args:
        fit: of the layout.
        weigh: the memory of any layout.
        num_devices: among which something could be sharded.
        recomputed: share of training FLOPs that checkpointing adds.
    """
    if fit.missing_bytes == 0:
        return fit
    smaller, sharding = _smaller(layout), _shardings(layout, num_devices)
    kinds: dict[str, list[_Change]] = {}
    if smaller:
        kinds["accumulate"] = [{"sequences": each, "accumulate": number} for each, number in smaller]
    if sharding:
        kinds["shard"] = [{"zero_stage": stage} for stage in sharding]
    if not layout.checkpointing:
        kinds["recompute"] = [{"checkpointing": True}]
    found: dict[frozenset[str], Remedy] = {}
    for number in range(1, len(kinds) + 1):
        for names in combinations(kinds, number):
            if any(known <= set(names) for known in found):
                continue
            strongest = [kinds[name][-1:] for name in names[:-1]] + [kinds[names[-1]]]
            remedy = _mildest([_joined(each) for each in product(*strongest)], layout, weigh, target, recomputed)
            if remedy is not None:
                found[frozenset(names)] = remedy
    return replace(fit, remedies=tuple(found.values()))


_Change = dict[str, int | bool]


def _joined(changes: Iterable[_Change]) -> _Change:
    return {key: value for change in changes for key, value in change.items()}


def _mildest(
    changes: list[_Change],
    layout: Layout,
    weigh: Callable[[Layout], StepMemory],
    target: Target,
    recomputed: float,
) -> Remedy | None:
    """The first of some changes, each stronger than the one before, with which the step fits; by bisection."""
    peaks: dict[int, int] = {}

    def fits(i: int) -> bool:
        peaks[i] = weigh(replace(layout, **changes[i])).peak_bytes  # type: ignore[arg-type]
        return fit_of(peaks[i], target).verdict == "fits"

    low, high = 0, len(changes) - 1
    if not fits(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    change = changes[high]
    words, prices = [], []
    if "checkpointing" in change:
        words.append("--trainer.activation_checkpointing=true")
        prices.append(f"{recomputed:.0%} more FLOPs")
    if "zero_stage" in change:
        words.append(f"--zero-stage {change['zero_stage']}")
        prices.append("communication")
    if "accumulate" in change:
        words.append(f"--trainer.accumulate={change['accumulate']}")
        prices.append("smaller products")
    return Remedy(" ".join(words), peaks[high], ", ".join(prices))


def _smaller(layout: Layout) -> list[tuple[int, int]]:
    """(sequences, micro-batches) of the same step in smaller micro-batches, down to single sequences."""
    whole = layout.sequences * layout.accumulate
    numbers = [layout.accumulate * 2**power for power in range(1, whole.bit_length())]
    found = [(whole // number, number) for number in numbers if number < whole and whole % number == 0]
    return [*found, (1, whole)] if layout.sequences > 1 else []


def _shardings(layout: Layout, num_devices: int) -> list[int]:
    return list(range(layout.zero_stage + 1, 4)) if num_devices > 1 else []
