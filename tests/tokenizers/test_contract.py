"""Laws of every tokenizer, built with its default arguments."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.families import variants
from zoo.tokenizers.base import END_OF_TEXT, Tokenizer

DOCUMENTS = [
    "The theory of the thing: then, there, they're. It isn't 1234, it's 12345!\n\n\tdef f(x):\n        return x\r\n",
    f"Ärger und Übermut; naïve café; δοκιμή, проверка, 試験, 🙂🙂 {END_OF_TEXT} the the the\u00a0end.",
] * 3
SPECIALS = (END_OF_TEXT, "<|end|>", "<|end|><|turn|>")
# plain text, text of this corpus, and text that holds special strings and pieces of them
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*DOCUMENTS, *SPECIALS, "<|end", "|>", " ", "the", "'s", "\n", "🙂", "\x00"])).map(
        "".join
    ),
)


@pytest.fixture(params=variants("tokenizers").values(), ids=variants("tokenizers"))
def tokenizer_class(request: pytest.FixtureRequest) -> type[Tokenizer]:
    return request.param


@pytest.fixture(scope="module")
def trained() -> dict[type[Tokenizer], Tokenizer]:
    """One trained instance of each class: encoding leaves it as it is."""
    return {cls: train(cls) for cls in variants("tokenizers").values()}


def train(cls: type[Tokenizer], documents: list[str] = DOCUMENTS, specials: tuple[str, ...] = SPECIALS) -> Tokenizer:
    tokenizer = cls()
    tokenizer.specials = specials
    tokenizer.train(iter(documents))
    return tokenizer


def test_family_is_not_empty() -> None:
    assert {"ByteTokenizer", "CharTokenizer", "BPETokenizer"} <= set(variants("tokenizers"))


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_ids_stand_for_the_text(trained: dict[type[Tokenizer], Tokenizer], text: str) -> None:
    for tokenizer in trained.values():
        for ids in (tokenizer.encode_ordinary(text), tokenizer.encode(text, allowed_special="all")):
            assert all(type(i) is int and 0 <= i < tokenizer.vocab_size for i in ids)
            if tokenizer.lossless:
                assert tokenizer.decode_bytes(ids) == text.encode()
                assert tokenizer.decode(ids) == text
            pieces = [tokenizer.decode_bytes([i]) for i in ids]
            assert b"".join(pieces) == tokenizer.decode_bytes(ids)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_ordinary_text_has_no_special_ids(trained: dict[type[Tokenizer], Tokenizer], text: str) -> None:
    for tokenizer in trained.values():
        ids = tokenizer.encode_ordinary(text)
        assert ids == tokenizer.encode(text, disallowed_special=())
        assert not ids or min(ids) >= len(SPECIALS)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.tuples(TEXTS, st.sampled_from(SPECIALS)), max_size=4), last=TEXTS)
def test_special_tokens_cut_the_text(
    trained: dict[type[Tokenizer], Tokenizer], parts: list[tuple[str, str]], last: str
) -> None:
    """The longest special string is cut out first; what lies between is encoded as if it were alone."""
    text = "".join(before + special for before, special in parts) + last
    longest_first = "|".join(re.escape(s) for s in sorted(SPECIALS, key=len, reverse=True))
    for tokenizer in trained.values():
        expected = []
        for piece in re.split(f"({longest_first})", text):
            expected += [SPECIALS.index(piece)] if piece in SPECIALS else tokenizer.encode_ordinary(piece)
        assert tokenizer.encode(text, allowed_special="all") == expected


def test_longest_special_wins(tokenizer_class: type[Tokenizer]) -> None:
    tokenizer = train(tokenizer_class)
    assert tokenizer.encode("<|end|><|turn|><|end|>", allowed_special="all") == [2, 1]
    assert tokenizer.decode([2, 1]) == "<|end|><|turn|><|end|>"
    assert tokenizer.end_of_text == 0


def test_special_strings_are_refused_unless_allowed(tokenizer_class: type[Tokenizer]) -> None:
    tokenizer = train(tokenizer_class)
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
    assert tokenizer.encode("<|end|>", disallowed_special={END_OF_TEXT}) == tokenizer.encode_ordinary("<|end|>")
    mixed = tokenizer.encode(f"a{END_OF_TEXT}<|end|>", allowed_special={END_OF_TEXT}, disallowed_special=())
    assert mixed == [*tokenizer.encode_ordinary("a"), 0, *tokenizer.encode_ordinary("<|end|>")]


def test_unknown_allowed_special_is_refused(tokenizer_class: type[Tokenizer]) -> None:
    expected = r"allowed_special names '<\|pad\|>': expected some of <\|endoftext\|>, <\|end\|>, <\|end\|><\|turn\|>"
    with pytest.raises(ValueError, match=expected):
        train(tokenizer_class).encode("a", allowed_special={"<|pad|>"})


def test_one_default_special_is_end_of_text(tokenizer_class: type[Tokenizer]) -> None:
    tokenizer = tokenizer_class()
    tokenizer.train(DOCUMENTS)
    assert tokenizer.specials == (END_OF_TEXT,)
    assert tokenizer.encode(END_OF_TEXT, allowed_special="all") == [tokenizer.end_of_text] == [0]


def test_survives_save_and_load(tokenizer_class: type[Tokenizer], tmp_path) -> None:
    tokenizer, other = train(tokenizer_class), train(tokenizer_class, ["something else"])
    tokenizer.save(tmp_path / "tokenizer.json")
    other.load(tmp_path / "tokenizer.json")
    assert other.vocab_size == tokenizer.vocab_size
    for text in [*DOCUMENTS, "never seen: Ω🙃"]:
        ids = tokenizer.encode_ordinary(text)
        assert other.encode_ordinary(text) == ids
        assert other.decode_bytes(ids) == tokenizer.decode_bytes(ids)


def test_state_is_json(tokenizer_class: type[Tokenizer]) -> None:
    state = train(tokenizer_class).state()
    assert json.loads(json.dumps(state)) == state


def test_survives_pickle_and_deepcopy(tokenizer_class: type[Tokenizer]) -> None:
    tokenizer = train(tokenizer_class)
    for other in (pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        assert other.encode_ordinary(DOCUMENTS[0]) == tokenizer.encode_ordinary(DOCUMENTS[0])


def test_load_refuses_another_class(tokenizer_class: type[Tokenizer], tmp_path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"tokenizer": "MyTokenizer", "specials": list(SPECIALS), "state": {}}))
    with pytest.raises(ValueError, match=f"tokenizer.json holds a MyTokenizer, not a {tokenizer_class.__name__}"):
        train(tokenizer_class).load(path)


def test_load_refuses_other_specials(tokenizer_class: type[Tokenizer], tmp_path) -> None:
    train(tokenizer_class).save(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match=r"has the special tokens \['<\|endoftext\|>', .*\]: expected \['<\|end"):
        train(tokenizer_class, specials=(END_OF_TEXT,)).load(tmp_path / "tokenizer.json")


def test_training_twice_forgets_the_first(tokenizer_class: type[Tokenizer]) -> None:
    tokenizer, once = train(tokenizer_class), train(tokenizer_class, ["something else"])
    tokenizer.encode_ordinary("something else")  # so that a cache of the first training would show
    tokenizer.train(["something else"])
    assert tokenizer.state() == once.state()
    assert tokenizer.vocab_size == once.vocab_size
    assert tokenizer.encode_ordinary("something else") == once.encode_ordinary("something else")


def test_training_is_deterministic(tokenizer_class: type[Tokenizer]) -> None:
    assert train(tokenizer_class).state() == train(tokenizer_class).state()


def test_training_on_nothing_still_encodes(tokenizer_class: type[Tokenizer]) -> None:
    tokenizer = train(tokenizer_class, [])
    assert not tokenizer.lossless or tokenizer.decode(tokenizer.encode("naïve 🙂")) == "naïve 🙂"
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_untrained_use_is_refused_or_needs_no_training(tokenizer_class: type[Tokenizer], tmp_path) -> None:
    expected = f"this {tokenizer_class.__name__} is not trained: call train(texts) or load(path) first"
    uses = [
        lambda t: t.vocab_size,
        lambda t: t.encode("a"),
        lambda t: t.encode_ordinary(""),
        lambda t: t.decode_bytes([1]),
        lambda t: t.decode([1]),
        lambda t: t.state(),
        lambda t: t.save(tmp_path / "tokenizer.json"),
    ]
    outcomes = set()
    for use in uses:
        try:
            use(tokenizer_class())
            outcomes.add("works")
        except ValueError as error:
            outcomes.add(str(error))
    assert outcomes in ({"works"}, {expected})


@pytest.mark.parametrize("text", ["\ud800", "ab\udc80c", "the 🙂 \udfff"])
def test_lone_surrogate_is_refused(tokenizer_class: type[Tokenizer], text: str) -> None:
    where = next(i for i, c in enumerate(text) if "\ud800" <= c <= "\udfff")
    expected = (
        f"the text holds the lone surrogate U\\+{ord(text[where]):04X} at index {where}, which UTF-8 cannot write"
    )
    with pytest.raises(ValueError, match=expected) as caught:
        train(tokenizer_class).encode(text)
    assert not isinstance(caught.value, UnicodeError)


@pytest.mark.parametrize("beyond", [-1, 0])
def test_foreign_id_is_refused(tokenizer_class: type[Tokenizer], beyond: int) -> None:
    tokenizer = train(tokenizer_class)
    wrong = beyond if beyond < 0 else tokenizer.vocab_size
    with pytest.raises(ValueError, match=rf"id {wrong} is not in \[0, {tokenizer.vocab_size}\)"):
        tokenizer.decode([0, wrong, 1])


def test_cut_sequence_decodes_with_replacement(tokenizer_class: type[Tokenizer]) -> None:
    """UTF-8 straddles tokens where a character is spelled in bytes: a cut one becomes U+FFFD, never an error."""
    tokenizer = train(tokenizer_class, ["ascii only"])
    ids = tokenizer.encode("🙂")
    if tokenizer.lossless and len(ids) > 1:
        assert tokenizer.decode(ids[:-1]) == "\ufffd"
