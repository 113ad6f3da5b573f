"""Bits per byte: compression of raw text, the one loss that compares across tokenizers.

    bits per byte = (summed nats / ln 2) / bytes of raw text

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

    The nats of the tokens between documents count and have no bytes. Sums are exact over devices: float64 nats and
    int64 bytes.

    >>> metric = BitsPerByte()
    >>> metric.update(nats_sum=torch.tensor(8 * math.log(2)), num_bytes=4)  # 8 bits for 4 bytes
    >>> round(float(metric.compute()), 6)
    2.0

    Attributes:
        nats: summed cross-entropy.
        num_bytes: of raw text.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = False
    nats: Tensor
    num_bytes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("nats", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_bytes", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, nats_sum: Tensor | float, num_bytes: Tensor | int) -> None:
        """Add a batch: nats summed over its scored targets, and the bytes booked on it."""
        nats_sum = nats_sum.detach().double() if isinstance(nats_sum, Tensor) else nats_sum
        self.nats += nats_sum
        self.num_bytes += num_bytes

    def compute(self) -> Tensor:
        """Bits per byte, float64; nan, with a warning, where no bytes were scored."""
        if int(self.num_bytes) == 0:
            warnings.warn("bits per byte of no text: no whole document was scored, the result is nan", stacklevel=2)
            return torch.full_like(self.nats, math.nan)
        return self.nats / math.log(2) / self.num_bytes

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> Any:
        """Moves to a device; the sum stays float64 also where the model around it becomes bfloat16."""
        moved = super()._apply(fn, exclude_state)
        self.nats, self._defaults["nats"] = self.nats.double(), torch.zeros_like(self.nats, dtype=torch.float64)
        return moved
