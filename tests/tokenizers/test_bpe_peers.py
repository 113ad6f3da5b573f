"""The same vocabulary as Hugging Face `tokenizers`, and the same ids as `tiktoken`."""

from __future__ import annotations

import inspect

import pytest
import tiktoken
import tokenizers as hf

from zoo.tokenizers import BPETokenizer
from zoo.tokenizers._pretokens import PATTERNS

TEXTS = [
    inspect.getsource(inspect),
    "they'll SAY it'S 1234567 ...  \r\n\n\t naïve café 試験 🙂🙂 aaaaaaa\u00a0\u2028 end\n",
]


def test_vocabulary_of_huggingface() -> None:
    theirs = hf.Tokenizer(hf.models.BPE())
    theirs.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = hf.trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=hf.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator(TEXTS, trainer)
    ours = BPETokenizer(vocab_size=1500, tie_break="huggingface")
    ours.train(TEXTS)
    byte_of = {char: ours.decode_bytes([i]) for i, char in enumerate_gpt2_bytes()}
    names = sorted(theirs.get_vocab().items(), key=lambda item: item[1])
    learned = [b"".join(byte_of[char] for char in name) for name, i in names if i >= 257]
    assert learned == [a + b for a, b in ours.merges]
    for text in TEXTS:
        pieces = [b"".join(byte_of[char] for char in name) for name in theirs.encode(text).tokens]
        assert pieces == [ours.decode_bytes([i]) for i in ours.encode(text)]


def enumerate_gpt2_bytes() -> list[tuple[int, str]]:
    """(our id, GPT-2's character) of each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return [(1 + byte, character) for byte, character in characters.items()]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ids_of_tiktoken(pattern: str) -> None:
    ours = BPETokenizer(vocab_size=1500, pattern=pattern)
    ours.train(TEXTS)
    tokens = [ours.decode_bytes([i]) for i in range(1, ours.vocab_size)]
    theirs = tiktoken.Encoding(
        name="ours",
        pat_str=PATTERNS[pattern],
        mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
        special_tokens={},
    )
    for text in [*TEXTS, "unseen Ωmega words", "tail\n ", " \r \n"]:
        assert [1 + i for i in theirs.encode(text)] == ours.encode(text)
