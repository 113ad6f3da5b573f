"""Documents on disk: read back as they were, in chunks, in either order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.spool import Spool

DOCUMENTS = st.lists(st.tuples(st.text(max_size=12), st.integers(0, 5) | st.integers(0, 2**64 - 1)), max_size=20)


@given(DOCUMENTS, st.integers(1, 40), st.booleans())
def test_chunks_hold_every_document_once_in_order(
    tmp_path_factory: object, documents: list[tuple[str, int]], chunk_bytes: int, sort: bool
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "file")  # type: ignore[attr-defined]
    for number, (text, digest) in enumerate(documents):
        spool.append(text.encode(), source=number, digest=digest)
    spool.close()
    order = list(range(len(documents)))
    if sort:
        spool.sort()
        order.sort(key=lambda i: documents[i][1])  # equal ones stay in order
    expected = [documents[i][0] for i in order]
    chunks = list(spool.chunks(chunk_bytes))
    assert [text for chunk in chunks for text in chunk.texts()] == list(spool) == list(spool) == expected
    assert spool.lengths.tolist() == [len(text.encode()) for text in expected]
    assert spool.sources.tolist() == order
    assert [chunk.first for chunk in chunks] == np.cumsum([0, *(len(c.lengths) for c in chunks)]).tolist()[
        : len(chunks)
    ]
    assert all(chunk.num_bytes <= chunk_bytes or len(chunk.lengths) == 1 for chunk in chunks)
    assert len(spool) == len(documents) and spool.num_bytes == sum(len(text.encode()) for text in expected)


def test_bytes_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "file")
    for text in ("aab", "", "é"):
        spool.append(text.encode())
    spool.close()
    counts = spool.byte_counts()
    assert {i: int(n) for i, n in enumerate(counts) if n} == {ord("a"): 2, ord("b"): 1, 0xC3: 1, 0xA9: 1}
