"""Where a token stands. Three kinds, told apart by type; a variant extends exactly one of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

from torch import Tensor

from zoo.component import Component


class Position(Component):
    """Root of the three kinds below; extend one of those instead."""

    @abstractmethod
    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Each kind says what it takes."""


class InputPosition(Position):
    """Adds to the embeddings. The decoder builds it, with `d_model`, and calls it once."""

    @abstractmethod
    def forward(self, x_BTD: Tensor, positions_BT: Tensor) -> Tensor:
        """Embeddings with their positions in them: x_BTD -> x_BTD."""


class RotaryPosition(Position):
    """Turns queries and keys. Each attention builds its own, with `num_heads` and `head_dim`."""

    @abstractmethod
    def forward(self, x_BHTE: Tensor, positions_BT: Tensor) -> Tensor:
        """Queries or keys turned by their absolute positions: x_BHTE -> x_BHTE, same dtype."""


class ScorePosition(Position):
    """Biases attention scores. Each attention builds its own, with `num_heads` and `head_dim`."""

    shared: ClassVar[bool] = False  # one table for all layers (T5)

    @abstractmethod
    def forward(self, query_positions_BT: Tensor, key_positions_BS: Tensor) -> Tensor:
        """What is added to the scores before softmax: bias_BHTS (B may be 1), in fp32."""


class PositionFactory(Protocol):
    """Builds a position: input kinds take `d_model`, the other two `num_heads` and `head_dim`."""

    def __call__(self, *, d_model: int = ..., num_heads: int = ..., head_dim: int = ...) -> Position: ...
