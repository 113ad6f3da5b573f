"""Rules of thumb against the numbers that their papers print."""

from __future__ import annotations

import pytest
import torch

from zoo.accounting.devices import find_device
from zoo.accounting.estimate import (
    SECONDS_PER_DAY,
    ParameterBytes,
    activation_bytes_per_layer,
    compute_optimal_tokens,
    palm_flops_per_token,
    recomputed_seconds,
    seconds_needed,
    six_nd,
    usual_shape,
)
from zoo.accounting.published_mfu import GUESS, ROWS, published_mfu

TERA, PETAFLOP_DAY, GIB = 1e12, 1e15 * SECONDS_PER_DAY, 2**30


@pytest.mark.parametrize(
    ("millions", "flops", "petaflop_days"),
    [
        (125, 2.25e20, 2.60),
        (356, 6.41e20, 7.42),
        (760, 1.37e21, 15.8),
        (1320, 2.38e21, 27.5),
        (2650, 4.77e21, 55.2),
        (6660, 1.20e22, 139),
        (12850, 2.31e22, 268),
        (174600, 3.14e23, 3640),
    ],
)
def test_gpt3s_table_of_compute(millions: float, flops: float, petaflop_days: float) -> None:
    """Brown et al. 2020, arXiv 2005.14165, table D.1: 300B tokens."""
    found = six_nd(millions * 1e6, 300e9)
    assert found == pytest.approx(flops, rel=0.005)
    assert found / PETAFLOP_DAY == pytest.approx(petaflop_days, rel=0.005)


@pytest.mark.parametrize(
    ("params", "layers", "heads", "head_dim", "rate", "chips", "peak", "without", "with_attention"),
    [
        (540e9, 118, 48, 256, 238.3e3, 6144, 275 * TERA, 45.7, 46.2),  # PaLM itself
        (530e9, 105, 128, 160, 65.43e3, 2240, 312 * TERA, 29.7, 30.2),  # Megatron-Turing NLG
    ],
)
def test_palms_table_of_mfu(
    params: float,
    layers: int,
    heads: int,
    head_dim: int,
    rate: float,
    chips: int,
    peak: float,
    without: float,
    with_attention: float,
) -> None:
    """Chowdhery et al. 2022, arXiv 2204.02311, table 3 and appendix B: sequences of 2,048."""
    per_token = palm_flops_per_token(params, num_layers=layers, num_heads=heads, head_dim=head_dim, seq_len=2048)
    assert 100 * rate * six_nd(params, 1) / (chips * peak) == pytest.approx(without, abs=0.08)
    assert 100 * rate * per_token / (chips * peak) == pytest.approx(with_attention, abs=0.08)


def test_palms_total() -> None:
    """The same paper's table of training compute: 2,527.2 zettaFLOPs."""
    assert six_nd(540e9, 780e9) == pytest.approx(2527.2e21, rel=1e-9)


def test_nanogpts_mfu() -> None:
    """karpathy/nanoGPT, transformer_sizing.ipynb: 100 sequences of 1,024 in 0.755 s on an A100 are 37.14 %."""
    per_token = palm_flops_per_token(124_337_664 - 1024 * 768, num_layers=12, num_heads=12, head_dim=64, seq_len=1024)
    device = find_device("NVIDIA A100-SXM4-80GB")
    assert device is not None
    peak = device.dense_flops["bf16"].value
    assert 1024 * per_token == 875_062_886_400  # N without the table of positions
    assert 100 * 100 * 1024 * per_token / 0.755 / peak == pytest.approx(37.14, abs=0.01)


@pytest.mark.parametrize(("rate", "mfu"), [(5762, 33.7), (6667, 39.0)])
def test_torchtitans_mfu_of_llama_3_1_8b(rate: float, mfu: float) -> None:
    """pytorch/torchtitan, benchmarks of December 2024, 8 H100: "33 % to 39 %", by its own 57,914,449,920 per token."""
    device = find_device("NVIDIA H100 80GB HBM3")
    assert device is not None
    assert 100 * rate * 57_914_449_920 / device.dense_flops["bf16"].value == pytest.approx(mfu, abs=0.1)


