"""Which pair makes a token: where vocabularies that state ranks and vocabularies that state merges meet.

Of a token's bytes, take the pair of the lowest rank, the leftmost first, until two parts are left: these are the only
two that ever make the token, in any text. For what is merged inside the place where the token comes to stand does not
depend on what stands around it, as no merge crosses its ends, so the same merges happen there in the same order.

So a rank file (tiktoken: any two neighbours merge if what they make is a token, by its rank) is a list of merges, one
for each token, and a list of merges is a rank file where it ranks by what it makes. The same idea recovers GPT-4's
merges in minbpe (Karpathy 2024, gpt4.py); there the rank of the token bounds the search, which holds for trained
vocabularies alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

Pair = tuple[bytes, bytes]
NEVER = 2**62  # rank of a pair that does not merge


def last_pair(token: bytes, rank_of: Callable[[bytes, bytes], int]) -> Pair | None:
    """The two parts that make a token; None where merging its bytes gets stuck before.

    Args:
        token: two bytes or more.
        rank_of: rank of a pair, NEVER where it does not merge.
    """
    parts = [token[i : i + 1] for i in range(len(token))]
    ranks = [rank_of(parts[i], parts[i + 1]) for i in range(len(parts) - 1)]
    while (lowest := min(ranks)) != NEVER:
        if len(parts) == 2:
            return parts[0], parts[1]
        at = ranks.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        del ranks[at]
        if at:
            ranks[at - 1] = rank_of(parts[at - 1], parts[at])
        if at < len(ranks):
            ranks[at] = rank_of(parts[at], parts[at + 1])
    return None


def merges_by_product(ranks: Mapping[bytes, int]) -> tuple[list[Pair], list[bytes]]:
    """The merges of a rank file, by rank, and the tokens that merging does not make, by rank."""

    def rank_of(left: bytes, right: bytes) -> int:
        return ranks.get(left + right, NEVER)

    return _split(sorted(ranks, key=ranks.__getitem__), rank_of)


def merges_in_use(tokens: Iterable[bytes], merges: Sequence[Pair]) -> tuple[list[Pair], list[bytes]]:
    """Of merges by rank those that can happen, by rank, and the tokens that merging does not make."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}

    def rank_of(left: bytes, right: bytes) -> int:
        return ranks.get((left, right), NEVER)

    used, unmade = _split(tokens, rank_of)
    return sorted(used, key=ranks.__getitem__), unmade


def _split(tokens: Iterable[bytes], rank_of: Callable[[bytes, bytes], int]) -> tuple[list[Pair], list[bytes]]:
    made, unmade = [], []
    for token in tokens:
        if len(token) > 1:
            pair = last_pair(token, rank_of)
            if pair is None:
                unmade.append(token)
            else:
                made.append(pair)
    return made, unmade
