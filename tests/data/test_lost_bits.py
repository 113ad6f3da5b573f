"""A lossy tokenizer pays: the bits to spell what its ids do not tell stand in the figure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_doubles import HALVES, ArrayStore, Bytes, ListCorpus, Words, sample_texts, split_words

from zoo.data import PythonDocs, ScoringWindows, TokenStore, split_of
from zoo.data.bits_per_byte import BitsPerByte
from zoo.heads.base import IGNORE_INDEX
from zoo.prepare import prepare
from zoo.recipe import load_recipe
from zoo.tokenizers import WordTokenizer
from zoo.tokenizers.base import Ids, Tokenizer
from zoo.training import train

BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"
TEXTS = sample_texts()


def build(home: Path, tokenizer: Tokenizer, texts: Sequence[str] = TEXTS) -> TokenStore:
    return TokenStore.build_or_open(ListCorpus(texts), tokenizer, HALVES, home=home)


def test_every_document_is_charged_as_a_slow_reference_charges_it(tmp_path: Path) -> None:
    store = build(tmp_path, Words(num_words=30))
    of = {split: [t for t in TEXTS if split_of(t, HALVES) == split] for split in ("train", "validation", "test")}
    frequent = Counter(word for text in of["train"] for word in split_words(text)).most_common(30)
    known = {word for word, _ in frequent}
    lost = {split: [[w for w in split_words(t) if w not in known] for t in texts] for split, texts in of.items()}
    pieces = [word for words in lost["train"] for word in words]
    symbols = sum(len(word.encode()) for word in pieces)
    end = (len(pieces) + 1) / (symbols + len(pieces) + 2)
    counts = Counter(byte for text in of["train"] for byte in text.encode())
    size = counts.total()

    def charge(word: str) -> float:
        return sum(-math.log2((1 - end) * (counts[b] + 1) / (size + 256)) for b in word.encode()) - math.log2(end)

    for split, documents in lost.items():
        expected = [sum(map(charge, words)) for words in documents]
        assert store.lost_bits(split) == pytest.approx(expected, rel=1e-9, abs=2**-20)  # type: ignore[arg-type]
        assert store.lost_bits(split).dtype == np.float64 and sum(expected) > 1000  # type: ignore[arg-type]
    model = np.load(store.folder / "byte-model.npy")
    assert model.shape == (257,) and model[256] == pytest.approx(-math.log2(end))
    assert model[ord("a")] == pytest.approx(-math.log2((1 - end) * (counts[ord("a")] + 1) / (size + 256)))
    assert store.lost_bits_model is not None and store.lost_bits_model.startswith("order-0 byte model of the training")


def test_a_lossless_tokenizer_is_charged_nothing(tmp_path: Path) -> None:
    store = build(tmp_path, Bytes())
    assert store.lost_bits_model is None
    assert store.lost_bits("validation").tolist() == [0.0] * store.num_documents("validation")
    assert not list(store.folder.glob("*lost*")) and not (store.folder / "byte-model.npy").exists()


def ideal_unigram(store: TokenStore, num_ranks: int = 1) -> tuple[float, float]:
    """(charged, uncharged) bits per byte of the best model that looks at no context: it knows how often each id occurs
    in the very text it is scored on, so no other such model can beat it."""
    whole = ScoringWindows(store, "validation", seq_len=64, stride=64, batch_size=64)
    ids = store.tokens("validation", 1, store.num_tokens("validation"))
    counts = np.bincount(ids, minlength=store.vocab_size)
    with np.errstate(divide="ignore"):
        nats = -np.log(counts / counts.sum())
    charged, uncharged = BitsPerByte(), BitsPerByte()
    for rank in range(num_ranks):
        for batch in whole.for_rank(rank, num_ranks):
            targets = batch["targets_BT"][batch["targets_BT"] != IGNORE_INDEX].numpy()
            charged.update(float(nats[targets].sum()), batch["num_bytes"], batch["lost_bits"])
            uncharged.update(float(nats[targets].sum()), batch["num_bytes"])
    assert int(charged.num_bytes) == store.num_bytes("validation")
    assert float(charged.lost_bits) == whole.lost_bits == store.lost_bits("validation").sum()
    return float(charged.compute()), float(uncharged.compute())


WORD_TOKENIZERS: dict[str, Callable[[int], Tokenizer]] = {
    "double": lambda num_words: Words(num_words=num_words),
    "WordTokenizer": lambda num_words: WordTokenizer(vocab_size=num_words + 2),
}


@pytest.fixture(scope="module")
def real_texts() -> list[str]:
    return list(islice(PythonDocs().documents(), 240))


@pytest.mark.parametrize("name", list(WORD_TOKENIZERS))
def test_a_tiny_vocabulary_does_not_win_by_throwing_words_away(
    name: str, real_texts: list[str], tmp_path: Path
) -> None:
    """Real text. The fewer words are known, the less a model has to predict: without the charge the smallest vocabulary
    wins, and knowing nothing at all is the best. With it the order is turned round."""
    sizes = (0, 10, 100, 1000, 10_000)
    stores = [build(tmp_path, WORD_TOKENIZERS[name](size), real_texts) for size in sizes]
    figures = [ideal_unigram(store) for store in stores]
    charged, uncharged = [f[0] for f in figures], [f[1] for f in figures]
    assert uncharged == sorted(uncharged) and uncharged[0] < 0.01
    assert charged == sorted(charged, reverse=True)
    assert charged[0] > 1.5 * charged[-1]
    (bytes_only, same) = ideal_unigram(build(tmp_path, Bytes(), real_texts))
    assert bytes_only == same
    assert charged[0] > bytes_only, "knowing no word is worse than spelling all: ends are to be told too"
    assert charged[0] < bytes_only + 1.5


def test_the_charge_is_the_same_sum_whatever_the_number_of_ranks(tmp_path: Path) -> None:
    store = build(tmp_path, Words(num_words=30))
    figures = []
    for num_ranks in (1, 2, 3, 7):
        whole = ScoringWindows(store, "validation", seq_len=48, stride=16, batch_size=4)
        sums = []
        for rank in range(num_ranks):
            metric = BitsPerByte()
            for batch in whole.for_rank(rank, num_ranks):
                metric.update(0.0, batch["num_bytes"], batch["lost_bits"])
            sums.append(float(metric.lost_bits))
        figures.append(sum(sums))
    assert len(set(figures)) == 1 and figures[0] == store.lost_bits("validation").sum() > 0


def test_a_prefix_of_the_split_is_charged_for_its_own_documents_only() -> None:
    store: Any = ArrayStore([3, 3, 3], [30, 20, 50], lost_bits=[1.5, 2.25, 8.0])
    for max_bytes, expected in ((1, 1.5), (50, 3.75), (None, 11.75)):
        scored = ScoringWindows(store, "validation", seq_len=2, stride=2, max_bytes=max_bytes, batch_size=1)
        assert scored.lost_bits == expected == sum(batch["lost_bits"] for batch in scored)


def test_the_result_of_a_run_holds_the_charge(tiny: dict[str, Any], tmp_path: Path) -> None:
    words = {"data.tokenizer": "WordTokenizer", "data.tokenizer.vocab_size": 14, "budget": {"tokens": 16 * 32 * 3}}
    prepared = prepare(load_recipe(BASE, {**tiny, **words}))
    result = train(prepared, tmp_path)
    lost_bits, num_bytes = result["validation_lost_bits"], result["validation_bytes"]
    assert lost_bits == prepared.store.lost_bits("validation").sum() > num_bytes
    figure = (result["validation_nats"] / math.log(2) + lost_bits) / num_bytes
    assert result["validation_bits_per_byte"] == pytest.approx(figure, rel=1e-12)
    assert result["lossless"] is False and result["lost_bits_model"] == prepared.store.lost_bits_model


# Tokenizers that do not do what they say


class Lowercase(Bytes):
    def encode_array(self, text: str) -> Ids:
        return super().encode_array(text.lower())


class SilentlyLossy(Lowercase):
    lossless = False

    def lost(self, text: str) -> list[bytes]:
        return []


class LossyWithoutAWord(Lowercase):
    lossless = False


class Short(Bytes):
    def encode_array(self, text: str) -> Ids:
        return super().encode_array(text)[:-1]


@pytest.mark.parametrize(
    ("tokenizer", "says"),
    [(Lowercase(), "says it is lossless"), (SilentlyLossy(), "says it lost nothing")],
)
def test_a_tokenizer_that_loses_text_unsaid_is_refused(tmp_path: Path, tokenizer: Tokenizer, says: str) -> None:
    texts, number, harmed = list(TEXTS), 0, ""
    for i, text in enumerate(TEXTS):
        if split_of(text, HALVES) == "validation":
            harmed = text.replace("c", "C", 1)
            if split_of(harmed, HALVES) == "validation" and number:
                texts[i] = harmed
                break
            number += 1
    place = harmed.encode().index(b"C")
    was, is_now = harmed.encode()[place : place + 20], harmed.lower().encode()[place : place + 20]
    text = (
        f"{type(tokenizer).__name__} {says}, but validation document {number} does not come back: at byte {place} "
        f"{is_now!r} instead of {was!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        build(tmp_path, tokenizer, texts)
    assert list((tmp_path / "stores").iterdir()) == []


def test_text_that_ends_early_is_seen(tmp_path: Path) -> None:
    first = next(text for text in TEXTS if split_of(text, HALVES) == "validation").encode()
    text = f"validation document 0 does not come back: at byte {len(first) - 1} nothing instead of {first[-1:]!r}"
    with pytest.raises(ValueError, match=re.escape(text)):
        build(tmp_path, Short())


def test_a_lossy_tokenizer_must_say_what_it_loses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^LossyWithoutAWord is lossy: it must say what it loses, in lost\(text\)$"):
        build(tmp_path, LossyWithoutAWord())
