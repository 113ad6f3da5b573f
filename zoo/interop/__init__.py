"""Files of other packages, read and written."""

from __future__ import annotations

from zoo.interop.pretrained import PretrainedTokenizer
from zoo.interop.rank_file import ENCODINGS
from zoo.interop.tokenizer_files import (
    read_gpt2,
    read_huggingface,
    read_tiktoken,
    write_gpt2,
    write_huggingface,
    write_tiktoken,
)

__all__ = [
    "ENCODINGS",
    "PretrainedTokenizer",
    "read_gpt2",
    "read_huggingface",
    "read_tiktoken",
    "write_gpt2",
    "write_huggingface",
    "write_tiktoken",
]
