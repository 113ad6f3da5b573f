"""Initialisations: first values of parameters, by role."""

from __future__ import annotations

from zoo.inits.base import Init
from zoo.inits.gpt2 import GPT2Init
from zoo.inits.xavier import XavierTruncated

__all__ = ["GPT2Init", "Init", "XavierTruncated"]
