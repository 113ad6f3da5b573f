"""Training of `benchmarks/tokenizers.py`: zoo beside `tokenizers`, each in a process of its own, for its peak memory.

python benchmarks/_bpe_training.py zoo    # trains once and prints seconds, bytes and a hash of the vocabulary
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

VOCAB_SIZE = 32_768
END = "<|endoftext|>"
Vocabulary = Callable[[], list[bytes]]  # what was learned, in its order


def library(*, tests: bool) -> list[str]:
    """Sources of the standard library, a document per module."""
    from zoo.data import PythonDocs

    return list(PythonDocs(kinds=["source"], include_tests=tests).documents())


def zoo() -> tuple[Callable[[list[str]], Any], Vocabulary]:
    from zoo.tokenizers import BPETokenizer

    BPETokenizer(vocab_size=300).train(["compiled before the clock runs"])
    tokenizer = BPETokenizer(vocab_size=VOCAB_SIZE, tie_break="huggingface")
    return tokenizer.train, lambda: [a + b for a, b in tokenizer.merges]


def hugging_face() -> tuple[Callable[[list[str]], Any], Vocabulary]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )

    def learned() -> list[bytes]:
        alphabet = _alphabet()
        names = sorted(theirs.get_vocab().items(), key=lambda item: item[1])[257:]
        return [bytes(alphabet[char] for char in name) for name, _ in names]

    return lambda texts: theirs.train_from_iterator(texts, trainer), learned


def _alphabet() -> dict[str, int]:
    from zoo.tokenizers._bpe_train import PRINTABLE

    others = [byte for byte in range(256) if byte not in PRINTABLE]
    return {chr(byte): byte for byte in PRINTABLE} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


TRAINERS = {"zoo": zoo, "tokenizers": hugging_face}


def main() -> None:
    sys.path.pop(0)  # the folder of this file, which has one that bears the name of a peer
    texts = library(tests=True)
    train, learned = TRAINERS[sys.argv[1]]()
    base, began = _peak(), time.perf_counter()
    train(texts)
    found = {"seconds": time.perf_counter() - began, "bytes": _peak() - base}
    print(json.dumps(found | {"sha256": hashlib.sha256(b"\0".join(learned())).hexdigest()}))


if __name__ == "__main__":
    main()