@pytest.mark.parametrize(
    ("params", "tokens", "devices", "achieved", "days"),
    [(175e9, 300e9, 1024, 140 * TERA, 34), (1e12, 450e9, 3072, 163 * TERA, 84)],
)
def test_megatrons_days(params: float, tokens: float, devices: int, achieved: float, days: float) -> None:
    """Narayanan et al. 2021, arXiv 2104.04473, section 5.1."""
    seconds = recomputed_seconds(params, tokens, num_devices=devices, achieved=achieved)
    assert seconds / SECONDS_PER_DAY == pytest.approx(days, abs=1)


def test_llama_3s_compute() -> None:
    """arXiv 2407.21783, section 3.2.1 and table 4: 3.8e25 FLOPs; 430, 400 and 380 TFLOP/s are 43, 41 and 38 %."""
    assert six_nd(405e9, 15.6e12) == pytest.approx(3.8e25, rel=0.005)
    for achieved, published in ((430, 43), (400, 41), (380, 38)):
        assert 100 * achieved / 989.4 == pytest.approx(published, abs=0.7)


def test_the_textbook_answers() -> None:
    """Stanford CS336, lecture 2, and the question that every course asks."""
    h100 = 989.5 * TERA
    assert six_nd(10e9, 1e12) == 6e22
    assert ParameterBytes(weights=4, gradients=4, master=0, state=8).total * 1e9 == 16e9
    mixed = ParameterBytes(weights=2, gradients=2, master=4, state=4)
    assert mixed.total * 7e9 == 84e9
    assert six_nd(7e9, 20e9) == 8.4e20
    days = seconds_needed(8.4e20, flops_per_second=h100, mfu=0.5) / SECONDS_PER_DAY
    assert days == pytest.approx(19.65, abs=0.005)
    big = seconds_needed(six_nd(70e9, 15e12), flops_per_second=h100, mfu=0.5, num_devices=1024)
    assert big / SECONDS_PER_DAY == pytest.approx(143.93, abs=0.005)
    assert 8 * 80e9 / ParameterBytes(4, 4, 0, 8).total == 40e9  # the largest model in eight devices of 80 GB


@pytest.mark.parametrize(
    ("params", "devices", "stages"),
    [(7.5e9, 64, (31.4, 16.6, 1.88)), (128e9, 64, (536, 284, 32)), (1e12, 1024, (4011, 2013, 15.6))],
)
def test_zeros_table(params: float, devices: int, stages: tuple[float, float, float]) -> None:
    """Rajbhandari et al. 2020, arXiv 1910.02054, table 1: 2 + 2 + 12 bytes a parameter."""
    whole = ParameterBytes(weights=2, gradients=2, master=4, state=8)
    assert whole.sharded(0, devices) == whole
    for stage, published in zip((1, 2, 3), stages, strict=True):
        assert whole.sharded(stage, devices).total * params / 1e9 == pytest.approx(published, rel=0.003)


def test_megatrons_bytes_a_parameter() -> None:
    """18, or 6 + 12 / d with a distributed optimizer (Megatron-LM's own estimate): gradients in float32."""
    whole = ParameterBytes(weights=2, gradients=4, master=4, state=8)
    assert whole.total == 18
    assert whole.sharded(1, 4).total == 6 + 12 / 4


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ZeRO stage 4: expected 0 \(nothing is sharded\), 1, 2 or 3"):
        ParameterBytes(2, 2, 4, 8).sharded(4, 2)


