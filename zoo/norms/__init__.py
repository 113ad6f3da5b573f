"""Norms: keep the scale of activations."""

from __future__ import annotations

from zoo.norms.base import Norm, NormFactory
from zoo.norms.layer import LayerNorm
from zoo.norms.rms import RMSNorm

__all__ = ["LayerNorm", "Norm", "NormFactory", "RMSNorm"]
