"""Plans: of every recipe, equal to what its parts say; of a size, the answers that textbooks give."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.accounting.devices import DEVICES
from zoo.accounting.live import SavedTensors
from zoo.accounting.memory import PHASES
from zoo.component import total_params
from zoo.inits.base import initialise
from zoo.planning import Plan, Question, SizeQuestion, plan_prepared, plan_size
from zoo.planning.families import forward_flops_by_family
from zoo.planning.question import said_by_user
from zoo.planning.target import target_of
from zoo.planning.weigh import GATHERED, weigh
from zoo.prepare import Prepared, prepare
from zoo.recipe import RecipeError, load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
BASE = RECIPES / "base.yaml"
# Recipes of corpora and filters differ from the base in nothing that a plan weighs.
WEIGHED = sorted(p for p in RECIPES.rglob("*.yaml") if p.parent.name not in ("ablations", "scale", "data", "filters"))
BACKWARD, AFTER, UPDATE = PHASES
H100 = "h100-sxm"
HALF = said_by_user(0.5)
T4 = "t4"  # no source states its bandwidth, so nothing limits its MFU


@pytest.fixture
def prepared(tiny: dict[str, Any]) -> Any:
    def make(path: Path = BASE, **changes: Any) -> Prepared:
        return prepare(load_recipe(path, tiny | {key.replace("__", "."): value for key, value in changes.items()}))

    return make


@pytest.mark.parametrize("path", WEIGHED, ids=lambda p: str(p.relative_to(RECIPES)))
def test_what_every_recipe_saves_equals_a_real_pass(path: Path, tiny: dict[str, Any]) -> None:
    """To the byte, copies of weights under autocast among them."""
    own = {key: value for key, value in tiny.items() if not key.startswith(("model.attention", "data.corpus"))}
    built = load_recipe(path, own | {"model.d_model": 32}).built
    predicted = weigh(built, 300, sequences=3, accumulate=1, checkpointing=False, cuda=False)
    model = built.decoder(300)
    initialise(model, built.init, seed=0, num_layers=model.num_layers)
    ids_BT = torch.zeros(3, built.data.seq_len, dtype=torch.long)
    with SavedTensors(model) as saved, built.trainer.precision.autocast("cpu"):
        kept = model.loss(ids_BT, ids_BT)
    assert kept.nats_sum.requires_grad
    assert sum(predicted.saved.values()) + predicted.phases[BACKWARD].get("autocast copies", 0) == saved.num_bytes


def test_a_plan_says_what_its_run_will_do(prepared: Any) -> None:
    run = prepared()
    found = plan_prepared(run, Question(device=T4, price_per_hour=2.0, mfu=said_by_user(0.5)))
    work = run.work
    assert found.params["total"] == total_params(run.model) == found.params["active"]
    assert found.params["embedding"] == run.store.vocab_size * 16
    assert (found.num_steps, found.tokens) == (60, 60 * work.tokens)
    assert found.flops["total"] == 60 * work.flops
    assert found.flops["exact"] * work.tokens == pytest.approx(work.training_flops)
    assert found.flops["palm"] > found.flops["exact"] and found.flops["hardware"] > found.flops["exact"]
    assert found.compute_optimal_tokens == 20 * found.params["total"]
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.duration is not None
    seconds = 60 * work.training_flops / 0.5 / 8.1e12
    assert found.duration.seconds == pytest.approx((seconds,) * 3)
    assert found.duration.device_hours == pytest.approx(seconds / 3600)
    assert found.duration.cost == pytest.approx(2 * seconds / 3600)
    assert found.checkpoint_bytes == sum(found.phases[AFTER][c] for c in ("weights", "optimizer state"))
    assert found.cache_bytes == run.model.new_cache(1, 32).layers[0].num_bytes()
    assert found.fit.verdict == "fits" and found.fit.remedies == ()
    assert found.by_context[128].keys() == found.shares.keys()


def test_shares_are_of_the_whole_forward_pass(prepared: Any) -> None:
    model = prepared().model
    families = forward_flops_by_family(model, 32)
    assert sum(families.values()) == model.cost(32).exact
    assert families["heads"] == model.head.cost(32).exact
    assert families["attention pairs"] == sum(block.attention.cost(32).attention for block in model.blocks)


def test_tokens_replace_the_budget(prepared: Any, tiny: dict[str, Any]) -> None:
    run = prepared(budget={"seconds": 5.0})
    open_ended = plan_prepared(run, Question(device=H100))
    assert (open_ended.tokens, open_ended.num_steps, open_ended.duration) == (None, None, None)
    asked = zoo.plan(run.recipe, device=H100, tokens=1e6)
    assert asked.num_steps == int(1e6 / run.work.tokens) and asked.duration is not None
    poor = load_recipe(BASE, tiny | {"budget": {"flops": 10.0}})
    assert zoo.plan(poor, device=H100, tokens=1e6).num_steps == asked.num_steps


def test_a_palm_mfu_divides_palm_flops(prepared: Any) -> None:
    run = prepared()
    found = plan_prepared(run, Question(device=T4))
    assert found.duration is not None and found.duration.mfu.palm
    assert found.duration.flops == 60 * run.work.palm_training_flops
    quick, middle, slow = found.duration.seconds
    assert quick < middle < slow


def test_slow_memory_limits_a_published_mfu(prepared: Any) -> None:
    """One short sequence feeds no H100. What the user says stands."""
    run = prepared(data__batch_size=1)
    found, asked = plan_prepared(run, Question(device=H100)), plan_prepared(run, Question(device=H100, mfu=HALF))
    assert found.duration is not None and asked.duration is not None
    limit = found.duration.bandwidth_limit
    assert limit is not None and limit < 0.3
    assert (found.duration.mfu.low, found.duration.mfu.high) == (limit, limit)
    assert found.duration.seconds[1] == pytest.approx(found.duration.flops / limit / found.target.flops_per_second)
    assert asked.duration.bandwidth_limit is None and asked.duration.mfu == HALF


def test_recomputing_takes_time(prepared: Any) -> None:
    plain, again = (
        plan_prepared(prepared(trainer__activation_checkpointing=on), Question(device=T4)) for on in (False, True)
    )
    assert plain.duration is not None and again.duration is not None
    share = again.flops["hardware"] / plain.flops["hardware"]
    assert share > 1.1
    assert again.duration.seconds[1] == pytest.approx(share * plain.duration.seconds[1])
    assert "that is computed twice" in again.duration.mfu.source
    asked = plan_prepared(prepared(trainer__activation_checkpointing=True), Question(device=T4, mfu=HALF))
    assert asked.duration is not None and asked.duration.mfu == HALF


def test_masks_are_in_the_shares(prepared: Any) -> None:
    masked, plain = (
        plan_prepared(prepared(data__seq_len=1000, data__document_mask=on), Question(device=T4)) for on in (True, False)
    )
    assert masked.shares["attention pairs"] < 0.8 * plain.shares["attention pairs"]
    assert masked.flops["exact"] < plain.flops["exact"] and masked.flops["palm"] == plain.flops["palm"]


def test_a_recipe_that_names_its_device_is_planned_there(prepared: Any) -> None:
    assert plan_prepared(prepared(trainer__device="cpu"), Question()).target.cuda is False


def test_devices_share_the_batch(prepared: Any) -> None:
    one, four = (plan_prepared(prepared(), Question(device=T4, num_devices=n)) for n in (1, 4))
    assert sum(four.saved.values()) == pytest.approx(sum(one.saved.values()) / 4, rel=0.1)
    assert four.duration is not None and one.duration is not None
    assert four.duration.seconds[1] == pytest.approx(one.duration.seconds[1] / 4)
    with pytest.raises(RecipeError, match=r"batch_size=16 does not divide among 3 devices: set a multiple of 3"):
        plan_prepared(prepared(), Question(device=H100, num_devices=3))
    with pytest.raises(RecipeError, match=r"among 4 devices of 8 micro-batches each: set a multiple of 32"):
        plan_prepared(prepared(trainer__accumulate=8), Question(device=H100, num_devices=4))


@pytest.mark.parametrize(
    ("stage", "divided"), [(0, set()), (1, {"optimizer state"}), (3, {"optimizer state", "gradients", "weights"})]
)
def test_sharding_divides_what_its_stage_says(prepared: Any, stage: int, divided: set[str]) -> None:
    run = prepared()
    options = {"sequences": 4, "accumulate": 1, "checkpointing": False, "cuda": True}
    whole = weigh(run.recipe.built, 300, **options)
    each = weigh(run.recipe.built, 300, **options, zero_stage=stage, num_devices=4)
    for category in ("optimizer state", "gradients", "weights"):
        parts = 4 if category in divided else 1
        assert each.phases[AFTER][category] == -(-whole.phases[AFTER][category] // parts)
    largest = max(sum(p.nbytes for p in block.parameters()) for block in run.model.blocks)
    assert each.phases[BACKWARD].get(GATHERED, 0) == (2 * largest if stage == 3 else 0)
    assert each.saved == whole.saved
    parts = 4 if stage else 1
    assert each.phases[UPDATE]["temporaries"] == pytest.approx(whole.phases[UPDATE]["temporaries"] / parts, abs=4)


@pytest.fixture
def small_device(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A T4 with so much memory as is said."""

    def make(num_bytes: float) -> None:
        found = replace(target_of(T4, torch.float32), memory_bytes=int(num_bytes))
        monkeypatch.setattr("zoo.planning.of_recipe.target_of", lambda *args, **options: found)

    return make


