"""Attention: mixes tokens."""

from __future__ import annotations

from zoo.attention.base import Attention, AttentionFactory, HeadAttention
from zoo.attention.full import FullAttention
from zoo.attention.sliding import SlidingWindowAttention

__all__ = ["Attention", "AttentionFactory", "FullAttention", "HeadAttention", "SlidingWindowAttention"]
