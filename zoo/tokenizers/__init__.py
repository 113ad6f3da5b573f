"""Tokenizers: text to ids and back."""

from __future__ import annotations

from zoo.tokenizers.base import Tokenizer
from zoo.tokenizers.bpe import BPETokenizer
from zoo.tokenizers.byte import ByteTokenizer
from zoo.tokenizers.char import CharTokenizer

__all__ = ["BPETokenizer", "ByteTokenizer", "CharTokenizer", "Tokenizer"]
