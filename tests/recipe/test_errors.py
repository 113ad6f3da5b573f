"""A user's mistakes: one line each, with the nearest right word, and nothing made on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zoo.cli import main
from zoo.recipe import RecipeError, load_recipe

BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"

MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    (
        "unknown section",
        {"modle": {"d_model": 1}},
        r"modle: unknown key; did you mean 'model'\? A recipe takes model, data",
    ),
    (
        "unknown key",
        {"model.d_modle": 64},
        r"model\.d_modle: unknown key; did you mean 'd_model'\? model takes d_model, num_layers, ",
    ),
    (
        "unknown argument of a class",
        {"model.attention.num_headz": 4},
        r"model\.attention\.num_headz: unknown key; did you mean 'num_heads'\? FullAttention takes num_heads, ",
    ),
    (
        "unknown class",
        {"model.ffn": "GLUU"},
        r"model\.ffn: unknown class 'GLUU'; did you mean 'GLU'\? ffns holds .*MLP",
    ),
    (
        "class of another family",
        {"model.attention": "RMSNorm"},
        r"model\.attention: RMSNorm is of the family norms, expected one of attention: FullAttention, ",
    ),
    (
        "class of no family",
        {"model.attention": "collections.OrderedDict"},
        r"model\.attention: OrderedDict is of no family of zoo, expected one of attention: ",
    ),
    ("abstract class", {"model.norm": "zoo.norms.Norm"}, r"model\.norm: Norm is abstract, expected one of norms: "),
    ("not a class", {"model.norm": "os.path.join"}, r"model\.norm: os\.path\.join is not a class$"),
    ("wrong type", {"model.d_model": "big"}, r"model\.d_model: expected int, got 'big' \(str\)$"),
    ("a fraction for an int", {"model.d_model": 1.5}, r"model\.d_model: expected int, got 1\.5 \(float\)$"),
    ("true for an int", {"model.num_layers": True}, r"model\.num_layers: expected int, got True \(bool\)$"),
    (
        "wrong type of an argument",
        {"model.attention.num_kv_heads": "two"},
        r"model\.attention\.num_kv_heads: expected int or null, got 'two' \(str\)$",
    ),
    (
        "wrong choice",
        {"trainer.device": "gpu"},
        r"trainer\.device: expected one of auto, cpu, cuda, got 'gpu' \(str\)",
    ),
    (
        "no such module",
        {"model.ffn": "my_modul.Ffn"},
        r"model\.ffn: cannot import 'my_modul\.Ffn': no module named 'my_modul'",
    ),
    (
        "no such class in a module",
        {"model.norm": "zoo.norms.RMSNrm"},
        r"model\.norm: unknown class: zoo\.norms has no 'RMSNrm'; did you mean 'RMSNorm'\?$",
    ),
    (
        "an argument that the model gives",
        {"model.attention.d_model": 64},
        r"model\.attention\.d_model: unknown key.* FullAttention takes num_heads",
    ),
    ("null for a component", {"model.ffn": None}, r"model\.ffn: expected a Ffn, got null$"),
    ("a number for a component", {"model.ffn": 3}, r"model\.ffn: expected a class of Ffn .*, got 3$"),
    (
        "a layer's unknown key",
        {"model.layers": [{"atention": "FullAttention"}]},
        r"model\.layers\.0\.atention: unknown key; did you",
    ),
    (
        "one component for a list of them",
        {"data.filters": "ExactDedup"},
        r"data\.filters: expected a list of classes of Filter, as \[Name, \.\.\.\] or \[\], got 'ExactDedup'$",
    ),
    ("null for a list of components", {"data.filters": None}, r"data\.filters: expected a list of .*, got null$"),
    (
        "an item that an empty list does not have",
        {"data.filters.0": "ExactDedup"},
        r"data\.filters\.0: the list data\.filters has no such item: it is empty$",
    ),
    (
        "an item that a list does not have",
        {"data.split.3": 0.1},
        r"data\.split\.3: the list data\.split has no such item: it has 3 items, numbered from 0$",
    ),
    (
        "a name for an item",
        {"data.filters.first": "ExactDedup"},
        r"data\.filters: expected a list of .*, got \{",
    ),
    (
        "a word for a list of words",
        {"data.corpus": {"class_path": "TextFiles", "init_args": {"paths": "d/a.jsonl"}}},
        r"data\.corpus\.paths: expected a list, as \[d/a\.jsonl\], got 'd/a\.jsonl' \(str\)$",
    ),
    (
        "a number for a list of words",
        {"data.corpus": {"class_path": "TextFiles", "init_args": {"paths": 3}}},
        r"data\.corpus\.paths: expected list\[str\], got 3 \(int\)$",
    ),
    (
        "unknown class in a list",
        {"data.filters": ["ExactDedup", "GopherQualty"]},
        r"data\.filters\.1: unknown class 'GopherQualty'; did you mean 'GopherQuality'\? filters holds C4Lines, ",
    ),
    (
        "class of another family in a list",
        {"data.filters": ["PythonDocs"]},
        r"data\.filters\.0: PythonDocs is of the family data, expected one of filters: C4Lines, ",
    ),
    ("null in a list", {"data.filters": [None]}, r"data\.filters\.0: expected a Filter, got null$"),
    (
        "unknown argument in a list",
        {"data.filters": [{"class_path": "GopherQuality", "init_args": {"min_word": 20}}]},
        r"data\.filters\.0\.min_word: unknown key; did you mean 'min_words'\? GopherQuality takes min_words, ",
    ),
    (
        "wrong type in a list",
        {"data.filters": [{"class_path": "GopherQuality", "init_args": {"min_words": "few"}}]},
        r"data\.filters\.0\.min_words: expected int, got 'few' \(str\)$",
    ),
]


@pytest.mark.parametrize(("overrides", "line"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistake_is_one_line_with_the_nearest_word(overrides: dict[str, Any], line: str) -> None:
    with pytest.raises(RecipeError, match=r"recipes/base\.yaml: " + line) as caught:
        load_recipe(BASE, overrides)
    assert len(caught.value.lines) == 1 and "\n" not in caught.value.lines[0]


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    (
        "by an attention",
        {"model.attention.num_kv_heads": 3},
        r"^base: model: FullAttention: num_kv_heads=3 must divide num_heads=4$",
    ),
    ("by the decoder", {"model.num_layers": 0}, r"^base: model: Decoder: num_layers=0 must be at least 1$"),
    ("by an optimizer", {"model.optimizer.lr": -1.0}, r"^base: model\.optimizer: .*lr"),
    (
        "by options",
        {"data.validation_stride": 4096},
        r"^base: data: validation_stride=4096 must not be over seq_len=128$",
    ),
    (
        "by a component in a list",
        {"data.filters": [{"class_path": "MinHashDedup", "init_args": {"threshold": 2}}]},
        r"^base: data\.filters: .*threshold=2 must be above 0 and at most 1",
    ),
    (
        "an empty budget",
        {"budget": {}},
        r"^base: budget: expected exactly one of flops, tokens, bytes, seconds, got none$",
    ),
    (
        "two budgets",
        {"budget": {"flops": 1e9, "tokens": 1e6}},
        r"^base: budget: expected exactly one of flops, tokens, bytes, seconds, got flops, tokens$",
    ),
]


@pytest.mark.parametrize(("overrides", "line"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_value_that_a_class_refuses(overrides: dict[str, Any], line: str) -> None:
    with pytest.raises(RecipeError, match=line):
        load_recipe(BASE, overrides).try_on_meta()


def test_all_mistakes_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(BASE, {"model.d_modle": 1, "data.seq_len": "x", "model.norm": "RMSNrm"})
    assert len(caught.value.lines) == 3


def test_kwargs_are_banned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loose.py").write_text(
        "from zoo.norms.base import Norm\n"
        "class Loose(Norm):\n"
        "    def __init__(self, *, d_model, **kwargs): super().__init__()\n"
        "    def forward(self, x): return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match=r"model\.norm: Loose takes \*\*kwargs: nothing could check a recipe's keys$"):
        load_recipe(BASE, {"model.norm": "loose.Loose"})


def test_module_that_fails_to_import_is_news_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match=r"cannot import 'broken_module\.X': ZeroDivisionError: division by zero$"):
        load_recipe(BASE, {"model.norm": "broken_module.X"})


COMMAND_LINES: list[tuple[list[str], str]] = [
    (["fit", str(BASE), "--model.d_modle=64"], "model.d_modle: unknown key; did you mean 'd_model'?"),
    (["fit", str(BASE), "--model.attention.num_kv_heads=3"], "num_kv_heads=3 must divide num_heads=4"),
    (["fit", "nowhere.yaml"], "nowhere.yaml: no such file"),
    (["ablate", str(BASE.parent / "ablations" / "quickstart.yaml"), "--seeds=-1,3"], "ablation.seeds: expected"),
    (["fit", str(BASE), "--resum"], "unknown argument '--resum'; did you mean '--resume'?"),
    (["fit", str(BASE), "extra"], "unknown argument 'extra'"),
    (["fit", str(BASE), "--model.d_model"], "--model.d_model needs a value"),
    (["ablate", str(BASE)], "this is a recipe, not an ablation"),
    (["list", "atention"], "unknown family 'atention'; did you mean 'attention'?"),
]
FIRST = {arguments[0]: line for arguments, line in reversed(COMMAND_LINES)}  # of each command


@pytest.mark.parametrize(("arguments", "line"), COMMAND_LINES)
def test_command_line_exits_2_with_one_line_and_makes_nothing(
    arguments: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first of each command in a process of its own, which takes seconds, the others in this one."""
    if FIRST[arguments[0]] == line:
        environment = {"ZOO_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        code, said = done.returncode, done.stderr
    else:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
        code, said = main(arguments), capsys.readouterr().err
    assert code == 2, said
    assert line in said and len(said.splitlines()) == 1
    assert "Traceback" not in said and list(tmp_path.iterdir()) == []
