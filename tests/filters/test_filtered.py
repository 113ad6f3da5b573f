"""FilteredCorpus: one pass, one memory, a fingerprint of everything, and nothing dropped in silence."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from filter_doubles import Texts

from zoo.data.filters import (
    Changed,
    Dropped,
    ExactDedup,
    Filter,
    FilteredCorpus,
    GopherQuality,
    MinHashDedup,
    ScriptShare,
    Verdict,
)
from zoo.prepare import open_store
from zoo.recipe import load_recipe

BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"


class NoDigits(Filter):
    """A user's own: cuts digits out."""

    rules = ("digits", "nothing left")

    def apply(self, text: str) -> Verdict:
        left = "".join(c for c in text if not c.isdigit())
        if not left:
            return Dropped("nothing left")
        return text if left == text else Changed(left, {"digits": [c for c in text if c.isdigit()]})


class Says(Filter):
    """Gives the verdict it is told to."""

    rules = ("known", "other")

    def __init__(self, *, verdict: Any):
        self.verdict = verdict

    def apply(self, text: str) -> Verdict:
        return self.verdict


def test_filters_run_in_their_order_and_sources_keep_their_names() -> None:
    corpus = Texts(first=["a1", "b", "22"], second=["a", "c"])
    assert list(FilteredCorpus(corpus, [NoDigits(), ExactDedup()]).labelled()) == [
        ("first", "a"),
        ("first", "b"),
        ("second", "c"),
    ]
    dedup_first = FilteredCorpus(corpus, [ExactDedup(), NoDigits()])
    assert list(dedup_first.documents()) == ["a", "b", "a", "c"]
    assert dedup_first.sources() == corpus.sources() == {"first": 0.5, "second": 0.5}
    assert list(FilteredCorpus(corpus, []).labelled()) == list(corpus.labelled())


def test_passes_side_by_side_see_nothing_of_each_other() -> None:
    corpus = FilteredCorpus(Texts(one=["a", "b", "a", "c"]), [ExactDedup(), MinHashDedup(shingle_words=1)])
    assert list(zip_longest(corpus.documents(), corpus.documents())) == [("a", "a"), ("b", "b"), ("c", "c")]
    assert list(corpus.documents()) == ["a", "b", "c"]


def test_notes_say_what_every_rule_removed() -> None:
    corpus = FilteredCorpus(Texts(one=["aé1", "33", "aé", "b"]), [NoDigits(), ExactDedup(), ExactDedup()])
    assert corpus.notes() == ["0 texts were read"], "before a pass there is nothing to tell"
    list(corpus.documents())
    assert corpus.notes() == [
        "4 texts were read",
        "NoDigits: digits: changed 1 document, 1 bytes removed",
        "NoDigits: nothing left: dropped 1 document, 2 bytes removed",
        "ExactDedup: duplicate: dropped 1 document, 3 bytes removed",
        "filters kept 2 of 4 documents, 4 of 10 bytes",
    ]
    list(corpus.documents())
    assert "filters kept 2 of 4 documents, 4 of 10 bytes" in corpus.notes(), "of the last pass, not of all"


def test_the_fingerprint_tells_corpus_filters_options_and_order_apart() -> None:
    corpora = [
        FilteredCorpus(Texts(one=["a"]), []),
        FilteredCorpus(Texts(version="2", one=["a"]), []),
        FilteredCorpus(Texts(one=["a"]), [ExactDedup()]),
        FilteredCorpus(Texts(one=["a"]), [ExactDedup(normalise=True)]),
        FilteredCorpus(Texts(one=["a"]), [ExactDedup(), ExactDedup()]),
        FilteredCorpus(Texts(one=["a"]), [ExactDedup(), GopherQuality()]),
        FilteredCorpus(Texts(one=["a"]), [GopherQuality(), ExactDedup()]),
        FilteredCorpus(Texts(one=["a"]), [GopherQuality(min_words=49), ExactDedup()]),
        FilteredCorpus(Texts(one=["a"]), [NoDigits()]),
    ]
    assert len({corpus.fingerprint() for corpus in corpora}) == len(corpora)
    again = FilteredCorpus(Texts(one=["a"]), [ExactDedup(normalise=False)])
    assert again.fingerprint() == corpora[2].fingerprint() and len(again.fingerprint()) == 64


OWN = """
from zoo.data.filters import Dropped, Filter

class Short(Filter):
    rules = ("long",)

    def __init__(self, *, most: int = 3):
        self.most = most

    def apply(self, text):
        return text if len(text) <= self.most else Dropped("long")
"""


