"""How many tokens a second the loader feeds on one core: micro-batches as tensors, from memory-mapped shards.

python benchmarks/loader.py

Text is made up: documents of lognormal length (mean 500 tokens, as web pages have) over a vocabulary of 50,000, in
two shards that the page cache holds. A figure of another disk is another figure. Timed is what training waits for:
`next` on `TextData`'s own iterator.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from _results import spread, write

from zoo.data.batches import TrainBatches
from zoo.data.store import StoredSource
from zoo.data.stream import StreamWriter, TokenStream
from zoo.data.text import MicroBatches

NUM_TOKENS, VOCAB_SIZE, SHARD_TOKENS = 100_000_000, 50_000, 60_000_000
RUNS, TOKENS_PER_RUN = 5, 8_000_000
TARGET = 20_000_000
SHAPES = ((1024, 16), (1024, 512), (128, 16))  # seq_len, batch_size
LAYOUTS: dict[str, dict[str, Any]] = {
    "concat": {},
    "concat, document mask": {"document_mask": True},
    "best_fit": {"packing": "best_fit"},
    "best_fit, document mask": {"packing": "best_fit", "document_mask": True},
}


class SyntheticStore:
    """What `TrainBatches` asks of a store, over files of the same form.

    Args:
        folder: that the files are written into.
    """

    def __init__(self, folder: Path):
        draw = np.random.default_rng(0)
        lengths = draw.lognormal(5.7, 1.0, size=NUM_TOKENS // 400).astype(np.int64) + 1
        self.ends = 1 + np.cumsum(lengths)
        self.ends = self.ends[self.ends < NUM_TOKENS]
        tokens = draw.integers(1, VOCAB_SIZE, size=int(self.ends[-1]), dtype=np.uint16)
        tokens[0] = 0
        tokens[self.ends - 1] = 0
        writer = StreamWriter(folder, "train", np.dtype("<u2"), SHARD_TOKENS)
        writer.append(tokens)
        writer.close()
        self.stream = TokenStream(folder, [(s["name"], s["num_tokens"]) for s in writer.shards], np.dtype("<u2"))
        self.tokenizer = SimpleNamespace(end_of_text=0)
        self.sources: tuple[StoredSource, ...] = (StoredSource("all", 1.0, 0, len(tokens)),)

    def mixed(self, weights: Sequence[float]) -> SyntheticStore:
        """The same tokens as sources of equal size."""
        borders = [0, *(len(self.ends) * (i + 1) // len(weights) - 1 for i in range(len(weights)))]
        edges = [0, *(int(self.ends[i]) - 1 for i in borders[1:])]
        store = object.__new__(SyntheticStore)
        store.__dict__ = dict(self.__dict__)
        store.sources = tuple(
            StoredSource(f"source {i}", weight, edges[i], edges[i + 1] + 1) for i, weight in enumerate(weights)
        )
        return store

    def document_ends(self, split: str) -> np.ndarray:
        return self.ends

    def tokens(self, split: str, start: int, stop: int) -> np.ndarray:
        return self.stream.read(start, stop)


def measure(store: SyntheticStore, seq_len: int, batch_size: int, options: dict[str, Any]) -> dict[str, Any]:
    began = time.perf_counter()
    batches = TrainBatches(store, seed=0, seq_len=seq_len, batch_size=batch_size, **options)  # type: ignore[arg-type]
    prepared = time.perf_counter() - began
    data = SimpleNamespace(batches=batches, accumulate=1, rank=(0, 1), trainer=None)
    loader = iter(MicroBatches(data))  # type: ignore[arg-type]
    next(loader)  # draws the order of the first epoch
    steps = max(1, TOKENS_PER_RUN // (seq_len * batch_size))
    rates = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for _batch in itertools.islice(loader, steps):
            pass
        rates.append(steps * seq_len * batch_size / (time.perf_counter() - began))
    return {"preparation_seconds": prepared, "tokens_per_second": spread(rates), "efficiency": batches.efficiency}


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        single = SyntheticStore(Path(folder))
        stores = {"one source": single, "mixture of 3": single.mixed([0.6, 0.3, 0.1])}
        measure(single, 128, 16, {"packing": "best_fit"})  # compiles, or reads the cache
        for seq_len, batch_size in SHAPES:
            for (name, store), (layout, options) in itertools.product(stores.items(), LAYOUTS.items()):
                measured = measure(store, seq_len, batch_size, options)
                row = {"seq_len": seq_len, "batch_size": batch_size, "store": name, "layout": layout, **measured}
                rows.append(row | {"target_tokens_per_second": TARGET})
                rate = measured["tokens_per_second"]["median"] / 1e6
                print(f"{seq_len:>5} x {batch_size:<4} {name:<13} {layout:<24} {rate:7.1f}M tokens/s, prepared in "
                      f"{measured['preparation_seconds']:.2f} s, {measured['efficiency']:.2%} targets")  # fmt: skip
    print(write("loader", rows))


if __name__ == "__main__":
    main()
