"""Schedules: scale the learning rate over a run."""

from __future__ import annotations

from zoo.schedules.base import Schedule
from zoo.schedules.constant import Constant
from zoo.schedules.cosine import Cosine
from zoo.schedules.wsd import WarmupStableDecay

__all__ = ["Constant", "Cosine", "Schedule", "WarmupStableDecay"]
