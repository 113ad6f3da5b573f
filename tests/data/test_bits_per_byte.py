from __future__ import annotations

import doctest
import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from data_doubles import HALVES, Bytes, ListCorpus, Pairs, sample_texts

from zoo.data import ScoringWindows, TokenStore, bits_per_byte, split_of
from zoo.data.bits_per_byte import BitsPerByte
from zoo.heads.base import IGNORE_INDEX

TEXTS = sample_texts()


def test_the_example() -> None:
    assert doctest.testmod(bits_per_byte) == (0, 5)


@pytest.mark.parametrize(("seq_len", "stride", "num_ranks"), [(32, 32, 1), (48, 16, 3)])
def test_a_unigram_model_scored_by_hand_on_the_raw_text(
    tmp_path: Path, seq_len: int, stride: int, num_ranks: int
) -> None:
    """Two tokenizers over the same text: each equals its brute force; the denominator is the raw text, for both."""
    validation = [text for text in TEXTS if split_of(text, HALVES) == "validation"]
    raw_bytes = sum(len(text.encode()) for text in validation)
    for tokenizer in (Bytes(), Pairs()):
        store = TokenStore.build_or_open(ListCorpus(TEXTS), tokenizer, HALVES, home=tmp_path)
        counts = Counter(i for text in TEXTS for i in [*tokenizer.encode_ordinary(text), tokenizer.end_of_text])
        total = counts.total()
        by_hand = math.fsum(
            -math.log2(counts[i] / total) for text in validation for i in [*tokenizer.encode_ordinary(text), 0]
        )
        nats_V = torch.tensor(
            [-math.log(counts[i] / total) if counts[i] else math.inf for i in range(store.vocab_size)]
        )
        metrics = []
        whole = ScoringWindows(store, "validation", seq_len=seq_len, stride=stride, batch_size=8)
        for rank in range(num_ranks):
            metric = BitsPerByte()
            for batch in whole.for_rank(rank, num_ranks):
                targets = batch["targets_BT"][batch["targets_BT"] != IGNORE_INDEX]
                metric.update(nats_V[targets].sum(), batch["num_bytes"])
            metrics.append(metric)
        nats = sum(float(metric.nats) for metric in metrics)
        assert sum(int(metric.num_bytes) for metric in metrics) == raw_bytes == whole.num_bytes
        assert nats / math.log(2) / raw_bytes == pytest.approx(by_hand / raw_bytes, rel=1e-6)
        merged = metrics[0]
        for metric in metrics[1:]:
            merged.merge_state(metric)
        assert float(merged.compute()) == pytest.approx(by_hand / raw_bytes, rel=1e-6)


def test_sums_are_exact_where_float32_would_lose_them() -> None:
    metric = BitsPerByte()
    metric.update(torch.tensor(2.0**30), 2**40)
    for _ in range(100):
        metric.update(torch.tensor(0.25), 1)
    assert float(metric.nats) == 2**30 + 25
    assert int(metric.num_bytes) == 2**40 + 100
    assert float(metric.compute()) == (2**30 + 25) / math.log(2) / (2**40 + 100)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_that_becomes_half_precision_does_not_take_the_sums_with_it(dtype: torch.dtype) -> None:
    model = torch.nn.ModuleDict({"metric": BitsPerByte()}).to(dtype)
    metric = model["metric"]
    assert isinstance(metric, BitsPerByte)
    for _ in range(2):
        metric.update(1000.0625, 3)
        assert metric.nats.dtype == torch.float64 and float(metric.nats) == 1000.0625
        metric.reset()


def test_no_bytes_is_nan_and_says_so() -> None:
    metric = BitsPerByte()
    metric.update(3.0, 0)
    with pytest.warns(UserWarning, match="bits per byte of no text: no whole document was scored, the result is nan"):
        assert math.isnan(float(metric.compute()))


def test_lost_bits_stand_in_the_numerator_and_survive_half_precision() -> None:
    metric = torch.nn.ModuleDict({"metric": BitsPerByte()}).to(torch.bfloat16)["metric"]
    assert isinstance(metric, BitsPerByte)
    for _ in range(2):
        metric.update(3 * math.log(2), 4, 1000 + 2.0**-20)
        metric.update(torch.tensor(0.0), 0)
        assert metric.lost_bits.dtype == torch.float64 and float(metric.lost_bits) == 1000 + 2.0**-20
        assert float(metric.compute()) == pytest.approx((3 + 1000 + 2.0**-20) / 4, rel=1e-12)
        metric.reset()
        assert float(metric.lost_bits) == 0


def test_no_graph_is_kept() -> None:
    metric = BitsPerByte()
    metric.update(torch.tensor(2.0, requires_grad=True) * 3, 1)
    assert not metric.nats.requires_grad
