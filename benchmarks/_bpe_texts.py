"""Texts and tokenizers of `benchmarks/tokenizers.py`: one vocabulary, in zoo and in its peers."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _bpe_training import END, VOCAB_SIZE, library


def prose() -> list[str]:
    """English: the language reference and all docstrings."""
    from zoo.data import PythonDocs

    return list(PythonDocs().documents())


def about(texts: list[str]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return {"documents": len(texts), "bytes": num_bytes(texts), "sha256": digest.hexdigest()[:16]}


def num_bytes(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def spread_over(texts: list[str], size: int) -> tuple[list[str], list[str]]:
    """Documents from all over a corpus, of about `size` bytes together but not more than half, and the others."""
    step = max(2, round(num_bytes(texts) / size))
    return texts[::step], [text for i, text in enumerate(texts) if i % step]


def trained() -> Any:
    """zoo's tokenizer, trained as `tokenizers` would, so that both have one vocabulary."""
    from zoo.tokenizers import BPETokenizer

    tokenizer = BPETokenizer(vocab_size=VOCAB_SIZE, tie_break="huggingface")
    tokenizer.train(library(tests=False) + prose())
    return tokenizer


def peers(tokenizer: Any) -> tuple[Any, Any]:
    """The same vocabulary in tiktoken and in `tokenizers`."""
    import tiktoken
    import tokenizers

    from zoo.interop import write_huggingface
    from zoo.tokenizers._pretokens import PATTERNS

    ranks = {tokenizer.decode_bytes([i]): i for i in range(1, tokenizer.vocab_size)}
    theirs = tiktoken.Encoding("zoo", pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={END: 0})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        write_huggingface(tokenizer, path)
        return theirs, tokenizers.Tokenizer.from_file(str(path))


def fresh(tokenizer: Any, met: Sequence[str] = ()) -> Any:
    """A copy that has met the words of these texts alone."""
    from zoo.tokenizers import BPETokenizer

    copy = BPETokenizer(vocab_size=VOCAB_SIZE, tie_break="huggingface")
    copy.load_state(tokenizer.state())
    copy.model.encode("")
    copy.model._workspaces.clear()
    copy.encode_arrays([*met, ""])
    return copy
