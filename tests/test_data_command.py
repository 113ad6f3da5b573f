"""`zoo data` as its user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoo.cli import main

BASE = str(Path(__file__).parents[1] / "recipes" / "base.yaml")


@pytest.fixture
def recipe(corpus: Path, tmp_path: Path, own_zoo_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))  # no store is there yet
    path = tmp_path / "small.yaml"
    path.write_text(
        f"base: {BASE}\ndata:\n  corpus:\n    class_path: zoo.data.TextFiles\n    init_args: {{paths: ['{corpus}']}}\n"
    )
    return str(path)


def test_build_says_what_there_is(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "build", recipe, "--jobs", "1"]) == 0
    first = capsys.readouterr().out
    assert "reading TextFiles" in first and "vocabulary 257 tokens, 1.00 bytes per token" in first
    assert main(["data", "build", recipe]) == 0
    assert "reading" not in capsys.readouterr().out, "it is there"
    assert main(["data", "build", recipe, "--rebuild"]) == 0
    assert "reading TextFiles" in capsys.readouterr().out


def test_a_lossy_tokenizer_shows_its_charge(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data.tokenizer=WordTokenizer", "--data.tokenizer.vocab_size=12"]
    assert main(["data", "build", recipe, *words]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "bits per byte for what they do not tell" in line]
    assert [line.split()[0] for line in lines] == ["train", "validation", "test"]
    charges = [float(line.partition("charged ")[2].split()[0]) for line in lines]
    assert all(0.5 < charge < 8 for charge in charges)


def test_inspect_shows_the_text_around_a_token(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--document", "1", "--context", "2", "--split", "validation"]
    assert main(["data", "inspect", recipe, *words]) == 0
    shown = capsys.readouterr()
    head, _, before, close, boundary, *rest = shown.out.splitlines()
    assert head.startswith("validation token ") and "source TextFiles" in head and "document 1 of " in head
    assert before.endswith("'.'") and close.endswith("'<|endoftext|>'") and "end of document 0" in boundary
    assert rest[0].startswith("> ") and " 0-1 " in rest[0]
    assert "reading" in shown.err, "what goes to standard output is the text alone"


def test_inspect_for_programs(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "inspect", recipe, "--at", "5", "--context", "3", "--json"]) == 0
    place = json.loads(capsys.readouterr().out)
    assert (place["split"], place["token"], place["document"], place["source"]) == ("train", 5, 0, "TextFiles")
    assert [token["token"] for token in place["tokens"]] == list(range(2, 9))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--at", "-7"], "small: token -7 is not in the train split: expected 0 to "),
        (["--document", "99999", "--split", "test"], "small: document 99999 is not in the test split: expected 0 to "),
    ],
)
def test_inspect_out_of_range_is_one_line(
    recipe: str, words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "build", recipe]) == 0
    assert main(["data", "inspect", recipe, *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "reading" not in line]
    assert line.startswith(text) and line[len(text) :].isdecimal()


def test_report_names_what_a_filter_removes(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "report", recipe, "--data.filters=[ExactDedup]", "--examples", "1"]) == 0
    assert "ExactDedup" in capsys.readouterr().out
    assert main(["data", "report", recipe, "--data.filters=[ExactDedup]", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 1500
    assert main(["data", "report", recipe]) == 2
    assert "data.filters: it is empty" in capsys.readouterr().err
