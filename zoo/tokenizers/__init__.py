"""Tokenizers: text to ids and back."""

from __future__ import annotations

from zoo.tokenizers._load import load_tokenizer
from zoo.tokenizers.base import Tokenizer
from zoo.tokenizers.bpe import BPETokenizer
from zoo.tokenizers.byte import ByteTokenizer
from zoo.tokenizers.char import CharTokenizer
from zoo.tokenizers.word import WordTokenizer

__all__ = ["BPETokenizer", "ByteTokenizer", "CharTokenizer", "Tokenizer", "WordTokenizer", "load_tokenizer"]
