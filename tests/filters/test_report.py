"""The table of `zoo data report`: its figures are counted by hand, and add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from filter_doubles import Texts, documents
from hypothesis import given, settings

from zoo.data.filters import C4Lines, ExactDedup, GopherQuality
from zoo.data.filters.report import FilterReport, report, run_report, snippet
from zoo.recipe import RecipeError, load_recipe

BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"
LINE = "One two three four five.\n"
PAGE = "Seven | words\n" + 3 * LINE  # 89 bytes, 14 of them in a line without an end mark


def small_report(examples: int = 3) -> FilterReport:
    corpus = Texts(one=[PAGE, PAGE, 3 * LINE, "é"], two=["x {", PAGE.replace("Seven", "<b>")])
    return report(corpus, [ExactDedup(), C4Lines()], examples=examples)


def test_every_rule_has_its_row() -> None:
    found = small_report()
    assert [(row.filter, row.rule) for row in found.rows] == [
        *(("ExactDedup", rule) for rule in ExactDedup.rules),
        *(("C4Lines", rule) for rule in C4Lines.rules),
    ]
    counts = {row.rule: (row.dropped, row.changed, row.num_bytes) for row in found.rows if row.dropped or row.changed}
    assert counts == {
        "duplicate": (1, 0, 89),
        "curly bracket": (1, 0, 3),
        "no end mark": (0, 2, 14 + 12),
        "number of sentences": (1, 0, 2),
    }
    assert (found.num_documents, found.kept_documents) == (6, 3)
    assert (found.num_bytes, found.kept_bytes) == (89 + 89 + 75 + 2 + 3 + 87, 3 * 75)
    assert found.notes == ["6 texts were read"]


@settings(deadline=None)
@given(documents)
def test_bytes_add_up(texts: list[str]) -> None:
    filters = [ExactDedup(), C4Lines(min_words=1, min_sentences=1), GopherQuality(min_words=1, min_stop_words=0)]
    found = report(Texts(one=texts), filters)
    assert found.num_bytes == sum(len(text.encode()) for text in texts)
    assert found.num_bytes - sum(row.num_bytes for row in found.rows) == found.kept_bytes
    assert found.num_documents - sum(row.dropped for row in found.rows) == found.kept_documents


def test_markdown() -> None:
    lines = small_report(examples=1).to_markdown().splitlines()
    assert lines[0] == "| filter | rule | documents dropped | documents changed | bytes removed | share of bytes |"
    assert lines[1] == "| :--- | :--- | ---: | ---: | ---: | ---: |"
    assert lines[2] == "| ExactDedup | duplicate | 1 | 0 | 89 | 25.80% |"
    assert "Kept 3 of 6 documents, 225 of 345 bytes (65.22%)." in lines
    assert r"- C4Lines, no end mark: Seven \| words\n" in lines
    assert sum(line.startswith("- C4Lines, no end mark: ") for line in lines) == 1, "as many examples as asked for"
    assert lines[-1] == "- 6 texts were read"


def test_markup_of_a_text_is_no_markup_of_the_table() -> None:
    assert r"- C4Lines, no end mark: &lt;b> \| words\n" in small_report().to_markdown().splitlines()


def test_json() -> None:
    body = json.loads(small_report().to_json())
    assert {key: body[key] for key in ("documents", "bytes", "kept_documents", "kept_bytes", "notes")} == {
        "documents": 6,
        "bytes": 345,
        "kept_documents": 3,
        "kept_bytes": 225,
        "notes": ["6 texts were read"],
    }
    (row,) = (row for row in body["rows"] if row["rule"] == "no end mark")
    assert row == {
        "filter": "C4Lines",
        "rule": "no end mark",
        "documents_dropped": 0,
        "documents_changed": 2,
        "bytes_removed": 26,
        "share_of_bytes": 26 / 345,
        "examples": [r"Seven | words\n", r"<b> | words\n"],
    }


def test_a_snippet_is_the_first_80_characters_in_one_line() -> None:
    assert snippet("é\ta\r\n\u2028\x00") == r"é\ta\r\n\u2028\x00"
    assert snippet(80 * "x") == 80 * "x"
    assert snippet(81 * "x") == 80 * "x" + "..."


def test_a_corpus_without_documents() -> None:
    found = report(Texts(one=[]), [ExactDedup()])
    assert "| ExactDedup | duplicate | 0 | 0 | 0 | - |" in found.to_markdown()
    assert json.loads(found.to_json())["rows"][0]["share_of_bytes"] == 0


def test_the_report_of_a_recipe(tiny: dict[str, Any]) -> None:
    said: list[str] = []
    recipe = load_recipe(BASE, tiny | {"data.filters": ["ExactDedup"]})
    text = run_report(recipe, progress=said.append)
    assert "| ExactDedup | duplicate | 0 | 0 | 0 | 0.00% |" in text and "Kept 1,500 of 1,500 documents" in text
    assert said[0] == "filtering TextFiles"
    assert json.loads(run_report(recipe, as_json=True))["kept_documents"] == 1500


def test_mistakes_are_of_the_recipe(tiny: dict[str, Any]) -> None:
    with pytest.raises(
        RecipeError, match=r"^base: data\.filters: it is empty, so nothing is removed; try --data\.filt"
    ):
        run_report(load_recipe(BASE, tiny))
    missing = tiny | {"data.corpus.paths": ["nowhere.txt"], "data.filters": ["ExactDedup"]}
    with pytest.raises(RecipeError, match=r"^base: data: no file matches 'nowhere\.txt'"):
        run_report(load_recipe(BASE, missing))
