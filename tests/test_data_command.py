"""`zoo data` as its user runs it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from zoo.cli import build_parser, main
from zoo.commands import data
from zoo.data import Mixture, MixtureSource, TextFiles

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
    head, _, text, _, _, before, close, boundary, *rest = shown.out.splitlines()
    assert re.fullmatch(r"\.<\|endoftext\|>\d[\d ]{2}", text), "the running text, above its tokens"
    assert head.startswith("validation token ") and "source TextFiles" in head and "document 1 of " in head
    assert before.endswith("'.'") and close.endswith("'<|endoftext|>'") and "end of document 0" in boundary
    assert rest[0].startswith("> ") and " 0-1 " in rest[0]
    assert "reading" in shown.err, "what goes to standard output is the text alone"


def test_inspect_for_programs(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "inspect", recipe, "--at", "5", "--context", "3", "--json"]) == 0
    place = json.loads(capsys.readouterr().out)
    assert (place["split"], place["token"], place["document"], place["source"]) == ("train", 5, 0, "TextFiles")
    assert [token["token"] for token in place["tokens"]] == list(range(2, 9))
    assert b"".join(bytes.fromhex(token["bytes"]) for token in place["tokens"]).decode() == place["text"] != ""


def test_inspect_tells_a_byte_from_the_text_that_spells_it(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"{number} \\xc3\u00e9\x1b[31m " + "some text " * 60 for number in range(1300)]
    (tmp_path / "own.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    words = [f"--data.corpus.paths=[{tmp_path / 'own.jsonl'}]", "--document=0", "--context=14"]
    assert main(["data", "inspect", recipe, *words]) == 0
    out = capsys.readouterr().out
    assert "  b'\\xc3'\n" in out and "  b'\\xa9'\n" in out and "  '\\x1b'\n" in out
    assert "\x1b" not in out and " \\xc3\u00e9\\x1b[" in out, "a terminal is not steered by a corpus"
    assert main(["data", "inspect", recipe, *words, "--json"]) == 0
    tokens = json.loads(capsys.readouterr().out)["tokens"]
    assert {("\\xc3", "c3"), ("\\", "5c")} <= {(token["text"], token["bytes"]) for token in tokens}


def test_build_for_programs(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = build_parser().parse_args(["data", "build", recipe])
    arguments.json = True
    assert data.run(arguments, []) == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert sum(split["documents"] for split in told["splits"].values()) == 1500
    assert all(split["tokens"] == split["bytes"] + split["documents"] + 1 for split in told["splits"].values())
    assert Path(told["folder"]).name == told["fingerprint"][:12] and told["vocab_size"] == 257
    assert told["sources"] == [{"name": "TextFiles", "weight": 1.0, "train_tokens": told["splits"]["train"]["tokens"]}]
    assert told["notes"] == [] and "reading" in shown.err


def test_one_large_file_is_told_of_the_separator_that_cures_it(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "input.txt").write_text("\n\n".join(f"Speaker {i}:\n" + "some words " * 60 for i in range(1000)))
    words = ["data", "build", recipe, f"--data.corpus.paths=[{tmp_path / 'input.txt'}]"]
    assert main(words) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "too little" in line]
    assert "train has 1 documents" in line or "train has 0 documents" in line
    (spelled,) = re.findall(r"'--data\.corpus\.separator=\S+'", line)
    assert main([*words, *shlex.split(spelled)]) == 0, "what it says works as it stands"
    assert list((tmp_path / "home" / "stores").glob("*.lock")) != []


def test_the_cure_names_the_key_within_a_mixture(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    source = MixtureSource(name="own", corpus=TextFiles(paths=[str(tmp_path / "a.txt")]), weight=1)
    (hint,) = Mixture(sources=[source]).hints()
    assert hint.startswith("own: a .txt") and "'--data.corpus.sources.0.corpus.separator=" in hint


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
