"""Laws of every tokenizer: ids stand for the text, special tokens, bad input."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers.tokenizer_cases import CASES, DOCUMENTS, SPECIALS, TEXTS, Case
from zoo.families import variants
from zoo.tokenizers.base import END_OF_TEXT, Tokenizer


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def tokenizer(case: Case) -> Tokenizer:
    """Trained once: encoding leaves it as it is."""
    return case.trained()


def test_family_is_not_empty() -> None:
    assert {"ByteTokenizer", "CharTokenizer", "WordTokenizer", "BPETokenizer"} <= set(variants("tokenizers"))
    assert {case.cls for case in CASES} == set(variants("tokenizers").values())


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_ids_stand_for_the_text(tokenizer: Tokenizer, text: str) -> None:
    array = tokenizer.encode_array(text)
    assert array.dtype == np.uint32 and array.ndim == 1
    assert tokenizer.encode_ordinary(text) == array.tolist()
    for ids in (array.tolist(), tokenizer.encode(text, allowed_special="all")):
        assert all(type(i) is int and 0 <= i < tokenizer.vocab_size for i in ids)
        if tokenizer.lossless:
            assert tokenizer.decode_bytes(ids) == text.encode()
            assert tokenizer.decode(ids) == tokenizer.decode(np.array(ids, dtype=np.uint32)) == text
        pieces = [tokenizer.decode_bytes([i]) for i in ids]
        assert b"".join(pieces) == tokenizer.decode_bytes(ids)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_ids_and_what_is_lost_tell_the_text(tokenizer: Tokenizer, text: str) -> None:
    """A lossy tokenizer has one id for all it does not know; each stands for the next of the lost pieces."""
    ids, lost = tokenizer.encode_ordinary(text), tokenizer.lost(text)
    if tokenizer.lossless:
        assert lost == []
        return
    known = b"".join(tokenizer.decode_bytes([i]) for i in ids if i != tokenizer.unknown_id)
    assert len(known) + sum(map(len, lost)) == len(text.encode())
    pieces = iter(lost)
    rebuilt = [next(pieces) if i == tokenizer.unknown_id else tokenizer.decode_bytes([i]) for i in ids]
    assert b"".join(rebuilt) == text.encode()
    assert list(pieces) == [] and all(lost)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_ordinary_text_has_no_special_ids(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode_ordinary(text)
    assert ids == tokenizer.encode(text, disallowed_special=())
    assert not ids or min(ids) >= len(SPECIALS)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.tuples(TEXTS, st.sampled_from(SPECIALS)), max_size=4), last=TEXTS)
def test_special_tokens_cut_the_text(tokenizer: Tokenizer, parts: list[tuple[str, str]], last: str) -> None:
    """The longest special string is cut out first; what lies between is encoded as if it were alone."""
    text = "".join(before + special for before, special in parts) + last
    longest_first = "|".join(re.escape(s) for s in sorted(SPECIALS, key=len, reverse=True))
    expected = []
    for piece in re.split(f"({longest_first})", text):
        expected += [SPECIALS.index(piece)] if piece in SPECIALS else tokenizer.encode_ordinary(piece)
    assert tokenizer.encode(text, allowed_special="all") == expected
    array = tokenizer.encode_to_numpy(text, allowed_special="all")
    assert array.dtype == np.uint32 and array.tolist() == expected


def test_longest_special_wins(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("<|end|><|turn|><|end|>", allowed_special="all") == [2, 1]
    assert tokenizer.decode([2, 1]) == "<|end|><|turn|><|end|>"
    assert tokenizer.encode("<|end|><|turn|>", allowed_special={"<|end|>"}, disallowed_special=())[0] == 1
    assert tokenizer.end_of_text == 0
    assert tokenizer.special_ids == {END_OF_TEXT: 0, "<|end|>": 1, "<|end|><|turn|>": 2}


def test_special_strings_are_refused_unless_allowed(tokenizer: Tokenizer) -> None:
    refused = (
        r"the text holds the special token '<\|end\|>': allow it \(allowed_special\), "
        r"or encode it as plain text \(disallowed_special=\(\)\)"
    )
    with pytest.raises(ValueError, match=refused):
        tokenizer.encode("a<|end|>b")
    with pytest.raises(ValueError, match=refused):
        tokenizer.encode(f"{END_OF_TEXT}<|end|>", allowed_special={END_OF_TEXT})
    with pytest.raises(ValueError, match=refused):
        tokenizer.encode("<|end|>", disallowed_special={"<|end|>"})
    with pytest.raises(ValueError, match=refused):  # as tiktoken: inside an allowed one too
        tokenizer.encode("<|end|><|turn|>", allowed_special={"<|end|><|turn|>"}, disallowed_special={"<|end|>"})
    assert tokenizer.encode("<|end|>", disallowed_special={END_OF_TEXT}) == tokenizer.encode_ordinary("<|end|>")
    mixed = tokenizer.encode(f"a{END_OF_TEXT}<|end|>", allowed_special={END_OF_TEXT}, disallowed_special=())
    assert mixed == [*tokenizer.encode_ordinary("a"), 0, *tokenizer.encode_ordinary("<|end|>")]


def test_unknown_allowed_special_is_refused(tokenizer: Tokenizer) -> None:
    expected = r"allowed_special names '<\|pad\|>': expected some of <\|endoftext\|>, <\|end\|>, <\|end\|><\|turn\|>"
    with pytest.raises(ValueError, match=expected):
        tokenizer.encode("a", allowed_special={"<|pad|>"})


def test_one_default_special_is_end_of_text(case: Case) -> None:
    tokenizer = case.cls()
    tokenizer.train(DOCUMENTS)
    assert tokenizer.specials == (END_OF_TEXT,)
    assert tokenizer.encode(END_OF_TEXT, allowed_special="all") == [tokenizer.end_of_text] == [0]


@pytest.mark.parametrize("text", ["\ud800", "ab\udc80c", "the 🙂 \udfff", "\ud83d\ude42"])
def test_lone_surrogate_is_refused(tokenizer: Tokenizer, text: str) -> None:
    where = next(i for i, c in enumerate(text) if "\ud800" <= c <= "\udfff")
    expected = (
        f"the text holds the lone surrogate U\\+{ord(text[where]):04X} at index {where}, which UTF-8 cannot write: "
        rf"expected text without surrogates \(read the source with errors='replace'\)"
    )
    for use in (tokenizer.encode, tokenizer.encode_array, lambda t: tokenizer.encode_arrays([t])):
        with pytest.raises(ValueError, match=expected) as caught:
            use(text)
        assert not isinstance(caught.value, UnicodeError)
    if not tokenizer.lossless:
        with pytest.raises(ValueError, match=expected):
            tokenizer.lost(text)


@pytest.mark.parametrize("value", [b"bytes", None, 5, ["a"]])
def test_what_is_no_text_is_refused(tokenizer: Tokenizer, value: object) -> None:
    for use in (tokenizer.encode, tokenizer.encode_array):
        with pytest.raises(ValueError, match=f"expected text as a str, got {type(value).__name__}"):
            use(value)


@pytest.mark.parametrize("beyond", [-1, 0, 1, 2**31, 2**32, 2**63, 2**64 + 1, -(2**63), -(2**70)])
def test_foreign_id_is_refused(tokenizer: Tokenizer, beyond: int) -> None:
    wrong = beyond if beyond < 0 else tokenizer.vocab_size + beyond
    with pytest.raises(ValueError, match=rf"^id {wrong} is not in \[0, {tokenizer.vocab_size}\)$"):
        tokenizer.decode([0, wrong, 1])


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint32, np.uint64])
def test_arrays_of_ids(tokenizer: Tokenizer, dtype: type) -> None:
    assert tokenizer.decode_bytes(np.array([0, 1, 5], dtype=dtype)) == tokenizer.decode_bytes([0, 1, 5])
    assert tokenizer.decode(np.array([], dtype=dtype)) == ""
    highest = int(np.iinfo(dtype).max)
    if highest >= tokenizer.vocab_size:
        with pytest.raises(ValueError, match=rf"^id {highest} is not in \[0, {tokenizer.vocab_size}\)$"):
            tokenizer.decode(np.array([0, highest], dtype=dtype))
    if dtype(-1 if np.iinfo(dtype).min else 0) < 0:
        with pytest.raises(ValueError, match=rf"^id -1 is not in \[0, {tokenizer.vocab_size}\)$"):
            tokenizer.decode_bytes(np.array([0, -1], dtype=dtype))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1.0], "expected ids as whole numbers, got 1.0"),
        ([1, "a"], "expected ids as whole numbers, got "),
        ([None], "expected ids as whole numbers, got None"),
        ("abc", "expected a sequence of ids, got str"),
        (5, "expected a sequence of ids, got int"),
        ([[1], [2]], r"expected a sequence of ids, got an array of shape \(2, 1\)"),
    ],
)
def test_what_are_no_ids_is_refused(tokenizer: Tokenizer, ids: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tokenizer.decode(ids)


def test_cut_sequence_decodes_with_replacement(case: Case) -> None:
    """UTF-8 straddles tokens where a character is spelled in bytes: a cut one becomes U+FFFD, never an error."""
    tokenizer = case.trained(["ascii only"])
    ids = tokenizer.encode("🙂")
    if tokenizer.lossless and len(ids) > 1:
        assert tokenizer.decode(ids[:-1]) == "\ufffd"


def test_empty_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("") == tokenizer.encode("", allowed_special="all") == []
    assert tokenizer.encode_array("").dtype == np.uint32
    assert tokenizer.decode([]) == "" and tokenizer.decode_bytes(()) == b""
    assert tokenizer.lost("") == []


@pytest.mark.slow
@pytest.mark.parametrize("line", ["lorem ipsum dolor sit amet ", "naïve試験🙂 ", "a"])
@pytest.mark.parametrize("cls", variants("tokenizers").values())
def test_a_line_of_10_megabytes(cls: type[Tokenizer], line: str) -> None:
    tokenizer = cls()
    tokenizer.train(DOCUMENTS)
    text = line * (10_000_000 // len(line.encode()))
    ids = tokenizer.encode_array(text)
    if tokenizer.lossless:
        assert tokenizer.decode_bytes(ids) == text.encode()
    else:
        known = ids[ids != tokenizer.unknown_id]
        assert len(tokenizer.decode_bytes(known)) + sum(map(len, tokenizer.lost(text))) == len(text.encode())


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(TEXTS, max_size=6), num_threads=st.integers(1, 4))
def test_a_batch_is_each_text(tokenizer: Tokenizer, texts: list[str], num_threads: int) -> None:
    batch = tokenizer.encode_arrays(texts, num_threads=num_threads)
    assert [ids.tolist() for ids in batch] == [tokenizer.encode_ordinary(text) for text in texts]
    assert all(ids.dtype == np.uint32 for ids in batch)
    assert all(not np.shares_memory(a, b) for a, b in pairwise(batch))


def test_useless_batch_is_refused(tokenizer: Tokenizer) -> None:
    for encode in (tokenizer.encode_arrays, tokenizer.encode_batch):
        with pytest.raises(ValueError, match=r"^got one str: expected a sequence of texts, such as \[text\]"):
            encode("abc")
        for num_threads in (0, -1):
            with pytest.raises(ValueError, match=f"num_threads={num_threads}: expected at least 1"):
                encode(["abc"], num_threads=num_threads)


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(TEXTS | st.sampled_from([END_OF_TEXT, f"a{END_OF_TEXT} b"]), max_size=4),
    num_threads=st.integers(1, 2),
)
def test_a_batch_has_the_rules_of_special_strings(tokenizer: Tokenizer, texts: list[str], num_threads: int) -> None:
    for rules in ({"allowed_special": "all"}, {"disallowed_special": ()}):
        batch = tokenizer.encode_batch(texts, num_threads=num_threads, **rules)
        assert batch == [tokenizer.encode(text, **rules) for text in texts]
    if any(END_OF_TEXT in text for text in texts):
        with pytest.raises(ValueError, match=r"^the text holds the special token "):
            tokenizer.encode_batch(texts, num_threads=num_threads)
