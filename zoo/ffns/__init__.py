"""Feed-forward layers: mix channels."""

from __future__ import annotations

from zoo.ffns.base import Ffn, FfnFactory
from zoo.ffns.glu import GLU
from zoo.ffns.mlp import MLP

__all__ = ["GLU", "MLP", "Ffn", "FfnFactory"]