def test_editing_a_filter_of_ones_own_is_another_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_filter.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    recipe = load_recipe(BASE, {"data.filters": ["own_filter.Short", {"class_path": "own_filter.Short"}]})
    assert recipe.resolved["data"]["filters"] == 2 * [{"class_path": "own_filter.Short", "init_args": {"most": 3}}]
    corpus = FilteredCorpus(Texts(one=["a", "abcd"]), recipe.built.data.filters)
    assert list(corpus.documents()) == ["a"]
    before = corpus.fingerprint()
    (tmp_path / "own_filter.py").write_text(OWN + "# edited\n")
    assert corpus.fingerprint() != before


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (None, r"Says: apply gave None: expected the document itself, Changed or Dropped"),
        ("another", r"Says: apply gave another text: expected the document itself, Changed or Dropped"),
        (Dropped("knwn"), r"Says gave the reason 'knwn'; did you mean 'known'\? Its rules: known, other"),
        (Changed("x", {"unknown": ["y"]}), r"Says gave the reason 'unknown'; did you mean 'known'\? Its rules: "),
        (Changed("x", {}), r"Says changed a document without a rule$"),
        (Changed("", {"known": ["y"]}), r"Says changed a document without a text: where nothing is left, return Drop"),
    ],
)
def test_a_filter_that_breaks_its_contract_is_told_so(verdict: Any, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{line}"):
        list(FilteredCorpus(Texts(one=["a"]), [Says(verdict=verdict)]).documents())


def test_text_that_utf8_cannot_encode_is_named() -> None:
    with pytest.raises(ValueError, match=r"^document 2 cannot be written as UTF-8: 'utf-8' codec can't encode"):
        list(FilteredCorpus(Texts(one=["a", "b\ud800"]), [ExactDedup()]).documents())


def test_an_option_without_a_lasting_form_cannot_name_a_store() -> None:
    with pytest.raises(
        ValueError, match=r"^Says: verdict=Dropped\(rule='known'\) is neither text, number, list nor map"
    ):
        FilteredCorpus(Texts(one=["a"]), [Says(verdict=Dropped("known"))]).fingerprint()


def test_a_store_is_of_what_the_filters_leave(tiny: dict[str, Any], tmp_path: Path) -> None:
    quiet = {"class_path": "GopherQuality", "init_args": {"min_words": 100, "min_mean_word_length": 1}}
    tiny |= {"data.split": [0.8, 0.1, 0.1]}  # enough of each is left
    whole, filtered = (load_recipe(BASE, tiny | {"data.filters": given}) for given in ([], [quiet]))
    all_of_it, left = open_store(whole), open_store(filtered)
    assert all_of_it.fingerprint != left.fingerprint
    read = whole.built.data.corpus.documents()
    expected = [text for text in read if len(text.split()) >= 100]
    assert 0 < len(expected) < 1500
    splits = ("train", "validation", "test")
    assert sum(left.num_documents(split) for split in splits) == len(expected)
    assert sum(left.num_bytes(split) for split in splits) == sum(len(text.encode()) for text in expected)
    assert any(note.startswith("GopherQuality: number of words: dropped ") for note in left.notes)


def test_filters_that_leave_nothing_are_the_users_mistake(tiny: dict[str, Any]) -> None:
    recipe = load_recipe(BASE, tiny | {"data.filters": [{"class_path": "ScriptShare", "init_args": {"script": "Han"}}]})
    removed = (
        r"the filters removed 1,500 of 1,500 documents \(ScriptShare 1,500\): `zoo data report` shows which rule did"
    )
    with pytest.raises(
        ValueError, match=rf"^base: data: too little text: train has 0 documents.*; {removed}; give a spl"
    ):
        open_store(recipe)


def test_filters_that_removed_nothing_are_no_reason_for_too_little_text() -> None:
    corpus = FilteredCorpus(Texts(one=["a", "b"]), [NoDigits(), ExactDedup()])
    assert list(corpus.documents()) == ["a", "b"] and corpus.hints() == []
    corpus = FilteredCorpus(Texts(one=["a", "1", "a", "2"]), [NoDigits(), ExactDedup()])
    assert list(corpus.documents()) == ["a"]
    (hint,) = corpus.hints()
    assert hint.startswith("the filters removed 3 of 4 documents (NoDigits 2, ExactDedup 1): ")


def test_a_filter_without_a_constructor_has_no_options() -> None:
    assert NoDigits().options == {} and ScriptShare().options == {"script": "Latin", "at_least": 0.9}
