"""Heads: predict the next token, and give the loss."""

from __future__ import annotations

from zoo.heads.base import IGNORE_INDEX, Head, HeadFactory, HeadLoss
from zoo.heads.linear import LinearHead
from zoo.heads.tied import TiedHead

__all__ = ["IGNORE_INDEX", "Head", "HeadFactory", "HeadLoss", "LinearHead", "TiedHead"]
