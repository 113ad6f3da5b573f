from __future__ import annotations

import pytest

from zoo.tokenizers import ByteTokenizer


def test_ids_are_shifted_bytes() -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.encode("Aé\n") == [0x41 + 1, 0xC3 + 1, 0xA9 + 1, 0x0A + 1]
    assert tokenizer.vocab_size == 257


def test_works_without_training() -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode("naïve 🙂")) == "naïve 🙂"


def test_every_id_is_one_byte() -> None:
    assert ByteTokenizer().decode_bytes(range(1, 257)) == bytes(range(256))


def test_training_leaves_the_texts_unread() -> None:
    texts = iter(["a"])
    ByteTokenizer().train(texts)
    assert list(texts) == ["a"]


def test_foreign_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a ByteTokenizer has no state, but got 'merges': expected \{\}"):
        ByteTokenizer().load_state({"merges": []})
