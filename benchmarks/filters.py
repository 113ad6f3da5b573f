"""What a pass of each filter costs, on the sources of the standard library, one thread; MinHash beside `datasketch`.

OMP_NUM_THREADS=1 python benchmarks/filters.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import xxhash
from _results import spread, write
from datasketch import MinHash, MinHashLSH

from zoo.data.corpora import PythonDocs
from zoo.data.filters import Filter
from zoo.data.filters._sieve import Sieve
from zoo.families import variants

RUNS = 5
NUM_HASHES, BANDS, ROWS, THRESHOLD, SHINGLE_WORDS = 128, 18, 7, 0.8, 5  # of MinHashDedup's defaults
Pass = Callable[[list[str]], int]  # documents to the number of those that stay


def main() -> None:
    corpus = PythonDocs(kinds=["source"])
    texts = list(corpus.documents())
    num_bytes = sum(len(text.encode()) for text in texts)
    passes: dict[str, Pass] = {name: _through(cls()) for name, cls in variants("filters").items()}
    passes["datasketch, xxh32"] = lambda some: _datasketch(some, xxhash.xxh32_intdigest)
    passes["datasketch, its sha1"] = lambda some: _datasketch(some, None)
    first: dict[str, float] = {}
    for name, run in passes.items():  # compiled or loaded, so that no run pays for it
        began = time.perf_counter()
        run(texts[:1])
        first[name] = time.perf_counter() - began
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    kept: dict[str, int] = {}
    for _ in range(RUNS):
        for name, run in passes.items():  # in turn, so that a slow spell of the machine hits all alike
            began = time.perf_counter()
            kept[name] = run(texts)
            seconds[name].append(time.perf_counter() - began)
    rows = []
    for name, values in seconds.items():
        each = spread(values)
        rate = {
            "documents_per_second": len(texts) / each["median"],
            "megabytes_per_second": num_bytes / each["median"] / 1e6,
        }
        rows.append(
            {
                "filter": name,
                "seconds": each,
                **rate,
                "first_call_seconds": first[name],
                "documents": len(texts),
                "kept": kept[name],
                "bytes": num_bytes,
                "corpus": corpus.fingerprint(),
            }
        )
        print(
            f"{name:<22} {rate['documents_per_second']:>8,.0f} documents/s {rate['megabytes_per_second']:>7.1f} MB/s, "
            f"kept {kept[name]} of {len(texts)}"
        )
    print(write("filters", rows))


def _through(one: Filter) -> Pass:
    """A filter as `FilteredCorpus` runs it: with its counts."""

    def run(texts: list[str]) -> int:
        sieve = Sieve([one])
        return sum(sieve.apply(text) is not None for text in texts)

    return run


def _datasketch(texts: list[str], hashfunc: Callable[[bytes], int] | None) -> int:
    """The same bands, shingles and threshold, through the library: its index, its vectorised update."""
    index = MinHashLSH(num_perm=NUM_HASHES, params=(BANDS, ROWS))
    empty = MinHash(num_perm=NUM_HASHES, hashfunc=hashfunc)
    signatures: list[MinHash] = []
    for text in texts:
        words = text.lower().split()
        count = max(1, len(words) - SHINGLE_WORDS + 1)
        own = empty.copy()
        own.update_batch(list({" ".join(words[i : i + SHINGLE_WORDS]).encode() for i in range(count)}))
        if not any(own.jaccard(signatures[i]) >= THRESHOLD for i in index.query(own)):
            index.insert(len(signatures), own)
            signatures.append(own)
    return len(signatures)


if __name__ == "__main__":
    main()
