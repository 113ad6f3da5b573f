"""The pair that makes a token, held against a search of all texts; merges and ranks are two forms of one thing."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.interop._merging import NEVER, Pair, last_pair, merges_by_product, merges_in_use

TOKENS = st.lists(st.text("abc", min_size=2, max_size=5).map(str.encode), unique=True, max_size=8)


def merged(text: bytes, ranks: dict[Pair, int]) -> tuple[list[bytes], set[Pair]]:
    """The textbook: symbols of a text, and every pair that was merged on the way."""
    symbols, used = [text[i : i + 1] for i in range(len(text))], set()
    while True:
        places = [(ranks[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks]
        if not places:
            return symbols, used
        _, at = min(places)
        used.add((symbols[at], symbols[at + 1]))
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]


def all_splits(ranks: dict[bytes, int]) -> dict[Pair, int]:
    """tiktoken's rule as pairs: two neighbours merge if what they make is a token, by its rank."""
    return {(token[:i], token[i:]): rank for token, rank in ranks.items() for i in range(1, len(token))}


@settings(max_examples=40, deadline=None)
@given(tokens=TOKENS, seed=st.randoms())
def test_one_pair_makes_a_token_in_any_text(tokens: list[bytes], seed) -> None:
    """All texts of up to six letters, merged with all splits of all tokens, and with the one found for each."""
    seed.shuffle(tokens)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    merges, unmade = merges_by_product(ranks)
    found = {pair: ranks[pair[0] + pair[1]] for pair in merges}
    used_anywhere: set[Pair] = set()
    made_anywhere: set[bytes] = set()
    for length in range(1, 7):
        for letters in product(b"abc", repeat=length):
            symbols, used = merged(bytes(letters), all_splits(ranks))
            assert merged(bytes(letters), found)[0] == symbols
            used_anywhere |= used
            made_anywhere |= {left + right for left, right in used}
    assert used_anywhere == set(merges)
    assert made_anywhere == set(tokens) - set(unmade)
    assert [ranks[left + right] for left, right in merges] == sorted(ranks[token] for token in made_anywhere)
    assert unmade == sorted(unmade, key=ranks.__getitem__)


@settings(max_examples=40, deadline=None)
@given(tokens=TOKENS, seed=st.randoms())
def test_merges_in_use_merge_as_all_do(tokens: list[bytes], seed) -> None:
    pairs = [(token[:i], token[i:]) for token in tokens for i in range(1, len(token))]
    merges = seed.sample(pairs, seed.randint(0, len(pairs)))
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    used, unmade = merges_in_use(tokens, merges)
    assert used == [pair for pair in merges if pair in set(used)]  # in their order
    used_ranks = {pair: rank for rank, pair in enumerate(used)}
    made = set()
    for length in range(1, 7):
        for letters in product(b"abc", repeat=length):
            symbols, on_the_way = merged(bytes(letters), ranks)
            assert merged(bytes(letters), used_ranks) == (symbols, on_the_way)
            made |= {left + right for left, right in on_the_way}
    assert set(tokens) == made | set(unmade) and not made & set(unmade)


def test_last_pair_of_a_token_that_needs_a_merge_of_higher_rank() -> None:
    """Bounding the search by the token's own rank, as minbpe does for GPT-4's, would not find this one."""
    ranks = {b"ab": 5, b"abc": 3}
    assert last_pair(b"abc", lambda left, right: ranks.get(left + right, NEVER)) == (b"ab", b"c")
    assert last_pair(b"bca", lambda left, right: ranks.get(left + right, NEVER)) is None
