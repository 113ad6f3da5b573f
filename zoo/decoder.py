"""Decoder: embeds, stacks blocks, predicts. The only model file that sees several families."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from zoo.attention.base import AttentionFactory, Cache
from zoo.blocks.base import Block, BlockFactory
from zoo.component import Component, Context, Cost, Embedding, factory_class, total_params
from zoo.ffns.base import FfnFactory
from zoo.heads.base import HeadFactory, HeadLoss
from zoo.norms.base import Norm, NormFactory
from zoo.positions.base import InputPosition, PositionFactory


@dataclass(frozen=True)
class LayerSpec:
    """One entry of `model.layers`: what this layer has instead of the model's own; `repeat` layers in a row."""

    attention: AttentionFactory | None = None
    ffn: FfnFactory | None = None
    norm: NormFactory | None = None
    position: PositionFactory | None = None
    repeat: int = 1

    def __post_init__(self) -> None:
        if self.repeat < 1:
            raise ValueError(f"model.layers: repeat={self.repeat} must be at least 1")


class Decoder(Component):
    """A causal language model over token ids.

    Args:
        vocab_size: of the tokenizer, in tokens.
        d_model: width of the residual stream.
        num_layers: blocks.
        position: an input position is added to the embeddings here; the other kinds go to each attention.
        attention, ffn, norm, block, head: factories, one component per layer; nothing is shared by accident.
        layers: pattern of layers that differ, cycled to `num_layers`; None: all alike.

    Attributes:
        checkpointing: whether a training pass keeps each block's input alone and runs the block again for its
            gradients (Chen et al. 2016, arXiv 1604.06174): memory for time.

    Raises:
        ValueError: a size below 1, or an input position in one of `layers`.
    """

    checkpointing: bool = False

    def __init__(
        self,
        *,
        vocab_size: int,
        d_model: int,
        num_layers: int,
        position: PositionFactory,
        attention: AttentionFactory,
        ffn: FfnFactory,
        norm: NormFactory,
        block: BlockFactory,
        head: HeadFactory,
        layers: list[LayerSpec] | None,
    ):
        super().__init__()
        for name, value in (("vocab_size", vocab_size), ("d_model", d_model), ("num_layers", num_layers)):
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self.vocab_size, self.d_model, self.num_layers = vocab_size, d_model, num_layers
        self.embedding = Embedding(vocab_size=vocab_size, d_model=d_model)
        at_input = issubclass(factory_class(position), InputPosition)
        self.position = position(d_model=d_model) if at_input else None
        per_layer = None if at_input else position
        self.layers = nn.ModuleList()
        for index, spec in enumerate(_pattern(layers, num_layers)):
            where = per_layer if spec.position is None else spec.position
            if spec.position is not None and issubclass(factory_class(spec.position), InputPosition):
                name = factory_class(spec.position).__name__
                raise ValueError(f"model.layers: {name} adds to the embeddings, so it cannot differ per layer")
            mixer = functools.partial(spec.attention or attention, position=where)
            self.layers.append(
                block(d_model=d_model, attention=mixer, ffn=spec.ffn or ffn, norm=spec.norm or norm, layer=index)
            )
        self.norm = norm(d_model=d_model) if any(block.needs_final_norm for block in self.blocks) else None
        self.head = head(d_model=d_model, vocab_size=vocab_size, embedding=self.embedding)

    @property
    def blocks(self) -> list[Block]:
        """The layers, with their type."""
        return cast(list[Block], list(self.layers))

    def forward(self, ids_BT: Tensor, ctx: Context | None = None) -> Tensor:
        """Last hidden states, ready for the head: ids_BT -> x_BTD. With `ctx.cache`, ids are the new tokens only."""
        ctx = self.context(ids_BT) if ctx is None else ctx
        x_BTD = self.embedding(ids_BT)
        if self.position is not None:
            x_BTD = self.position(x_BTD, ctx.positions_BT)
        recompute = self.checkpointing and torch.is_grad_enabled() and ctx.cache is None
        for layer in self.layers:
            x_BTD = checkpoint(layer, x_BTD, ctx, use_reentrant=False) if recompute else layer(x_BTD, ctx)
        if ctx.cache is not None:
            ctx.cache.length += ids_BT.shape[1]
        return x_BTD if self.norm is None else self.norm(x_BTD)

    def context(self, ids_BT: Tensor, *, documents_BT: Tensor | None = None, cache: Cache | None = None) -> Context:
        """Context of tokens that stand in a row, after those in `cache`."""
        start = 0 if cache is None else cache.length
        positions_T = torch.arange(start, start + ids_BT.shape[1], device=ids_BT.device)
        return Context(positions_BT=positions_T.expand(ids_BT.shape), documents_BT=documents_BT, cache=cache)

    def new_cache(self, batch_size: int, max_len: int, **kwargs: Any) -> Cache:
        """An empty cache of every layer; keywords `device` and `dtype`."""
        return Cache([block.attention.new_cache(batch_size, max_len, **kwargs) for block in self.blocks])

    def logits(self, ids_BT: Tensor, ctx: Context | None = None) -> Tensor:
        """Scores of the next token at every position: ids_BT -> logits_BTV."""
        return self.head.logits(self(ids_BT, ctx))

    def loss(self, ids_BT: Tensor, targets_BT: Tensor, ctx: Context | None = None) -> HeadLoss:
        return self.head.loss(self(ids_BT, ctx), targets_BT)

    def parts(self) -> list[tuple[str, Component]]:
        """(family, component) of all that costs, from input to output: what accounting adds up."""
        parts: list[tuple[str, Component]] = [("embedding", self.embedding)]
        if self.position is not None:
            parts.append(("positions", self.position))
        parts += [("blocks", block) for block in self.blocks]
        if self.norm is not None:
            parts.append(("norms", self.norm))
        return [*parts, ("heads", self.head)]

    def members(self) -> list[tuple[str, Component]]:
        """(family, component) of every part that a recipe chooses, those of the blocks too; `blocks` is what is left
        to the blocks themselves."""
        members = self.parts()
        for block in self.blocks:
            members += [("attention", block.attention), ("ffns", block.ffn)]
            members += [("norms", part) for part in block.modules() if isinstance(part, Norm)]
        return members

    def cost(self, seq_len: int, past_len: int = 0) -> Cost:
        return sum((part.cost(seq_len, past_len) for _, part in self.parts()), Cost())

    def active_params(self) -> int:
        idle = sum(total_params(block) - block.active_params() for block in self.blocks)
        return total_params(self) - idle


def _pattern(layers: list[LayerSpec] | None, num_layers: int) -> list[LayerSpec]:
    if layers is None:
        return [LayerSpec()] * num_layers
    cycle = [spec for spec in layers for _ in range(spec.repeat)]
    if not cycle:
        raise ValueError("model.layers is empty: leave it null, or name at least one layer")
    return [cycle[i % len(cycle)] for i in range(num_layers)]
