"""Blocks: wire attention and feed-forward layer into the residual stream."""

from __future__ import annotations

from zoo.blocks.base import Block, BlockFactory
from zoo.blocks.post_norm import PostNorm
from zoo.blocks.pre_norm import PreNorm

__all__ = ["Block", "BlockFactory", "PostNorm", "PreNorm"]
