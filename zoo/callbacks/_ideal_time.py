"""The least seconds in which devices at their peak could have done some work: what MFU holds the measured time against.

Products in several dtypes (float8 layers, bfloat16 attention) are a sum of FLOPs over peaks by dtype; with one dtype
ideal time over measured time is the usual MFU.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.plugins.precision import Precision

from zoo.accounting.devices import Peak
from zoo.accounting.peak import peak_of

Flops = float | Mapping[torch.dtype, float]  # mapping: by the dtype that multiplies
Peaks = Peak | Mapping[torch.dtype, Peak]

_MULTIPLIES_IN = {
    "bf16-mixed": torch.bfloat16,
    "bf16-true": torch.bfloat16,
    "16-mixed": torch.float16,
    "16-true": torch.float16,
    "32-true": torch.float32,
    "64-true": torch.float64,
}


def stated(given: Any, module: LightningModule, argument: str | None, method: str) -> Any:
    """What the user gave, or what the module says of itself.

    Args:
        argument: by which the user could give it, where there is no going on without; None: None is returned then.

    Raises:
        ValueError: neither is there.
    """
    if given is not None:
        return given
    says = getattr(module, method, None)
    if says is not None:
        return says()
    if argument is not None:
        raise ValueError(
            f"ThroughputMonitor has no {argument}: give it, or write a method {method}() in {type(module).__name__}"
        )
    return None


def check_amounts(**given: Flops | None) -> None:
    """Refuse what is no amount.

    Raises:
        ValueError: a number that is not above 0, or not finite.
    """
    for name, amount in given.items():
        for each in amount.values() if isinstance(amount, Mapping) else (amount,):
            if each is not None and not 0 < each < math.inf:
                raise ValueError(f"{name}={each}: expected a finite number above 0")


def total_flops(flops: Flops | None) -> float:
    if flops is None:
        return math.nan
    return sum(flops.values()) if isinstance(flops, Mapping) else flops


def peaks_of(device: torch.device, works: Iterable[Flops | None], plugin: Any) -> dict[torch.dtype, Peak]:
    """The device's peaks in the dtypes that some works are in: those of their mappings, the plugin's for numbers.

    Raises:
        ValueError: the plugin does not tell its dtype, or the device has no peak in one.
    """
    known = [work for work in works if work is not None]
    dtypes = dict.fromkeys(dtype for work in known if isinstance(work, Mapping) for dtype in work)
    if not all(isinstance(work, Mapping) for work in known):
        dtypes[compute_dtype(plugin)] = None
    return {dtype: peak_of(device, dtype) for dtype in dtypes}


def ideal_seconds(flops: Flops | None, peak: Peaks | None, argument: str) -> float:
    """Seconds on one device; NaN where the work or the peak is not known.

    Args:
        flops: of the work; a number where there is one peak, whose dtype it is then in.
        peak: of one device.
        argument: what the user calls these FLOPs.

    Raises:
        ValueError: FLOPs in a dtype that has no peak, or that do not say in which of several they are.
    """
    if flops is None or peak is None:
        return math.nan
    peaks = {peak.dtype: peak} if isinstance(peak, Peak) else peak
    if not isinstance(flops, Mapping):
        if len(peaks) != 1:
            raise ValueError(
                f"{argument} is one number, and peak is of {_words(peaks)}: give FLOPs as a mapping of torch.dtype too"
            )
        flops = dict.fromkeys(peaks, flops)
    missing = [dtype for dtype in flops if dtype not in peaks]
    if missing:
        raise ValueError(
            f"{argument} has FLOPs in {_words(missing)}, and peak is of {_words(peaks)}: give its peak too"
        )
    return sum(count / peaks[dtype].flops_per_second for dtype, count in flops.items())


def compute_dtype(plugin: Any) -> torch.dtype:
    """The dtype that a Trainer's precision plugin lets matrices multiply in.

    Raises:
        ValueError: the plugin does not tell. One of the user's own that changes what is computed in, and states no
            `precision`, inherits the word "32-true" and is not believed.
    """
    word = getattr(plugin, "precision", None)
    kind = type(plugin)
    silent = word == Precision.precision and "precision" not in vars(plugin)
    changes = ("convert_module", "convert_input", "forward_context")
    unclear = silent and any(getattr(kind, name) is not getattr(Precision, name) for name in changes)
    if unclear or word not in _MULTIPLIES_IN:
        what = kind.__name__ if unclear else f"precision={word!r}"
        raise ValueError(
            f'peak="auto" does not know what {what} multiplies in: give a peak, as '
            "zoo.accounting.peak.peak_of(device, dtype) finds it"
        )
    return _MULTIPLIES_IN[word]


def _words(dtypes: Any) -> str:
    return ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes) or "no dtype"
