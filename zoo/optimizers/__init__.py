"""Optimizers: move parameters."""

from __future__ import annotations

from zoo.optimizers.adamw import AdamW
from zoo.optimizers.base import Optimizer, OptimizerFactory
from zoo.optimizers.sgd import SGD

__all__ = ["SGD", "AdamW", "Optimizer", "OptimizerFactory"]
