"""Positions: where a token stands."""

from __future__ import annotations

from zoo.positions.base import InputPosition, Position, PositionFactory, RotaryPosition, ScorePosition
from zoo.positions.none import NoPosition
from zoo.positions.rotary import RotaryEmbedding

__all__ = [
    "InputPosition",
    "NoPosition",
    "Position",
    "PositionFactory",
    "RotaryEmbedding",
    "RotaryPosition",
    "ScorePosition",
]
