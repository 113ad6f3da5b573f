"""Precision: chooses dtypes. Nothing here imports Lightning before a plugin is asked for."""

from __future__ import annotations

from zoo.precision.base import Precision
from zoo.precision.bf16 import BF16Mixed
from zoo.precision.fp32 import FP32

__all__ = ["FP32", "BF16Mixed", "Precision"]
