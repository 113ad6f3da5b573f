from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.tokenizers import ByteTokenizer
from zoo.tokenizers.base import END_OF_TEXT


def test_ids_are_shifted_bytes() -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.encode("Aé\n") == [0x41 + 1, 0xC3 + 1, 0xA9 + 1, 0x0A + 1]
    assert tokenizer.vocab_size == 257


def test_three_specials_as_byt5() -> None:
    """ByT5 has pad, end and unknown before the bytes; its model card writes `list(text.encode("utf-8"))` + 3."""
    tokenizer = ByteTokenizer(specials=("<pad>", END_OF_TEXT, "<unk>"))
    assert tokenizer.encode("Life") == [byte + 3 for byte in b"Life"] == [79, 108, 105, 104]
    assert tokenizer.vocab_size == 259 and tokenizer.end_of_text == 1
    assert tokenizer.decode([0, 79, 108, 1, 1, 105, 104, 2]) == f"<pad>Li{END_OF_TEXT * 2}fe<unk>"


def test_works_without_training() -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode("naïve 🙂")) == "naïve 🙂"


def test_every_id_is_one_byte() -> None:
    assert ByteTokenizer().decode_bytes(range(1, 257)) == bytes(range(256))


@given(content=st.binary(max_size=100))
def test_any_bytes_can_be_decoded(content: bytes) -> None:
    ids = np.array([1 + byte for byte in content], dtype=np.uint16)
    assert ByteTokenizer().decode_bytes(ids) == content


def test_decoding_leaves_the_ids_as_they_were() -> None:
    ids = np.array([66, 0, 67], dtype=np.int64)
    ByteTokenizer().decode(ids)
    assert ids.tolist() == [66, 0, 67]


def test_training_leaves_the_texts_unread() -> None:
    texts = iter(["a"])
    ByteTokenizer().train(texts)
    assert list(texts) == ["a"]


def test_foreign_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a ByteTokenizer has no state, but got 'merges': expected \{\}"):
        ByteTokenizer().load_state({"merges": []})
