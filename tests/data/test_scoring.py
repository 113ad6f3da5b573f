from __future__ import annotations

import math
import re
from typing import Any

import pytest
from data_doubles import ArrayStore
from hypothesis import given
from hypothesis import strategies as st

from zoo.data import ScoringWindows
from zoo.heads.base import IGNORE_INDEX


@st.composite
def cases(draw: st.DrawFn) -> tuple[ArrayStore, dict[str, Any]]:
    documents = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=1, max_size=8))
    seq_len = draw(st.integers(1, 9))
    options = {
        "seq_len": seq_len,
        "stride": draw(st.integers(1, seq_len)),
        "max_bytes": draw(st.none() | st.integers(0, 120)),
        "batch_size": draw(st.integers(1, 5)),
    }
    lost = [draw(st.integers(0, 2**30)) / 2**20 for _ in documents]
    return ArrayStore([tokens for tokens, _ in documents], [size for _, size in documents], lost), options


def windows(store: ArrayStore, **options: Any) -> ScoringWindows:
    return ScoringWindows(store, "validation", **options)  # type: ignore[arg-type]


def kept_documents(store: ArrayStore, max_bytes: int | None) -> int:
    """Slow reference: documents are added while they fit; the first is always there."""
    sizes, total, kept = store.document_bytes("validation").tolist(), 0, 0
    for size in sizes:
        total += size
        if max_bytes is not None and total > max_bytes and kept:
            break
        kept += 1
        if max_bytes is not None and total > max_bytes:
            break
    return kept


@given(cases())
def test_every_token_is_a_target_once_and_bytes_are_booked_where_their_document_ends(
    case: tuple[ArrayStore, dict[str, Any]],
) -> None:
    store, options = case
    scored = windows(store, **options)
    kept = kept_documents(store, options["max_bytes"])
    ends, sizes = store.document_ends("validation")[:kept].tolist(), store.document_bytes("validation")[:kept].tolist()
    lost = store.lost_bits("validation")[:kept].tolist()
    lost_at = {end - 1: bits for end, bits in zip(ends, lost, strict=True)}
    size_at = {end - 1: size for end, size in zip(ends, sizes, strict=True)}  # place of the closing end-of-text
    places, contexts = [], []
    batches = list(scored)
    assert len(batches) == len(scored)
    for batch in batches:
        assert batch["inputs_BT"].shape == batch["targets_BT"].shape == batches[0]["inputs_BT"].shape
        booked, charged = 0, 0.0
        for inputs, targets in zip(batch["inputs_BT"].tolist(), batch["targets_BT"].tolist(), strict=True):
            for column, target in enumerate(targets):
                if target == IGNORE_INDEX:
                    continue
                place = target - 1  # in this store a token tells where it stands
                context = inputs[: column + 1]
                assert context == list(
                    range(place - column, place + 1)
                )  # the tokens before it, in order, ids = place + 1
                places.append(place)
                contexts.append(len(context))
                booked += size_at.get(place, 0)
                charged += lost_at.get(place, 0.0)
        assert batch["num_bytes"] == booked and batch["lost_bits"] == charged
    assert sorted(places) == list(range(1, ends[-1]))
    assert scored.num_targets == len(places)
    assert scored.num_bytes == sum(batch["num_bytes"] for batch in batches) == sum(sizes)
    assert scored.lost_bits == sum(batch["lost_bits"] for batch in batches) == sum(lost)
    assert scored.num_documents == kept
    longest = options["seq_len"]
    for place, context in zip(places, contexts, strict=True):
        assert context == place if place <= longest else context > longest - options["stride"]
    reference = sum(contexts) / len(contexts) * (sum(sizes) / len(places))
    assert math.isclose(scored.mean_context_bytes, reference, abs_tol=1e-9)


@given(cases(), st.integers(1, 4))
def test_ranks_take_disjoint_parts_of_equal_length(case: tuple[ArrayStore, dict[str, Any]], num_ranks: int) -> None:
    store, options = case
    whole = windows(store, **options)
    parts = [whole.for_rank(rank, num_ranks) for rank in range(num_ranks)]
    batches = [list(part) for part in parts]
    assert len({len(part) for part in batches}) == 1
    assert sum(batch["num_bytes"] for part in batches for batch in part) == whole.num_bytes
    assert sum(batch["lost_bits"] for part in batches for batch in part) == whole.lost_bits
    targets = [batch["targets_BT"].flatten() for part in batches for batch in part]
    scored = sorted(t for each in targets for t in each.tolist() if t != IGNORE_INDEX)
    assert scored == list(range(2, whole.num_targets + 2))
    assert all(part.lost_bits == whole.lost_bits for part in parts)
    assert all(part.num_bytes == whole.num_bytes and part.num_targets == whole.num_targets for part in parts)
    assert [batch["num_bytes"] for batch in whole] == [batch["num_bytes"] for batch in whole.for_rank(0, 1)]


def test_what_is_left_over_is_filled_with_end_of_text_and_not_scored() -> None:
    store = ArrayStore([4], [4])  # five targets
    (batch,) = windows(store, seq_len=3, stride=2, batch_size=9)
    assert batch["inputs_BT"].tolist() == [[1, 2, 3], [3, 4, 5]]
    assert batch["targets_BT"].tolist() == [[2, 3, 4], [IGNORE_INDEX, 5, 6]]
    (batch,) = windows(store, seq_len=7, stride=7, batch_size=9)
    assert batch["inputs_BT"].tolist() == [[1, 2, 3, 4, 5, 0, 0]]
    assert batch["targets_BT"].tolist() == [[2, 3, 4, 5, 6, IGNORE_INDEX, IGNORE_INDEX]]


def test_a_limit_of_bytes_keeps_the_same_documents_for_every_tokenizer() -> None:
    sizes = [30, 5, 40, 1]
    for limit, kept in ((1, 1), (30, 1), (34, 1), (35, 2), (74, 2), (75, 3), (76, 4), (999, 4)):
        for tokens in ([30, 5, 40, 1], [9, 2, 11, 1], [1, 1, 1, 1]):
            scored = windows(ArrayStore(tokens, sizes), seq_len=4, stride=4, max_bytes=limit, batch_size=2)
            assert (scored.num_documents, scored.num_bytes) == (kept, sum(sizes[:kept]))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"seq_len": 4, "stride": 0, "batch_size": 1}, "stride=0: expected 1 to seq_len=4"),
        ({"seq_len": 4, "stride": 5, "batch_size": 1}, "stride=5: expected 1 to seq_len=4"),
        ({"seq_len": 4, "stride": 4, "batch_size": 0}, "batch_size=0 must be at least 1"),
    ],
)
def test_refused(options: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        windows(ArrayStore([3]), **options)


def test_nothing_to_score() -> None:
    with pytest.raises(ValueError, match=r"^the validation split has no documents to score$"):
        windows(ArrayStore([]), seq_len=4, stride=4, batch_size=1)
    with pytest.raises(ValueError, match=r"^rank 2 is not in \[0, 2\)$"):
        windows(ArrayStore([3]), seq_len=4, stride=4, batch_size=1).for_rank(2, 2)
