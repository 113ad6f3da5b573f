"""How fast a token store is built: all sources of Python's standard library, 1 and 2 jobs, a tokenizer at a time.

python benchmarks/store.py

The corpus is read from memory, so that a row says what encoding, checking and writing cost, not what parsing the
library does. Stages are timed apart; MB/s are those of encoding, with all that follows it until the store is open.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _results import spread, write

from zoo.data import PythonDocs, TokenStore
from zoo.data.corpora.base import Corpus
from zoo.data.encode import TRIAL_SECONDS, WORTH_SECONDS
from zoo.data.progress import LineProgress
from zoo.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer

RUNS = 3
JOBS = (1, 2)
TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {
    "byte": ByteTokenizer,
    "char": CharTokenizer,
    "word 8k": WordTokenizer,
    "bpe 8k": lambda: BPETokenizer(vocab_size=8192),
}


class Kept(Corpus):
    """Another corpus's documents, read once."""

    def __init__(self, corpus: Corpus):
        self._documents, self._fingerprint = list(corpus.documents()), corpus.fingerprint()
        self.num_bytes = sum(len(text.encode()) for text in self._documents)

    def documents(self) -> Iterator[str]:
        yield from self._documents

    def fingerprint(self) -> str:
        return self._fingerprint


class Stages(LineProgress):
    """Notes when each stage begins."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.began: dict[str, float] = {}

    def _note(self, line: str) -> None:
        self.began.setdefault(line.split()[0], time.perf_counter())


def timed(
    corpus: Corpus, make: Callable[[], Tokenizer], num_jobs: int, home: Path
) -> tuple[dict[str, float], TokenStore]:
    """Seconds of a build: to read and spool, to train, to encode and write, and in all."""
    stages, began = Stages(), time.perf_counter()
    store = TokenStore.build_or_open(corpus, make(), home=home, progress=stages, num_jobs=num_jobs)
    ended = time.perf_counter()
    reading, training, encoding = (stages.began[name] for name in ("reading", "training", "encoding"))
    seconds = {
        "read": training - reading,
        "train": encoding - training,
        "encode": ended - encoding,
        "all": ended - began,
    }
    return seconds, store


def main() -> None:
    corpus = Kept(PythonDocs(kinds=("prose", "source"), include_tests=True))
    rows: list[dict[str, Any]] = []
    for name, make in TOKENIZERS.items():
        seconds: dict[int, dict[str, list[float]]] = {jobs: {} for jobs in JOBS}
        stores = {}
        for _ in range(RUNS + 1):
            for jobs in JOBS:  # in turn, so that a slow spell of the machine hits all alike
                home = Path(tempfile.mkdtemp(prefix="zoo-store-"))
                found, store = timed(corpus, make, jobs, home)
                stores[jobs] = {path.name: path.read_bytes() for path in store.folder.iterdir()}
                shutil.rmtree(home)
                for stage, value in found.items():
                    seconds[jobs].setdefault(stage, []).append(value)
        assert stores[1] == stores[2], "the files must not depend on the number of jobs"
        for jobs in JOBS:
            kept = {
                stage: values[1:] for stage, values in seconds[jobs].items()
            }  # the first compiles, and warms caches
            encode = spread(kept["encode"])
            row = {
                "tokenizer": name,
                "jobs": jobs,
                "num_bytes": corpus.num_bytes,
                "corpus_fingerprint": corpus.fingerprint(),
                "encode_megabytes_per_second": corpus.num_bytes / 1e6 / encode["median"],
                "seconds": {stage: spread(values) for stage, values in kept.items()},
                "trial_seconds": TRIAL_SECONDS,
                "worth_seconds": WORTH_SECONDS,
            }
            rows.append(row)
            print(f"{name:<8} {jobs} jobs: {row['encode_megabytes_per_second']:7.1f} MB/s, {encode['median']:.2f} s")
    print(write("store", rows))


if __name__ == "__main__":
    main()
