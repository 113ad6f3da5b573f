from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_doubles import HALVES, Bytes, ListCorpus, sample_texts

from zoo.data import Mixture, MixtureSource, TokenStore, TrainBatches
from zoo.data.split import SPLITS, split_of
from zoo.recipe import RecipeError, load_recipe

BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"


class NotedCorpus(ListCorpus):
    def notes(self) -> list[str]:
        return [f"{len(self.texts)} lines were skipped"]


def source(name: str, weight: float, texts: list[str] | None = None, version: str = "1") -> MixtureSource:
    return MixtureSource(name=name, weight=weight, corpus=NotedCorpus(texts or [f"{name} text"], version))


def mixture(*sources: MixtureSource) -> Mixture:
    return Mixture(sources=list(sources))


def test_documents_stand_source_by_source_under_their_names() -> None:
    mixed = mixture(source("b", 2, ["one", "two"]), source("a", 1, ["three"]))
    assert list(mixed.documents()) == ["one", "two", "three"]
    assert list(mixed.labelled()) == [("b", "one"), ("b", "two"), ("a", "three")]
    assert list(mixed.sources()) == ["b", "a"]


@pytest.mark.parametrize("weights", [(1, 1, 2), (0.25, 0.25, 0.5), (10.0, 10.0, 20.0)])
def test_weights_become_shares(weights: tuple[float, ...]) -> None:
    mixed = mixture(*(source(name, weight) for name, weight in zip("abc", weights, strict=True)))
    assert mixed.sources() == {"a": 0.25, "b": 0.25, "c": 0.5}


def test_notes_say_which_source_they_are_of() -> None:
    assert mixture(source("a", 1, ["x", "y"]), source("b", 1)).notes() == [
        "a: 2 lines were skipped",
        "b: 1 lines were skipped",
    ]


def test_the_fingerprint_names_sources_weights_and_contents() -> None:
    base = mixture(source("a", 1), source("b", 3))
    others = [
        mixture(source("a", 1), source("b", 2)),
        mixture(source("b", 3), source("a", 1)),
        mixture(source("a", 1), source("c", 3)),
        mixture(source("a", 1), source("b", 3, version="2")),
        mixture(source("a", 1)),
        mixture(source("a", 1), MixtureSource(name="b", weight=3, corpus=ListCorpus(["b text"]))),
    ]
    assert len({m.fingerprint() for m in [base, *others]}) == 7
    assert mixture(source("a", 0.25), source("b", 0.75)).fingerprint() == base.fingerprint()  # the same shares


REFUSED: list[tuple[Any, str]] = [
    (lambda: mixture(), "sources is empty: expected at least one of name, corpus and weight"),
    (
        lambda: mixture(source("a", 1), source("b", 1), source("a", 2)),
        "two sources are called 'a': expected a name of its own for each",
    ),
    (lambda: source("a", 0), "source 'a': weight=0 must be above 0, and finite"),
    (lambda: source("a", -0.5), "source 'a': weight=-0.5 must be above 0, and finite"),
    (lambda: source("a", float("inf")), "source 'a': weight=inf must be above 0, and finite"),
    (lambda: source("a", float("nan")), "source 'a': weight=nan must be above 0, and finite"),
    (lambda: source("", 1), "name='' of a source: expected printable text"),
    (lambda: source("a\nb", 1), "name='a\\nb' of a source: expected printable text"),
    (
        lambda: mixture(
            MixtureSource(name="inner", weight=1, corpus=mixture(source("a", 1), source("b", 1))), source("c", 1)
        ),
        "source 'inner' is a mixture itself: list its sources (a, b) instead",
    ),
]


@pytest.mark.parametrize(("make", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_refused(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        make()


def test_a_document_of_two_sources_falls_into_one_split() -> None:
    shared, first, second = sample_texts(120, seed=0), sample_texts(100, seed=1), sample_texts(100, seed=2)
    mixed = mixture(source("a", 1, shared + first), source("b", 1, second + shared))
    splits: dict[str, set[str]] = {}
    for _, text in mixed.labelled():
        splits.setdefault(text, set()).add(split_of(text, HALVES))
    assert len(splits) == 320 and {len(found) for found in splits.values()} == {1}


def test_training_on_a_stored_mixture_reads_each_source_by_its_weight(tmp_path: Path) -> None:
    upper = [text.upper() for text in sample_texts(200, seed=1)]
    mixed = mixture(source("lower", 0.2, sample_texts(400)), source("upper", 0.8, upper))
    store = TokenStore.build_or_open(mixed, Bytes(), HALVES, home=tmp_path)
    assert [(s.name, s.weight) for s in store.sources] == [("lower", 0.2), ("upper", 0.8)]
    for packing in ("concat", "best_fit"):
        batches = TrainBatches(store, seed=0, seq_len=64, batch_size=20, packing=packing)  # type: ignore[arg-type]
        rows = np.concatenate([batches.step(i).inputs_BT for i in range(50)])
        is_upper = ((rows >= 66) & (rows <= 91)).any(axis=1)
        is_lower = ((rows >= 98) & (rows <= 123)).any(axis=1)
        assert not (is_upper & is_lower).any()  # no row is of two sources
        assert is_upper.mean() == pytest.approx(0.8, abs=0.01) and is_lower.mean() == pytest.approx(0.2, abs=0.01)
    held_out = [store.num_documents(split) for split in SPLITS]
    assert sum(held_out) == 600


def part(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "weight": 1, "corpus": {"class_path": "PythonDocs", "init_args": {"kinds": ["prose"]}}} | more


def recipe(*sources: Any) -> dict[str, Any]:
    return {"data.corpus": {"class_path": "zoo.data.Mixture", "init_args": {"sources": list(sources)}}}


def test_a_recipe_nests_corpora() -> None:
    loaded = load_recipe(BASE, recipe(part("a"), part("b", weight=3, corpus="PythonDocs")))
    resolved = loaded.resolved["data"]["corpus"]["init_args"]["sources"]
    assert resolved[0]["corpus"] == {
        "class_path": "zoo.data.PythonDocs",
        "init_args": {"kinds": ["prose"], "include_tests": False},
    }
    built = loaded.built.data.corpus
    assert isinstance(built, Mixture) and built.sources() == {"a": 0.25, "b": 0.75}


@pytest.mark.parametrize(
    ("sources", "line"),
    [
        ([part("a"), part("a")], r"data\.corpus: two sources are called 'a': expected a name of its own for each$"),
        ([part("a", weight=0)], r"data\.corpus: source 'a': weight=0 must be above 0, and finite$"),
        ([part("a", wieght=1)], r"sources\.0\.wieght: unknown key; did you mean 'weight'\? MixtureSource takes name, "),
        ([part("a", weight="x")], r"sources\.0\.weight: expected float, got 'x' \(str\)$"),
        (
            [part("a", corpus="PythonDoc")],
            r"sources\.0\.corpus: unknown class 'PythonDoc'; did you mean 'PythonDocs'\?",
        ),
        (
            [{"name": "a", "weight": 1}],
            r"sources\.0\.corpus: missing, and it has no default; MixtureSource takes name, ",
        ),
        ([3], r"sources\.0: expected a mapping, got 3$"),
    ],
)
def test_mistakes_in_a_recipe_are_one_line(sources: list[Any], line: str) -> None:
    with pytest.raises(RecipeError, match=line) as caught:
        _ = load_recipe(BASE, recipe(*sources)).built
    assert len(caught.value.lines) == 1 and "\n" not in str(caught.value)
