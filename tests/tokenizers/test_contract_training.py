"""Laws of every tokenizer: training, and what it keeps of it."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers.tokenizer_cases import CASES, DOCUMENTS, SPECIALS, TEXTS, Case
from zoo.tokenizers import base
from zoo.tokenizers.base import END_OF_TEXT, Tokenizer

UNSEEN = "never seen: Ω🙃"


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def needs_training(case: Case) -> bool:
    try:
        return not case.untrained().vocab_size
    except ValueError:
        return True


def assert_same(a: Tokenizer, b: Tokenizer) -> None:
    assert a.state() == b.state() and a.vocab_size == b.vocab_size and a.notes() == b.notes()
    for text in [*DOCUMENTS[:2], UNSEEN]:
        ids = a.encode_ordinary(text)
        assert b.encode_ordinary(text) == ids
        assert b.decode_bytes(ids) == a.decode_bytes(ids)
        assert b.lost(text) == a.lost(text)


def test_survives_save_and_load(case: Case, tmp_path: Path) -> None:
    tokenizer, other, new = case.trained(), case.trained(["something else"]), case.untrained()
    tokenizer.save(tmp_path / "tokenizer.json")
    for reader in (other, new):
        reader.load(str(tmp_path / "tokenizer.json"))
        assert_same(reader, tokenizer)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


def test_a_failed_save_leaves_the_old_file(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tokenizer.json"
    case.trained().save(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", mock.Mock(side_effect=OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        case.trained(["something else"]).save(path)
    assert path.read_bytes() == before


def test_state_is_json(case: Case) -> None:
    state = case.trained().state()
    assert json.loads(json.dumps(state)) == state


def test_survives_pickle_and_deepcopy(case: Case) -> None:
    tokenizer = case.trained()
    tokenizer.encode_ordinary(DOCUMENTS[0])  # so that a cache, were there one, would travel
    for other in (pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        assert_same(other, tokenizer)
        assert other.options == tokenizer.options and other.specials == tokenizer.specials
    untrained = pickle.loads(pickle.dumps(case.untrained()))
    untrained.train(DOCUMENTS)
    assert_same(untrained, tokenizer)


def test_options_tell_how_to_build_it_again(case: Case) -> None:
    tokenizer = case.untrained()
    assert tokenizer.options.items() >= (case.options | {"specials": SPECIALS}).items()
    again = case.cls(**tokenizer.options)
    again.train(DOCUMENTS)
    assert_same(again, case.trained())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is no saved tokenizer: it is not JSON \("),
        (b'{"tokenizer": ', r"is no saved tokenizer: it is not JSON \("),
        (b"\xff\xfe\xfa", r"is no saved tokenizer: it is not JSON \("),
        (b"[1, 2]", r"is no saved tokenizer: it lacks 'tokenizer', 'specials', 'state'"),
        (b'{"version": "1.0", "model": {}}', r"is no saved tokenizer: it lacks 'tokenizer', 'specials', 'state'"),
        (b'{"tokenizer": "X", "specials": []}', r"is no saved tokenizer: it lacks 'state'"),
        (b'{"tokenizer": "X", "specials": [], "state": 3}', r"is damaged: its 'state' is int, expected a mapping"),
        (b'{"tokenizer": "X", "specials": [], "state": {}}', r"holds a X, not a {name}"),
    ],
)
def test_load_refuses_what_save_did_not_write(case: Case, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    tokenizer = case.trained()
    with pytest.raises(ValueError, match=f"tokenizer.json {message.replace('{name}', case.cls.__name__)}") as caught:
        tokenizer.load(path)
    assert "\n" not in str(caught.value)
    assert_same(tokenizer, case.trained())


def test_a_damaged_state_is_refused_or_does_no_harm(case: Case, tmp_path: Path) -> None:
    """Each of its values missing, and each of another kind; what was learned before stays."""
    path, tokenizer, whole = tmp_path / "tokenizer.json", case.trained(["something else"]), case.trained()
    state, before = whole.state(), tokenizer.state()
    num_refused = 0
    damaged = [{key: value for key, value in state.items() if key != left_out} for left_out in state]
    for value in (3, 1.5, {"a": 1}, [3], [[3]], [[1, 2, 3]], ["a", 4], [{}]):
        damaged += [state | {key: value} for key in state]
    for wrong in damaged:
        body = {"tokenizer": case.cls.__name__, "specials": list(SPECIALS), "state": wrong}
        path.write_text(json.dumps(body))
        try:
            tokenizer.load(path)
        except ValueError as error:
            num_refused += 1
            assert re.match(r"[^\n]*tokenizer\.json: [^\n]*(state|merge)[^\n]*$", str(error))
            assert tokenizer.state() == before
        else:
            assert [tokenizer.encode_ordinary(text) for text in DOCUMENTS] == [
                whole.encode_ordinary(text) for text in DOCUMENTS
            ]
            tokenizer.load_state(before)
    assert num_refused >= len(damaged) / 3  # the words, merges or characters at the least


def test_load_refuses_other_specials(case: Case, tmp_path: Path) -> None:
    case.trained().save(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match=r"has the special tokens \['<\|endoftext\|>', .*\]: expected \['<\|end"):
        case.trained(specials=(END_OF_TEXT,)).load(tmp_path / "tokenizer.json")


def test_training_twice_forgets_the_first(case: Case) -> None:
    tokenizer, once = case.trained(), case.trained(["something else"])
    tokenizer.encode_ordinary("something else")  # so that a cache of the first training would show
    tokenizer.train(["something else"])
    assert_same(tokenizer, once)


def test_training_takes_an_iterator_and_is_deterministic(case: Case) -> None:
    tokenizer = case.untrained()
    tokenizer.train(text for text in DOCUMENTS)
    assert_same(tokenizer, case.trained(DOCUMENTS))


def test_training_refuses_one_str_and_surrogates(case: Case) -> None:
    if not needs_training(case):
        unread = iter(["\ud800"])
        case.untrained().train(unread)
        assert list(unread) == ["\ud800"]  # it learns nothing, and looks at nothing
        return
    with pytest.raises(ValueError, match=r"train got one str: expected an iterable of documents, such as \[text\]"):
        case.untrained().train("low lower")
    with pytest.raises(ValueError, match=r"lone surrogate U\+DC80 at index 1"):
        case.untrained().train(["fine", "a\udc80"])
    with pytest.raises(ValueError, match="expected text as a str, got bytes"):
        case.untrained().train([b"bytes"])


@pytest.mark.parametrize("documents", [[], [""], ["", "", ""]])
def test_training_on_nothing_still_encodes(case: Case, documents: list[str]) -> None:
    tokenizer = case.trained(documents)
    assert not tokenizer.lossless or tokenizer.decode(tokenizer.encode("naïve 🙂")) == "naïve 🙂"
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_special_strings_in_training_are_plain_text(case: Case) -> None:
    tokenizer = case.trained([f"{END_OF_TEXT} <|end|><|turn|>" * 5])
    assert len(tokenizer.encode(f"{END_OF_TEXT}<|end|>", allowed_special="all")) == 2
    assert min(tokenizer.encode_ordinary(f"{END_OF_TEXT} <|end|><|turn|>" * 2)) >= len(SPECIALS)


def test_untrained_use_is_refused_or_needs_no_training(case: Case, tmp_path: Path) -> None:
    expected = f"this {case.cls.__name__} is not trained: call train(texts) or load(path) first"
    uses = [
        lambda t: t.vocab_size,
        lambda t: t.encode("a"),
        lambda t: t.encode_ordinary(""),
        lambda t: t.encode_arrays(["a"]),
        lambda t: t.decode_bytes([1]),
        lambda t: t.decode([1]),
        lambda t: t.state(),
        lambda t: t.save(tmp_path / "tokenizer.json"),
    ]
    if not case.cls.lossless:
        uses.append(lambda t: t.lost("a"))
    outcomes = set()
    for use in uses:
        try:
            use(case.untrained())
            outcomes.add("works")
        except ValueError as error:
            outcomes.add(str(error))
    assert outcomes == {expected} if needs_training(case) else {"works"}
    assert case.untrained().cut("abc def") >= 0  # train_on_files asks before there is anything learned


@settings(max_examples=25, deadline=None)
@given(
    contents=st.lists(TEXTS, max_size=3), read_bytes=st.sampled_from([1, 2, 7, 1000]), stream_chars=st.integers(1, 30)
)
def test_training_on_files_is_training_on_their_texts(
    case: Case, tmp_path_factory: pytest.TempPathFactory, contents: list[str], read_bytes: int, stream_chars: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{i}.txt" for i in range(len(contents))]
    for path, text in zip(paths, contents, strict=True):
        path.write_bytes(text.encode())
    tokenizer = case.untrained()
    with mock.patch.object(base, "_READ_BYTES", read_bytes), mock.patch.object(base, "_STREAM_CHARS", stream_chars):
        assert tokenizer.train_on_files(iter(paths)) == {}
    assert_same(tokenizer, case.trained(contents))
