"""The picture of loss against FLOPs: what is read from metrics.csv, what is drawn, and that a PNG comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from zoo.report import plots
from zoo.report.curves import Point, mean_curve, read_curve
from zoo.report.plots import loss_against_flops
from zoo.report.rows import Arm, rows

MakeArm = Callable[..., Arm]
COLUMNS = "step,tokens,flops,seconds,loss,lr,validation_bits_per_byte,tokens_per_second,mfu"


def write_metrics(folder: Path, values: Sequence[float], step_flops: float = 1e9, tail: str = "") -> None:
    lines = [COLUMNS]
    for i, value in enumerate(values, start=1):
        step = 10 * i
        lines.append(f"{step},{step * 64},{step * step_flops},{step / 10},2.5,0.001,,4000,0.3")
        lines.append(f"{step},{step * 64},{step * step_flops},{step / 10},,,{value},,")
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n" + tail)


@pytest.fixture
def arms(make_arm: MakeArm) -> list[Arm]:
    arms = [make_arm("full", {0: 2.0, 1: 2.1}), make_arm("sgd", {0: 2.6, 1: 2.7}), make_arm("swiglu", {0: 1.9, 1: 2.0})]
    for arm in arms:
        for seed, folder in arm.dirs.items():
            write_metrics(folder, [3.0 + seed / 10, 2.5, 2.0 + seed / 10])
    return arms


def test_a_curve_is_its_validations(tmp_path: Path) -> None:
    write_metrics(tmp_path, [3.0, 2.5])
    assert read_curve(tmp_path) == [Point(10, 1e10, 3.0), Point(20, 2e10, 2.5)]


def test_a_curve_ends_where_it_is_not_finite(tmp_path: Path) -> None:
    write_metrics(tmp_path, [3.0, float("nan"), 2.0])
    assert [point.step for point in read_curve(tmp_path)] == [10]


@pytest.mark.parametrize("tail", ["30,19", "30,1920,3e10,3.0,,,2.1,,", "x,y\n", "\n\n", "30,1920,,,,,2.1,,\n"])
def test_lines_that_are_not_whole_are_left_out(tmp_path: Path, tail: str) -> None:
    write_metrics(tmp_path, [3.0, 2.5], tail=tail)
    assert [point.step for point in read_curve(tmp_path)] == [10, 20]


def test_a_folder_without_metrics_has_no_curve(tmp_path: Path) -> None:
    assert read_curve(tmp_path) == []
    (tmp_path / "metrics.csv").write_bytes(b"\xff\xfe\x00")
    assert read_curve(tmp_path) == []
    (tmp_path / "metrics.csv").write_text(COLUMNS)
    assert read_curve(tmp_path) == []


def test_the_mean_curve_ends_with_the_shortest() -> None:
    curves = [[Point(10, 100.0, 3.0), Point(20, 200.0, 2.0)], [Point(10, 100.0, 4.0)], []]
    assert mean_curve(curves) == [Point(10, 100.0, 3.5)]
    assert mean_curve([]) == []


def test_the_legend_goes_from_best_to_worst_and_the_baseline_is_black(arms: list[Arm]) -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    lines = plots._lines(rows(arms, "full"))
    plots._draw(axes, lines)
    bold = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    assert [line.get_label() for line in bold] == ["1.950  swiglu", "2.050  full (baseline)", "2.650  sgd"]
    colours = [line.get_color() for line in bold]
    assert colours[1] == "black" and len(set(colours)) == 3
    assert [list(line.get_ydata()) for line in bold] == [[pytest.approx(3.05), 2.5, pytest.approx(2.05)]] * 3
    thin = [line for line in axes.lines if str(line.get_label()).startswith("_")]
    assert len(thin) == 6 and all(line.get_linewidth() < bold[0].get_linewidth() for line in thin)


def test_an_arm_that_diverged_has_seeds_but_no_mean(make_arm: MakeArm) -> None:
    arm = make_arm("wild", {0: 2.0, 1: {"status": "diverged"}})
    for folder in arm.dirs.values():
        write_metrics(folder, [3.0, float("inf")])
    (line,) = plots._lines(rows([arm], "wild"))
    assert line.label == "diverged  wild (baseline)" and line.mean == [] and len(line.curves) == 2


def test_more_arms_than_colours_stay_distinct(make_arm: MakeArm) -> None:
    from matplotlib.figure import Figure

    arms = [make_arm(f"v{i}", {0: 2.0 + i / 100}) for i in range(20)]
    for arm in arms:
        write_metrics(arm.dirs[0], [3.0])
    axes = Figure().add_subplot()
    plots._draw(axes, plots._lines(rows(arms, "v0")))
    looks = {(str(line.get_color()), str(line.get_linestyle())) for line in axes.lines}
    assert len(looks) == 20


def test_the_end_of_every_arm_is_in_sight(make_arm: MakeArm) -> None:
    from matplotlib.figure import Figure

    arms = [make_arm(f"v{i}", {0: 2.0}) for i in range(20)]
    for arm in arms:
        write_metrics(arm.dirs[0], [9.0] + [2.1] * 18 + [2.0])
    write_metrics(arms[-1].dirs[0], [9.0] + [8.0] * 18 + [6.0])  # far off, and few among many points
    axes = Figure().add_subplot()
    lines = plots._lines(rows(arms, "v0"))
    plots._draw(axes, lines)
    plots._frame(axes, lines)
    bottom, top = axes.get_ylim()
    assert bottom < 2.0 and 6.0 < top < 7.0


def test_a_png_is_written(arms: list[Arm], tmp_path: Path) -> None:
    from matplotlib.image import imread

    path = tmp_path / "loss.png"
    loss_against_flops(arms, path, title="quickstart")
    image = imread(path)
    assert image.shape[0] > 600 and image.shape[1] > 1000
    assert image[..., :3].std() > 0.05  # something is drawn


def test_arms_without_a_validation_yet_make_a_picture_too(tmp_path: Path) -> None:
    path = tmp_path / "loss.png"
    loss_against_flops([Arm("full", {0: tmp_path / "none"})], path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_single_point_makes_a_picture(make_arm: MakeArm, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    arm = make_arm("full", {0: 2.0})
    write_metrics(arm.dirs[0], [2.0])
    loss_against_flops([arm], tmp_path / "loss.png")
    assert [str(w.message) for w in recwarn if "identical" in str(w.message)] == []


def test_no_arms_or_no_baseline_are_refused(arms: list[Arm], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected at least one arm to draw, got none"):
        loss_against_flops([], tmp_path / "loss.png")
    with pytest.raises(ValueError, match="baseline 'ful' is not one of the arms: full, sgd, swiglu"):
        loss_against_flops(arms, tmp_path / "loss.png", baseline="ful")
