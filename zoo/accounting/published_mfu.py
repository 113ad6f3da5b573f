"""What MFU others reached, to estimate a time from before anything runs here. Each row counts all query-key pairs, as
PaLM does, unless it says otherwise: an estimate must count so too."""

from __future__ import annotations

from dataclasses import dataclass

import torch

GUESS = (0.3, 0.4, 0.5)  # where nobody published a figure: low, middle, high
FAR = 10  # times larger or smaller, and a run says nothing of another


@dataclass(frozen=True)
class PublishedMfu:
    """A run, or runs, that somebody published.

    Attributes:
        model: its name.
        params: of the smallest and of the largest.
        devices: first words of `Device.name` that the row speaks for: of the same rates.
        mfu: lowest and highest.
        source: where it stands.
    """

    model: str
    params: tuple[float, float]
    devices: tuple[str, ...]
    mfu: tuple[float, float]
    source: str


_HOPPER = ("h100", "h200", "gh200")
ROWS = (
    PublishedMfu("GPT-2", (124e6, 124e6), ("a100",), (0.371, 0.371), "karpathy/nanoGPT, transformer_sizing.ipynb"),
    PublishedMfu("Megatron-LM 22B to 1T", (22e9, 1e12), ("a100",), (0.415, 0.563), "arXiv 2205.05198, table 5"),
    PublishedMfu("MPT 1B to 70B", (1e9, 70e9), _HOPPER, (0.367, 0.457), "mosaicml/llm-foundry, training benchmarks"),
    PublishedMfu("Llama 3.1 8B", (8e9, 8e9), _HOPPER, (0.337, 0.390), "pytorch/torchtitan, benchmarks, December 2024"),
    PublishedMfu(
        "Llama 3 405B", (405e9, 405e9), _HOPPER, (0.38, 0.43), "arXiv 2407.21783, table 4 (does not say how it counts)"
    ),
    PublishedMfu("PaLM 540B", (540e9, 540e9), ("tpu",), (0.462, 0.462), "arXiv 2204.02311, table 3"),
)


@dataclass(frozen=True)
class MfuEstimate:
    """What share of the peak a run may reach.

    Attributes:
        low, middle, high: of the peak.
        source: who says so.
        palm: whether FLOPs count all query-key pairs.
    """

    low: float
    middle: float
    high: float
    source: str
    palm: bool


def published_mfu(device: str, params: float, dtype: torch.dtype = torch.bfloat16) -> MfuEstimate:
    """From the published run nearest in size on this device's kind, or a guess that calls itself one.

    Args:
        device: `Device.name`.
        params: of the model.
        dtype: that it multiplies in; all published runs have 16 bits.
    """
    rows = [row for row in ROWS if device.split("-")[0] in row.devices]
    if not rows:
        return _guess("nobody's figure for this device is known here")
    if dtype not in (torch.bfloat16, torch.float16):
        return _guess("published runs multiply in 16 bits")

    def distance(row: PublishedMfu) -> tuple[float, float]:
        smallest, largest = row.params
        return max(smallest / params, params / largest, 1.0), largest / smallest  # of two that fit, the narrower

    nearest = min(rows, key=distance)
    if distance(nearest)[0] > FAR:
        return _guess(f"no published run on this device is within {FAR} times of this size")
    low, high = nearest.mfu[0], nearest.mfu[1]
    middle = (low + high) / 2
    if low == high:
        low, high = min(row.mfu[0] for row in rows), max(row.mfu[1] for row in rows)
    return MfuEstimate(low, middle, high, f"{nearest.model} ({nearest.source})", palm=True)


def _guess(why: str) -> MfuEstimate:
    low, middle, high = GUESS
    return MfuEstimate(low, middle, high, f"a guess: {why}", palm=True)
