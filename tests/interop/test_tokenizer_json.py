"""`tokenizer.json`: the ids of the `tokenizers` package, both ways; everything that would change them is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors

from tests.interop.interop_cases import (
    ADDED,
    SOURCES,
    SPECIALS,
    changed,
    ids_of_plain_text,
    ids_with_specials,
    theirs_trained,
)
from tests.tokenizers.tokenizer_cases import TEXTS
from zoo.interop import PretrainedTokenizer, read_huggingface, write_huggingface
from zoo.interop._alphabet import CHARACTER_OF
from zoo.interop._hf_pattern import PUBLISHED
from zoo.tokenizers import BPETokenizer
from zoo.tokenizers._pretokens import PATTERNS

ALPHABET = list(CHARACTER_OF.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokenizer_json")


@pytest.fixture(scope="module")
def gpt2(folder: Path) -> Path:
    """Trained and written by the `tokenizers` package."""
    theirs_trained().save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


@pytest.fixture(scope="module", params=[None, *PUBLISHED, r"[a-zé]+\s?|\d"])
def theirs(request: pytest.FixtureRequest) -> tokenizers.Tokenizer:
    return theirs_trained(request.param)


@pytest.fixture(scope="module")
def read(theirs: tokenizers.Tokenizer, folder: Path) -> PretrainedTokenizer:
    theirs.save(str(folder / "theirs.json"))
    return read_huggingface(folder / "theirs.json")


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_what_they_write_we_read_with_the_same_ids(
    theirs: tokenizers.Tokenizer, read: PretrainedTokenizer, text: str
) -> None:
    ids = ids_with_specials(theirs, text)
    assert read.encode(text, allowed_special="all") == ids
    assert read.encode_ordinary(text) == ids_of_plain_text(theirs, text)
    assert read.decode(ids) == theirs.decode(ids, skip_special_tokens=False) == text


def test_real_sources_and_the_way_back(theirs: tokenizers.Tokenizer, read: PretrainedTokenizer, folder: Path) -> None:
    write_huggingface(read, folder / "again.json")
    again, third = tokenizers.Tokenizer.from_file(str(folder / "again.json")), read_huggingface(folder / "again.json")
    for text in [*SOURCES, " ".join(SPECIALS), "a" * 5000]:
        expected = ids_with_specials(theirs, text)
        assert read.encode(text, allowed_special="all") == expected
        assert third.encode(text, allowed_special="all") == expected
        assert ids_with_specials(again, text) == expected
    assert third.state() == read.state()
    assert again.get_vocab() == theirs.get_vocab()


@pytest.fixture(scope="module", params=[*PATTERNS, None, r"[a-zé]+\s?|\d"])
def trained(request: pytest.FixtureRequest) -> BPETokenizer:
    documents = SOURCES if request.param is not None else [text[:3000] for text in SOURCES]
    tokenizer = BPETokenizer(vocab_size=600, pattern=request.param, specials=SPECIALS)
    tokenizer.train(documents)
    return tokenizer


@pytest.fixture(scope="module")
def written(trained: BPETokenizer, folder: Path) -> Path:
    path = folder / "written.json"
    write_huggingface(trained, path)
    return path


@pytest.fixture(scope="module")
def their_reading(written: Path) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_file(str(written))


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_what_we_write_they_read_with_the_same_ids(
    trained: BPETokenizer, their_reading: tokenizers.Tokenizer, text: str
) -> None:
    ids = trained.encode(text, allowed_special="all")
    assert ids_with_specials(their_reading, text) == ids
    assert ids_of_plain_text(their_reading, text) == trained.encode_ordinary(text)
    assert their_reading.decode(ids, skip_special_tokens=False) == text


def test_what_we_write_we_read(trained: BPETokenizer, written: Path) -> None:
    again = read_huggingface(written)
    assert again.pattern == trained.pattern and again.special_ids == trained.special_ids
    assert again.end_of_text == trained.end_of_text and again.vocab_size == trained.vocab_size
    for text in [*SOURCES, " ".join(SPECIALS)]:
        assert again.encode(text, allowed_special="all") == trained.encode(text, allowed_special="all")


@st.composite
def random_models(draw: st.DrawFn) -> dict[str, Any]:
    """Any merges in any order, several of which may make one token; any ids; tokens that no merge makes."""
    tokens, merges = list("abcd"), []
    for _ in range(draw(st.integers(0, 12))):
        pair = [draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))]
        if pair not in merges:
            merges.append(pair)
            tokens.append("".join(pair))
    extra = draw(st.lists(st.text("abcd", min_size=2, max_size=5), max_size=4))
    names = list(dict.fromkeys([*ALPHABET, *tokens, *extra]))
    ids = draw(st.permutations(range(len(names)))) if draw(st.booleans()) else list(range(len(names)))
    return {
        "vocab": {name: 2 * i for name, i in zip(names, ids, strict=True)},
        "merges": draw(st.permutations(merges)),
        "ignore_merges": draw(st.booleans()),
    }


@settings(max_examples=150, deadline=None)
@given(model=random_models(), texts=st.lists(st.text("abcd ", max_size=30), min_size=1, max_size=6))
def test_any_model_gives_their_ids(folder: Path, gpt2: Path, model: dict[str, Any], texts: list[str]) -> None:
    special = {"id": 9001, "content": "<|endoftext|>"} | ADDED
    model["vocab"]["<|endoftext|>"] = 9001
    changes = {f"model__{key}": value for key, value in model.items()}
    path = changed(gpt2, folder / "random.json", added_tokens=[special], **changes)
    theirs, ours = tokenizers.Tokenizer.from_file(str(path)), read_huggingface(path)
    write_huggingface(ours, folder / "random_again.json")
    again = tokenizers.Tokenizer.from_file(str(folder / "random_again.json"))
    for text in [*texts, "".join(texts), "abcd" * 40, "<|endoftext|>".join(texts)]:
        expected = ids_with_specials(theirs, text)
        assert ours.encode(text, allowed_special="all") == expected
        assert ids_with_specials(again, text) == expected


def test_merges_as_text_are_read_too(gpt2: Path, tmp_path: Path) -> None:
    pairs = json.loads(gpt2.read_text(encoding="utf-8"))["model"]["merges"]
    assert isinstance(pairs[0], list)
    old = changed(gpt2, tmp_path / "old.json", model__merges=[" ".join(pair) for pair in pairs])
    assert read_huggingface(old).state() == read_huggingface(gpt2).state()


def test_special_tokens_behind_the_vocabulary_and_beyond_a_gap(tmp_path: Path) -> None:
    """`tokenizers` numbers an added token that is not in the vocabulary itself, whatever the file says."""
    added = [{"id": 256, "content": "<a>"} | ADDED, {"id": 257, "content": "</s>"} | ADDED]
    model = {"type": "BPE", "vocab": {c: i for i, c in enumerate(ALPHABET)}, "merges": []}
    ours = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    body = {"version": "1.0", "added_tokens": added, "model": model, "pre_tokenizer": ours}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(body))
    tokenizer = read_huggingface(path, end_of_text="</s>")
    assert tokenizer.special_ids == {"<a>": 256, "</s>": 257} and tokenizer.end_of_text == 257
    model["vocab"] |= {"<a>": 300, "</s>": 400}
    for token, i in zip(added, (300, 400), strict=True):
        token["id"] = i
    path.write_text(json.dumps(body))
    tokenizer, theirs = read_huggingface(path, end_of_text="</s>"), tokenizers.Tokenizer.from_file(str(path))
    text = "x<a></s>"
    assert tokenizer.encode(text, allowed_special="all") == ids_with_specials(theirs, text)
    assert tokenizer.encode(text, allowed_special="all")[1:] == [300, 400]
    assert tokenizer.vocab_size == 401
    with pytest.raises(ValueError, match="id 350 stands for no token"):
        tokenizer.decode([350])
    model["vocab"].pop("</s>")
    path.write_text(json.dumps(body))
    assert tokenizers.Tokenizer.from_file(str(path)).token_to_id("</s>") == 257
    with pytest.raises(ValueError, match=r"the added token '</s>' has the id 400, and `tokenizers` would give it 257"):
        read_huggingface(path, end_of_text="</s>")


def test_a_special_token_that_is_a_byte_too(gpt2: Path, tmp_path: Path) -> None:
    i = json.loads(gpt2.read_text(encoding="utf-8"))["model"]["vocab"]["!"]
    added = [{"id": 0, "content": "<|endoftext|>"} | ADDED, {"id": i, "content": "!"} | ADDED]
    path = changed(gpt2, tmp_path / "x.json", added_tokens=added)
    ours, theirs = read_huggingface(path), tokenizers.Tokenizer.from_file(str(path))
    assert ours.encode_ordinary("! a!") == ids_of_plain_text(theirs, "! a!")
    assert ours.encode("! a!!", allowed_special="all") == ids_with_specials(theirs, "! a!!")


def test_what_acts_on_whole_inputs_is_left_out_aloud(gpt2: Path, tmp_path: Path) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(gpt2))
    template = processors.TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", 1)])
    theirs.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), template])
    theirs.enable_truncation(4)
    theirs.enable_padding()
    theirs.save(str(tmp_path / "x.json"))
    with pytest.warns(UserWarning) as caught:
        ours = read_huggingface(tmp_path / "x.json")
    assert [str(warning.message).split(": its ")[1] for warning in caught] == [
        "post_processor TemplateProcessing is left out: no special tokens are added around a text",
        "truncation is left out: a text keeps its length",
        "padding is left out: a text keeps its length",
    ]
    theirs.no_truncation()
    assert ours.encode("the same text") == ids_with_specials(theirs, "the same text")


def test_a_post_processor_that_changes_no_ids_is_quiet(
    gpt2: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    theirs = tokenizers.Tokenizer.from_file(str(gpt2))
    theirs.post_processor = processors.ByteLevel(trim_offsets=True)
    theirs.save(str(tmp_path / "x.json"))
    read_huggingface(tmp_path / "x.json")
    assert len(recwarn) == 0


def test_what_changes_no_ids_may_be_anything(gpt2: Path, tmp_path: Path) -> None:
    """Every byte is a token, so nothing is unknown; GPT-2's own file has affixes that are empty."""
    changes = {"model__unk_token": "<|end|>", "model__fuse_unk": True, "model__byte_fallback": True}
    changes |= {"model__continuing_subword_prefix": "", "model__end_of_word_suffix": "", "model__dropout": 0.0}
    path = changed(gpt2, tmp_path / "x.json", **changes)
    theirs = tokenizers.Tokenizer.from_file(str(path))
    assert read_huggingface(path).encode(SOURCES[-1]) == ids_with_specials(theirs, SOURCES[-1])
