"""Bits per byte: compression of raw text, the one loss that compares across tokenizers.

    bits per byte = (summed nats / ln 2 + bits to spell what the tokens do not tell) / bytes of raw text

Source: the measure of text compression benchmarks (Mahoney's Large Text Compression Benchmark), for language models as
in The Pile (Gao et al. 2020, arXiv 2101.00027, section 3.1).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class BitsPerByte(Metric):
    """Summed nats of all scored tokens, over the UTF-8 bytes of the raw text that they stand for.

    The nats of the tokens between documents count and have no bytes. A lossy tokenizer pays for what its tokens do not
    tell, or it would win by throwing words away. Sums over devices: float64 nats, and exactly, int64 bytes and the bits
    that `zoo.data.byte_model` gives.

    >>> metric = BitsPerByte()
    >>> metric.update(nats_sum=torch.tensor(8 * math.log(2)), num_bytes=4)  # 8 bits for 4 bytes
    >>> round(float(metric.compute()), 6)
    2.0

    >>> metric.update(nats_sum=0.0, num_bytes=4, lost_bits=16.0)  # nothing to predict, and 16 bits to spell 4 bytes
    >>> round(float(metric.compute()), 6)
    3.0

    Attributes:
        nats: summed cross-entropy.
        num_bytes: of raw text.
        lost_bits: to spell what the tokens do not tell.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = False
    nats: Tensor
    num_bytes: Tensor
    lost_bits: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("nats", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_bytes", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("lost_bits", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, nats_sum: Tensor | float, num_bytes: Tensor | int, lost_bits: Tensor | float = 0.0) -> None:
        """Add a batch: nats summed over its scored targets, the bytes booked on it, and the bits to spell what was lost
        of them."""
        nats_sum = nats_sum.detach().double() if isinstance(nats_sum, Tensor) else nats_sum
        self.nats += nats_sum
        self.num_bytes += num_bytes
        self.lost_bits += lost_bits

    def compute(self) -> Tensor:
        """Bits per byte, float64; nan, with a warning, where no bytes were scored."""
        if int(self.num_bytes) == 0:
            warnings.warn("bits per byte of no text: no whole document was scored, the result is nan", stacklevel=2)
            return torch.full_like(self.nats, math.nan)
        return (self.nats / math.log(2) + self.lost_bits) / self.num_bytes

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> Any:
        """Moves to a device; the sums stay float64 also where the model around them becomes bfloat16."""
        moved = super()._apply(fn, exclude_state)
        for name in ("nats", "lost_bits"):
            value = getattr(self, name).double()
            setattr(self, name, value)
            self._defaults[name] = torch.zeros_like(value)
        return moved
