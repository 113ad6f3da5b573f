"""`load_tokenizer`: a saved file is enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tokenizers.tokenizer_cases import CASES, DOCUMENTS, Case
from zoo.tokenizers import BPETokenizer, WordTokenizer, load_tokenizer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_saved_tokenizer_needs_no_recipe(case: Case, tmp_path: Path) -> None:
    tokenizer = case.trained()
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert type(loaded) is type(tokenizer) and loaded.state() == tokenizer.state()
    assert loaded.special_ids == tokenizer.special_ids and loaded.vocab_size == tokenizer.vocab_size
    for text in DOCUMENTS:
        assert loaded.encode(text, disallowed_special=()) == tokenizer.encode(text, disallowed_special=())


def test_a_class_of_ones_own_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halves_of_mine.py").write_text(
        "from zoo.tokenizers import Tokenizer\n"
        "class Halves(Tokenizer):\n"
        "    def __init__(self, *, first: int): super().__init__(); self.first = first\n"
        "    vocab_size = 3\n"
        "    def train(self, texts): pass\n"
        "    def encode_array(self, text): return None\n"
        "    def decode_bytes(self, ids): return b''\n"
        "    def state(self): return {}\n"
        "    def load_state(self, state): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import halves_of_mine  # type: ignore[import-not-found]

    halves_of_mine.Halves(first=7).save(tmp_path / "mine.json")
    loaded: Any = load_tokenizer(tmp_path / "mine.json")
    assert type(loaded) is halves_of_mine.Halves and loaded.first == 7


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda body: body.pop("options"),
            "does not say how its WordTokenizer was made: load it by Word",
        ),
        (lambda body: body.pop("class_path"), "does not say how its WordTokenizer was made"),
        (lambda body: body.update(class_path="zoo.nowhere.A"), "holds a zoo.nowhere.A, which cannot be imported: No "),
        (lambda body: body.update(class_path="zoo.wording.A"), "holds a zoo.wording.A, which cannot be imported: "),
        (lambda body: body.update(class_path="A"), "holds a A, which cannot be imported: Empty module name"),
        (lambda body: body.update(class_path="pathlib.Path"), "holds a pathlib.Path, which is no tokenizer"),
        (lambda body: body.update(class_path="zoo.tokenizers.Tokenizer"), "which is no tokenizer"),
        (lambda body: body["options"].update(size=3), ": WordTokenizer does not take its options: "),
        (lambda body: body["options"].update(vocab_size=1), ": WordTokenizer does not take its options: vocab_size=1 "),
        (lambda body: body["options"].update(vocab_size=3), ": the state has 5 ids: expected at most vocab_size=3"),
    ],
)
def test_a_file_that_cannot_be_loaded(change: Callable[[dict[str, Any]], Any], text: str, tmp_path: Path) -> None:
    tokenizer = WordTokenizer(vocab_size=5)
    tokenizer.train(["a b c"])
    path = tmp_path / "words.json"
    tokenizer.save(path)
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))
    with pytest.raises(ValueError) as error:
        load_tokenizer(path)
    assert str(error.value).startswith(str(path)) and text in str(error.value)


def test_an_option_without_a_json_form_is_refused(tmp_path: Path) -> None:
    tokenizer = BPETokenizer(vocab_size=257)
    tokenizer.train([""])
    tokenizer.options["mine"] = object()
    with pytest.raises(ValueError, match="BPETokenizer: its options and state cannot be written as JSON: Obj"):
        tokenizer.save(tmp_path / "mine.json")
    assert not list(tmp_path.iterdir())
