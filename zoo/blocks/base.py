"""Wires attention and ffn into the residual stream."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor

from zoo.attention.base import Attention
from zoo.component import Component, Context, Stage
from zoo.ffns.base import Ffn, FfnFactory
from zoo.norms.base import NormFactory


class Block(Component):
    """One layer. A variant builds `self.attention` and `self.ffn` from the factories it receives."""

    needs_final_norm: ClassVar[bool] = True  # whether the decoder norms the stream before the head
    attention: Attention
    ffn: Ffn

    @abstractmethod
    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        """One layer: x_BTD -> x_BTD."""

    def stages(self, seq_len: int, past_len: int = 0) -> list[Stage]:
        """Those of its parts, in the order in which the constructor makes them: a variant makes them in the order in
        which its forward runs them."""
        parts = [part for part in self.children() if isinstance(part, Component)]
        return [stage for part in parts for stage in part.stages(seq_len, past_len)]


class MixerFactory(Protocol):
    """An `AttentionFactory` whose position is settled: the decoder knows it, the block does not."""

    def __call__(self, *, d_model: int, layer: int) -> Attention: ...


class BlockFactory(Protocol):
    def __call__(
        self, *, d_model: int, attention: MixerFactory, ffn: FfnFactory, norm: NormFactory, layer: int
    ) -> Block: ...


def check_dropout(dropout: float) -> float:
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout={dropout} must be in [0, 1)")
    return dropout
