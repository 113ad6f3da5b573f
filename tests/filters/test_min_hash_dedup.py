"""MinHashDedup beside exact similarities over all pairs, and beside the library that others use."""

from __future__ import annotations

import math
import random
from collections import Counter
from statistics import mean

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from filter_doubles import kept, texts
from hypothesis import given, settings

from zoo.data.filters import Dropped, MinHashDedup
from zoo.data.filters._minhash import MAX_BUCKET, Index, hash_functions, kinds, signature_of, word_hashes
from zoo.data.filters.min_hash_dedup import rows_for

NUM_WORDS = 300


def shingles(text: str, size: int = 5) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}


def jaccard(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def signature(text: str, num_hashes: int = 128, seed: int = 0, size: int = 5) -> np.ndarray:
    code_points = np.frombuffer(text.lower().encode("utf-32-le"), dtype=np.uint32)
    return signature_of(word_hashes(code_points, kinds()), size, *hash_functions(num_hashes, seed))


def original(draw: random.Random) -> list[str]:
    return [f"w{draw.randint(0, 5000)}" for _ in range(NUM_WORDS)]


def edited(draw: random.Random, words: list[str], edits: int) -> str:
    """The words with some replaced, far from each other: each takes five shingles away."""
    changed = list(words)
    for place in draw.sample(range(5, NUM_WORDS - 5, 10), edits):
        changed[place] = "edited"
    return " ".join(changed)


def test_the_estimate_is_the_similarity() -> None:
    """Over hash functions (fresh seeds) the mean error is that of 200 x 128 draws, no more."""
    draw = random.Random(0)
    for edits in (1, 5, 14, 25):
        errors = []
        for seed in range(200):
            words = original(draw)
            one, other = " ".join(words), edited(draw, words, edits)
            exact = jaccard(one, other)
            errors.append((signature(one, seed=seed) == signature(other, seed=seed)).mean() - exact)
        deviation = math.sqrt(exact * (1 - exact) / 128)
        assert abs(mean(errors)) < 4 * deviation / math.sqrt(len(errors))
        assert mean(error**2 for error in errors) == pytest.approx(deviation**2, rel=0.4)


def test_near_duplicates_are_found_and_nothing_else() -> None:
    """Planted: similarity 0.9 and more is found (0.9 is three standard deviations above the threshold), 0.6 and less
    is left (six below)."""
    draw = random.Random(1)
    originals = [original(draw) for _ in range(150)]
    near = [edited(draw, words, draw.randint(0, 3)) for words in originals]
    far = [edited(draw, words, 16) for words in originals]
    firsts = [" ".join(words) for words in originals]
    assert min(map(jaccard, firsts, near)) >= 0.9 and max(map(jaccard, firsts, far)) <= 0.6
    one = MinHashDedup()
    stays = [one.apply(text) for text in firsts + near + far]
    assert stays[:150] == firsts, "the first of each stays"
    assert stays[150:300] == 150 * [Dropped("near duplicate")]
    assert stays[300:] == far


def test_the_same_documents_stay_as_with_datasketch() -> None:
    draw = random.Random(2)
    originals = [original(draw) for _ in range(60)]
    all_texts = [edited(draw, words, edits) for words in originals for edits in (0, 1, 2, 18)]
    draw.shuffle(all_texts)
    lsh, signatures, expected = MinHashLSH(num_perm=128, params=(18, 7)), [], []
    for text in all_texts:
        own = MinHash(num_perm=128)
        own.update_batch([" ".join(shingle).encode() for shingle in shingles(text)])
        if not any(own.jaccard(signatures[i]) >= 0.8 for i in lsh.query(own)):
            lsh.insert(len(signatures), own)
            signatures.append(own)
            expected.append(text)
    assert kept(MinHashDedup(), all_texts) == expected


def test_the_index_finds_what_comparing_every_band_of_every_pair_finds() -> None:
    draw = random.Random(3)
    vocabulary = [f"w{i}" for i in range(12)]
    all_texts = [" ".join(draw.choices(vocabulary, k=draw.randint(3, 14))) for _ in range(1500)]
    one = MinHashDedup(threshold=0.5, shingle_words=1, num_hashes=32)
    stays: list[np.ndarray] = []
    for text in all_texts:
        own = signature(text, num_hashes=32, size=1)
        bands = own[: 32 // one.rows * one.rows].reshape(-1, one.rows)
        alike = False
        for other in stays:
            meet = (other[: bands.size].reshape(bands.shape) == bands).all(axis=1).any()
            alike = alike or (bool(meet) and (own == other).mean() >= 0.5)
        if not alike:
            stays.append(own)
        assert (one.apply(text) == text) is not alike
    assert 20 < len(stays) < 1400


def test_a_crowded_key_takes_no_more_than_its_bucket() -> None:
    index = Index(4, 2, 4)
    for number in range(1000):  # one band in common, the other their own
        assert index.add(np.array([1, 2, number, number], dtype=np.uint32))
    entries = Counter(index._keys[index._documents >= 0].tolist())
    assert max(entries.values()) == MAX_BUCKET and len(entries) == 1001
    assert not index.add(np.array([1, 2, 999, 999], dtype=np.uint32)), "found by its own band"


def test_memory_per_document_is_what_the_class_says() -> None:
    one, draw = MinHashDedup(), random.Random(4)
    for number in range(1, 6001):
        assert isinstance(one.apply(" ".join(str(draw.random()) for _ in range(8))), str)
        index = one._index
        used = index._signatures.nbytes + index._keys.nbytes + index._documents.nbytes
        assert number < 500 or used / number < 2000


def test_short_documents_are_one_shingle() -> None:
    one = MinHashDedup()
    assert [one.apply(text) for text in ("a b", "A, b!", "a b c", "b a")] == [
        "a b",
        Dropped("near duplicate"),
        "a b c",
        "b a",
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("don't stop_it 42x", 4),
        ("naïve “quotes” \u2013 dash", 3),
        ("敏捷的狐狸", 5),
        ("カタカナ and 漢字", 7),
        ("ไทย", 3),
        ("키스의 고유", 2),
    ],
)
def test_words(text: str, number: int) -> None:
    assert len(word_hashes(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), kinds())) == number


