"""Laws of every filter."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from filter_doubles import documents, kept
from hypothesis import given, settings

from zoo.data.filters import Changed, Dropped, Filter, Verdict
from zoo.families import variants

# loose options beside the defaults, so that short texts are not all dropped by the first rule
OPTIONS: dict[str, list[dict[str, object]]] = {
    "C4Lines": [{"min_words": 2, "min_sentences": 1, "bad_words": ["model"]}],
    "ExactDedup": [{"normalise": True}],
    "GopherQuality": [{"min_words": 1, "min_mean_word_length": 1.0, "min_stop_words": 1}],
    "GopherRepetition": [{"max_duplicate_lines": 0.7, "max_duplicate_line_characters": 0.7}],
    "MinHashDedup": [{"threshold": 0.5, "shingle_words": 1, "num_hashes": 32}],
    "ScriptShare": [{"script": "Cyrillic", "at_least": 0.1}],
}
CASES = {
    f"{name}{number or ''}": (lambda cls=cls, options=options: cls(**options))
    for name, cls in variants("filters").items()
    for number, options in enumerate([{}, *OPTIONS.get(name, [])])
}
every_filter = pytest.mark.parametrize("make", CASES.values(), ids=CASES)
Make = Callable[[], Filter]


def verdicts(one: Filter, texts: list[str]) -> list[Verdict]:
    return [one.apply(text) for text in texts]


def is_subsequence(short: str, long: str) -> bool:
    rest = iter(long)
    return all(character in rest for character in short)


def test_the_filters_of_the_papers_are_there() -> None:
    assert {"GopherQuality", "GopherRepetition", "C4Lines", "ExactDedup", "MinHashDedup"} <= set(variants("filters"))


@every_filter
@settings(deadline=None, max_examples=25)
@given(texts=documents)
def test_a_verdict_keeps_cuts_or_drops_and_names_its_rules(make: Make, texts: list[str]) -> None:
    one = make()
    for text in texts:
        verdict = one.apply(text)
        if isinstance(verdict, Dropped):
            assert verdict.rule in one.rules
        elif isinstance(verdict, Changed):
            assert verdict.text and verdict.removed and set(verdict.removed) <= set(one.rules)
            assert is_subsequence(verdict.text, text)
            pieces = [piece for some in verdict.removed.values() for piece in some]
            assert all(piece in text for piece in pieces)
            assert len(verdict.text) + sum(map(len, pieces)) == len(text), "what went is told to the last character"
        else:
            assert verdict == text


@every_filter
@settings(deadline=None, max_examples=25)
@given(texts=documents)
def test_deterministic_and_start_forgets(make: Make, texts: list[str]) -> None:
    one = make()
    first = verdicts(one, texts)
    one.start()
    assert verdicts(one, texts) == first == verdicts(make(), texts)
    own = copy.deepcopy(one)
    own.start()
    assert verdicts(own, texts) == first, "a copy is a filter as well"


@every_filter
@settings(deadline=None, max_examples=25)
@given(texts=documents)
def test_filtering_twice_is_filtering_once(make: Make, texts: list[str]) -> None:
    once = kept(make(), texts)
    assert kept(make(), once) == once


@every_filter
@settings(deadline=None, max_examples=20)
@given(texts=documents)
def test_its_options_make_it_again(make: Make, texts: list[str]) -> None:
    one = make()
    options = json.loads(json.dumps(one.options))
    assert verdicts(type(one)(**options), texts) == verdicts(one, texts)


@every_filter
def test_rules_are_named_once_each(make: Make) -> None:
    rules = make().rules
    assert rules and len(set(rules)) == len(rules)


@pytest.mark.slow
def test_verdicts_are_the_same_in_every_process() -> None:
    """Python draws its hash of text anew for each process."""
    code = (
        "from zoo.families import variants\n"
        "texts = [' '.join('the cat of %d and %d sat.' % (i % 7, j % i) for j in range(40)) for i in range(1, 40)]\n"
        "print([[repr(f.apply(t)) for t in texts] for cls in variants('filters').values() for f in [cls()]])"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1 and "Dropped" in outputs.pop()