def test_what_does_not_fit_is_itemised_and_mended(prepared: Any, small_device: Callable[[float], None]) -> None:
    """Remedies are weighed themselves: each fits, and says what it costs."""
    small_device(1e6)
    found = plan_prepared(prepared(data__batch_size=64), Question())
    fit = found.fit
    assert fit.verdict == "does not fit"
    assert fit.missing_bytes == fit.needed_bytes - 10**6 > 0
    assert found.peak_phase == BACKWARD
    first = fit.remedies[0].change
    assert [remedy.change for remedy in fit.remedies][:1] == [first] and first.startswith("--trainer.accumulate=")
    assert all(1.05 * remedy.peak_bytes <= 1e6 for remedy in fit.remedies)
    accumulate = int(first.partition("=")[2])
    mended = plan_prepared(prepared(data__batch_size=64, trainer__accumulate=accumulate), Question())
    assert mended.peak_bytes == fit.remedies[0].peak_bytes and mended.fit.verdict == "fits"
    halved = plan_prepared(prepared(data__batch_size=64, trainer__accumulate=accumulate // 2), Question())
    assert halved.fit.verdict != "fits", "a milder change would have done"


def test_each_remedy_alone_and_together_only_where_one_does_not_do(
    prepared: Any, small_device: Callable[[float], None]
) -> None:
    run = prepared(data__batch_size=64, model__num_layers=8)
    plain = plan_prepared(run, Question(device=T4, num_devices=4))
    small_device(0.6 * plain.peak_bytes)
    prices = {r.change: r.price for r in plan_prepared(run, Question(num_devices=4)).fit.remedies}
    assert "% more FLOPs" in prices["--trainer.activation_checkpointing=true"]
    assert not any("checkpointing" in change and "accumulate" in change for change in prices)
    alone = weigh(run.recipe.built, run.store.vocab_size, sequences=1, accumulate=16, checkpointing=True, cuda=True)
    small_device(0.9 * alone.peak_bytes)
    (together,) = plan_prepared(run, Question(num_devices=4)).fit.remedies
    for words in ("--trainer.activation_checkpointing=true", "--zero-stage ", "--trainer.accumulate=16"):
        assert words in together.change
    mended = prepared(
        data__batch_size=64, model__num_layers=8, trainer__accumulate=16, trainer__activation_checkpointing=True
    )
    stage = int(together.change.partition("--zero-stage ")[2][0])
    again = plan_prepared(mended, Question(num_devices=4, zero_stage=stage))
    assert again.peak_bytes == together.peak_bytes and again.fit.verdict == "fits"


def test_where_states_are_most_sharding_is_the_remedy(prepared: Any, small_device: Callable[[float], None]) -> None:
    run = prepared(data__batch_size=4, data__seq_len=8, data__validation_stride=8, model__num_layers=8)
    small_device(sum(plan_prepared(run, Question(device=T4, num_devices=4)).phases[AFTER].values()))
    changes = [remedy.change for remedy in plan_prepared(run, Question(num_devices=4)).fit.remedies]
    assert changes and all("--zero-stage" in change for change in changes)


def test_a_margin_is_missing(prepared: Any, small_device: Callable[[float], None]) -> None:
    peak = plan_prepared(prepared(), Question(device=T4)).peak_bytes
    small_device(1.02 * peak)
    assert plan_prepared(prepared(), Question()).fit.verdict == "tight"


def test_a_model_that_no_layout_fits_has_no_remedy(prepared: Any, small_device: Callable[[float], None]) -> None:
    small_device(1000)
    fit = plan_prepared(prepared(), Question()).fit
    assert fit.verdict == "does not fit" and fit.remedies == ()


def test_compilation_is_named(prepared: Any) -> None:
    notes = plan_prepared(prepared(trainer__compile=True), Question(device=H100)).notes
    assert "memory is that of the eager step: compiled kernels keep less" in notes


def test_from_python(tiny: dict[str, Any]) -> None:
    found = zoo.plan(load_recipe(BASE, tiny), device=H100, tokens=1e6)
    assert isinstance(found, Plan) and found.target.name == H100


@pytest.mark.parametrize(
    ("params", "tokens", "flops"), [(10e9, 1e12, 6e22), (7e9, 20e9, 8.4e20), (70e9, 15e12, 6.3e24)]
)
def test_textbook_work(params: float, tokens: float, flops: float) -> None:
    assert plan_size(SizeQuestion(params=params, tokens=tokens, device=H100)).flops["total"] == flops


def test_textbook_times() -> None:
    """19.7 days for 7B on 20B tokens on one H100 at half its peak; 144 for 70B on 15T on 1,024 of them."""
    days = functools.partial(textbook_days, mfu=said_by_user(0.5), device=H100)
    assert days(params=7e9, tokens=20e9) == pytest.approx(19.7, abs=0.05)
    assert days(params=70e9, tokens=15e12, num_devices=1024) == pytest.approx(144, abs=0.1)


def textbook_days(**question: Any) -> float:
    found = plan_size(SizeQuestion(**question)).duration
    assert found is not None
    return found.seconds[1] / 86_400


def test_textbook_states() -> None:
    """1B in float32 with Adam keeps 16 GB. 7B with bfloat16 but for the master copy keeps 84 GB: less than the 85.0 GB
    that torch sees of an H100, and with the activations of one sequence more."""
    small = plan_size(SizeQuestion(params=1e9, device=H100, weights="fp32"))
    assert sum(small.phases["states alone"].values()) == 16e9
    assert small.fit.verdict == "fits" and small.fit.remedies == ()
    big = plan_size(SizeQuestion(params=7e9, device=H100, states="bf16"))
    alone = sum(big.phases["states alone"].values())
    assert alone == 84e9 < 85.0e9 < big.fit.available_bytes < big.peak_bytes  # type: ignore[operator]
    assert big.fit.verdict == "does not fit"
    assert big.phases["with one sequence"]["activations"] == 34 * 33 * 4224 * 4096
    assert big.checkpoint_bytes == 8 * 7e9
    (remedy,) = big.fit.remedies
    assert remedy.change == "--num-devices 2 --zero-stage 3"
    again = plan_size(SizeQuestion(params=7e9, device=H100, states="bf16", num_devices=2, zero_stage=3))
    assert again.peak_bytes == remedy.peak_bytes and again.fit.verdict == "fits"


def test_checkpointed_layers_are_a_remedy_of_a_size() -> None:
    found = plan_size(SizeQuestion(params=7e9, device="h200-sxm"))
    assert found.fit.verdict == "fits"
    tight = plan_size(SizeQuestion(params=6e9, device="a100-sxm", states="bf16"))
    assert tight.fit.remedies[0].change == "activation checkpointing"


@pytest.mark.parametrize(
    ("dtypes", "bytes_per_param"),
    [
        ({}, 2 + 2 + 4 + 8),
        ({"weights": "fp32"}, 4 + 4 + 8),
        ({"master": "none"}, 2 + 2 + 8),
        ({"gradients": "fp32", "states": "bf16", "num_states": 1}, 2 + 4 + 4 + 2),
        ({"weights": "fp32", "master": "fp32"}, 4 + 4 + 4 + 8),
    ],
)
def test_what_is_kept_of_each_parameter(dtypes: dict[str, Any], bytes_per_param: int) -> None:
    assert SizeQuestion(params=1e9, **dtypes).bytes_per_param.total == bytes_per_param


def test_a_size_on_many_devices_is_sharded() -> None:
    found = plan_size(SizeQuestion(params=7e9, device=H100, num_devices=8, zero_stage=3))
    assert sum(found.phases["states alone"].values()) == 16 * 7e9 / 8
    assert found.phases["with one sequence"]["gathered weights"] == 2 * 12 * 4224**2 * 2
    assert found.fit.verdict == "fits"


def test_a_published_mfu_divides_a_count_with_pairs() -> None:
    found = plan_size(SizeQuestion(params=7e9, tokens=1e9, device=H100)).duration
    assert found is not None and found.mfu.palm
    assert found.flops == 1e9 * (6 * 7e9 + 12 * 33 * 33 * 128 * 4096)
    wide = plan_size(SizeQuestion(params=7e9, device=H100, weights="fp32")).duration
    assert wide is not None and wide.mfu.source == "a guess: published runs multiply in 16 bits"


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_checkpoint_holds_what_all_devices_hold(prepared: Any, stage: int) -> None:
    whole = plan_prepared(prepared(), Question(device=T4, num_devices=4)).checkpoint_bytes
    parts = plan_prepared(prepared(), Question(device=T4, num_devices=4, zero_stage=stage)).checkpoint_bytes
    assert whole <= parts <= whole + 8


def test_without_tokens_a_size_takes_chinchillas() -> None:
    found = plan_size(SizeQuestion(params=1e9, device=H100))
    assert found.tokens == 20e9 and "tokens: 20 per parameter, as none were asked for" in found.notes


@pytest.mark.parametrize("device", [device.name for device in DEVICES if "bf16" in device.dense_flops])
def test_every_device_of_the_table_has_a_plan(device: str) -> None:
    found = plan_size(SizeQuestion(params=1e9, device=device))
    assert found.target.name == device and found.target.peak_source == "published"
    assert found.target.sources
    unknown = device == "tpu-7x"
    assert (found.fit.verdict == "unknown") is unknown
    assert (found.target.memory_bytes is None) is unknown


def test_the_machine_at_hand_has_a_plan() -> None:
    found = plan_size(SizeQuestion(params=1e6, device="cpu", weights="fp32"))
    assert found.target.peak_source == "measured_gemm" and found.target.memory_kind == "this machine"
    assert found.fit.available_bytes is not None and found.fit.available_bytes > 2**28


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"device": "h100-smx"}, r"no device .h100-smx. in the table.*h100-sxm"),
        ({"device": "t4"}, r"no source states the peak of t4 in bfloat16: it has fp16, fp32, int8"),
        ({"num_devices": 0}, "--num-devices 0: expected at least 1"),
        ({"tokens": -1.0}, "--tokens -1: expected more than 0"),
        ({"zero_stage": 1}, r"--zero-stage 1: one device has nobody to share with \(--num-devices\)"),
        ({"zero_stage": 4, "num_devices": 2}, r"--zero-stage 4: expected 0 \(nothing is sharded\), 1, 2 or 3"),
        ({"price_per_hour": -2.0}, "--price -2: expected 0 or more per device and hour"),
        ({"params": 0.0}, "--params 0: expected a number of parameters, such as 7e9"),
        ({"num_states": -1}, "--num-states -1: expected 0 or more"),
        ({"weights": "fp4"}, "--weights fp4: expected one of fp32, bf16, fp16, fp8"),
        ({"weights": "none"}, "--weights none: expected one of fp32, bf16, fp16, fp8"),
    ],
)
def test_questions_without_an_answer(question: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_size(SizeQuestion(**({"params": 1e9, "device": H100} | question)))


@pytest.mark.parametrize("mfu", [0.0, -0.1, 1.5, float("nan")])
def test_no_share_of_the_peak(mfu: float) -> None:
    with pytest.raises(ValueError, match=f"--mfu {mfu:g}: expected a share of the peak, above 0 and at most 1"):
        said_by_user(mfu)


def test_a_cuda_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="--device cuda: torch sees no CUDA device here; a device of the table goes"):
        plan_size(SizeQuestion(params=1e9, device="cuda"))