@settings(deadline=None)
@given(texts)
def test_words_are_runs_of_letters_and_equal_words_hash_alike(text: str) -> None:
    alone = [
        (0x0E00, 0x0EFF),
        (0x1000, 0x109F),
        (0x1780, 0x17FF),
        (0x3000, 0x9FFF),
        (0xF900, 0xFAFF),
        (0x20000, 0x33FFF),
    ]
    words, inside = [], False
    for c in text:
        if not (c.isalnum() or c == "_"):
            inside = False
        elif any(start <= ord(c) <= end for start, end in alone):
            words.append(c)
            inside = False
        elif inside:
            words[-1] += c
        else:
            words.append(c)
            inside = True
    hashes = word_hashes(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), kinds())
    assert len(hashes) == len(words)
    assert len(set(hashes.tolist())) == len(set(words)) == len(set(zip(words, hashes.tolist(), strict=True)))


def test_rows_of_a_band() -> None:
    """1 - (1 - s^r)^b: at 0.8, 18 bands of 7 are met with 0.986, 16 of 8 with 0.947, which is too little."""
    assert rows_for(0.8, 128) == 7
    assert abs(1 - (1 - 0.8**7) ** 18 - 0.986) < 5e-4
    assert abs(1 - (1 - 0.8**8) ** 16 - 0.947) < 5e-4
    assert rows_for(1.0, 128) == 128


def test_options_that_are_refused() -> None:
    for threshold in (0.0, 1.5):
        with pytest.raises(ValueError, match=rf"^threshold={threshold:g} must be above 0 and at most 1$"):
            MinHashDedup(threshold=threshold)
    with pytest.raises(ValueError, match=r"^shingle_words=0 must be at least 1$"):
        MinHashDedup(shingle_words=0)
    with pytest.raises(ValueError, match=r"^num_hashes=0 must be at least 1$"):
        MinHashDedup(num_hashes=0)
    with pytest.raises(
        ValueError, match=r"^num_hashes=8 are too few to find documents of similarity threshold=0\.1: give more$"
    ):
        MinHashDedup(threshold=0.1, num_hashes=8)
