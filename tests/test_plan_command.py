"""`zoo plan` as its user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.cli import main

BASE = Path(__file__).parents[1] / "recipes" / "base.yaml"


@pytest.fixture
def recipe(tiny: dict[str, Any], tmp_path: Path) -> str:
    """A recipe on the small corpus."""
    tree: dict[str, Any] = {"base": str(BASE), **tiny}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(tree))
    return str(path)


def test_one_screen(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", recipe, "--device", "h100-sxm", "--num-devices", "2", "--mfu", "0.5", "--price", "2.5"]) == 0
    out = capsys.readouterr().out
    for line in (
        "small\nparameters ",
        "in 60 steps; Chinchilla's rule for this size: ",
        "forward       attention projections",
        "device          2 x h100-sxm, 67 TFLOP/s, its maker's peak",
        "of the exact count: as asked",
        "device hours ",
        "checkpoint ",
        "KiB of cache per sequence of the training length",
        "activations     ",
        "fits?           fits: peak ",
        "of 85.0 GB (79.2 GiB), as torch reports it",
        "optimizer state ",
        "- memory counts tensors as CUDA's kernels keep them",
    ):
        assert line in out, line
    assert len(out.splitlines()) < 45


def test_json_is_for_programs(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", recipe, "--device", "t4", "--tokens", "1M", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["num_steps"] == int(1e6 / 512) and found["tokens"] == found["num_steps"] * 512
    assert found["peak_bytes"] == sum(found["phases"][found["peak_phase"]].values())
    assert found["fit"]["verdict"] == "fits" and found["fit"]["missing_bytes"] == 0
    assert found["target"]["flops_per_second"] == 8.1e12


def test_the_textbook_question(capsys: pytest.CaptureFixture[str]) -> None:
    """7B parameters on 20B tokens on one H100."""
    size = ["--params", "7B", "--tokens", "20e9", "--states", "bf16"]
    assert main(["plan", *size, "--device", "h100-sxm", "--mfu", "0.5"]) == 0
    out = capsys.readouterr().out
    assert "8.40e20 in all" in out and "19.7 days" in out
    assert "does not fit: peak 103 GB" in out and "of 85.0 GB (79.2 GiB)" in out
    assert "78.2 GiB" in out, "the states alone, 84 GB"
    assert "would fit     --num-devices 2 --zero-stage 3: " in out


def test_a_picture(recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "plan.png"
    command = ["plan", recipe, "--device", "h100-sxm", "--plot", str(picture)]
    assert main(command) == 0
    assert picture.read_bytes().startswith(b"\x89PNG") and f"drawn: {picture}" in capsys.readouterr().err
    assert main(command) == 2
    assert "is there already: --force replaces it" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    assert (
        main(["plan", "--params", "1e9", "--device", "t4", "--weights", "fp16", "--plot", str(picture), "--force"]) == 0
    )


@pytest.mark.slow
def test_a_probe_measures_this_machine(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", recipe, "--probe", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    mfu = found["duration"]["mfu"]
    assert 0 < mfu["low"] <= mfu["middle"] <= mfu["high"]
    assert mfu["source"].startswith("measured here, 20 steps of this recipe") and mfu["palm"] is False
    assert ("busy" in mfu["source"]) is (mfu["middle"] > 1)
    assert found["target"]["peak_source"] == "measured_gemm"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a recipe, or --params and a number of parameters, and not both"),
        (["RECIPE", "--params", "1e9"], "expected a recipe, or --params and a number of parameters, and not both"),
        (["--params", "1e9", "--model.d_model=3"], "--model.d_model=3: there is no recipe whose key that would set"),
        (["--params", "1e9", "--probe"], "--probe runs a recipe, and --params has none"),
        (["RECIPE", "--num-states", "1"], "--num-states goes with --params: a recipe says its own"),
        (["RECIPE", "--device", "h101"], "no device 'h101' in the table"),
        (
            ["RECIPE", "--probe", "--device", "h100-sxm"],
            "--probe measures this machine, and --device h100-sxm is another",
        ),
        (["RECIPE", "--num-devices", "3"], "data.batch_size=16 does not divide among 3 devices: set a multiple of 3"),
        (["RECIPE", "--mfu", "2"], "--mfu 2: expected a share of the peak, above 0 and at most 1"),
        (
            ["RECIPE", "--device", "t4", "--model.norm=tests.small.LooksAtValues"],
            "memory cannot be predicted: a step does",
        ),
        (["RECIPE", "--force"], "--force replaces a picture, and there is no --plot"),
        (["RECIPE", "--plot", "plan.jpg"], "--plot plan.jpg: expected the name of a .png file in a folder"),
    ],
)
def test_mistakes_are_said(arguments: list[str], message: str, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *(recipe if word == "RECIPE" else word for word in arguments)]) == 2
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--params", "many"], "expected an amount above 0, such as 7e9 or 7B, got 'many'"),
        (["--params", "-1"], "expected an amount above 0"),
        (["--params", "1e9", "--mfu", "0.5", "--probe"], "not allowed with argument"),
        (["--params", "1e9", "--zero-stage", "7"], "invalid choice"),
    ],
)
def test_words_that_are_no_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", *arguments])
    assert message in capsys.readouterr().err