@pytest.mark.parametrize(
    ("shape", "gibibytes"),
    [
        # 22B: sequences of 2,048, 4 of them, 6,144 wide, 64 heads
        ((2048, 4, 6144, 64), (6.594, 1.234, 0.824, 0.609, 0.199, 0.094)),
        ((2048, 1, 12288, 96), (2.672, 0.539, 0.334, 0.305, 0.0996, 0.0469)),  # 175B
    ],
)
def test_korthikantis_table_of_activations(
    shape: tuple[int, int, int, int], gibibytes: tuple[float, float, float, float, float, float]
) -> None:
    """Korthikanti et al. 2022, arXiv 2205.05198, table 2 at t = 8: from nothing shared to full recomputation."""
    seq_len, batch_size, d_model, heads = shape
    ways: list[dict[str, object]] = [
        {"tensor_parallel": 1},
        {},
        {"sequence_parallel": True},
        {"recompute": "selective"},
        {"recompute": "selective", "sequence_parallel": True},
        {"recompute": "full"},
    ]
    for way, expected in zip(ways, gibibytes, strict=True):
        sizes = {"seq_len": seq_len, "batch_size": batch_size, "d_model": d_model, "num_heads": heads}
        found = activation_bytes_per_layer(**(sizes | {"tensor_parallel": 8} | way)) / GIB
        assert found == pytest.approx(expected, abs=6e-4)


def test_an_unknown_way_to_recompute_is_refused() -> None:
    with pytest.raises(ValueError, match="recompute='some': expected one of none, selective, full"):
        activation_bytes_per_layer(seq_len=1, batch_size=1, d_model=1, num_heads=1, recompute="some")


def test_chinchillas_rule() -> None:
    """Hoffmann et al. 2022, arXiv 2203.15556: 70B parameters on 1.4T tokens."""
    assert compute_optimal_tokens(70e9) == 1.4e12


@pytest.mark.parametrize(("params", "layers", "d_model"), [(6.7e9, 32, 4096), (10, 1, 128)])
def test_the_usual_shape(params: float, layers: int, d_model: int) -> None:
    assert usual_shape(params) == (layers, d_model)


def test_published_mfu_takes_the_nearest_size_on_the_same_kind_of_device() -> None:
    assert published_mfu("h100-sxm", 8e9).source.startswith("Llama 3.1 8B")
    assert published_mfu("h200-sxm", 300e9).source.startswith("Llama 3 405B")
    assert published_mfu("a100-pcie", 1e8).middle == 0.371
    assert published_mfu("h100-sxm", 8e9, torch.float32).source == "a guess: published runs multiply in 16 bits"
    far = published_mfu("h100-sxm", 9e7)
    assert far.source == "a guess: no published run on this device is within 10 times of this size"
    assert (published_mfu("l4", 1e9).low, published_mfu("l4", 1e9).high) == (GUESS[0], GUESS[2])
    assert "guess" in published_mfu("l4", 1e9).source


@pytest.mark.parametrize("params", [1e6, 124e6, 1e9, 70e9, 1e13])
@pytest.mark.parametrize("device", ["a100-sxm", "h100-sxm", "tpu-v4", "t4"])
def test_an_estimate_of_mfu_is_a_range(device: str, params: float) -> None:
    found = published_mfu(device, params)
    assert 0 < found.low <= found.middle <= found.high < 1
    assert found.palm
    assert all(0 < row.mfu[0] <= row.mfu[1] < 1 and row.params[0] <= row.params[1] for row in ROWS)


def test_how_many_sequences_of_gpt2_xl_fit() -> None:
    """CS336, assignment 1: AdamW in float32, and by its list of activations T (16 d + 2 h T) a layer, T d + 2 T V more:
    three sequences in 80 GB."""
    params, layers, d_model, heads, seq_len, vocab = 1_635_537_600, 48, 1600, 25, 1024, 50_257
    static = ParameterBytes(weights=4, gradients=4, master=0, state=8).total * params
    assert static / 1e9 == pytest.approx(26.169, abs=0.001)
    numbers = layers * (16 * seq_len * d_model + 2 * heads * seq_len**2) + seq_len * d_model + 2 * seq_len * vocab
    assert 4 * numbers / 1e9 == pytest.approx(15.518, abs=0.001)
    assert (80e9 - static) // (4 * numbers) == 3


def test_size_of_a_published_checkpoint() -> None:
    """karpathy/nanoGPT, transformer_sizing.ipynb: weights and two moments in float32 are 1.49 GB; the file has 3.4 %
    more, for what else is in it."""
    kept = ParameterBytes(weights=4, gradients=0, master=0, state=8).total * 124_337_664
    assert kept / 1e9 == pytest.approx(1.49, abs=0.005)
    assert 1_542_470_366 / kept == pytest.approx(1.0338, abs=1e-4)
