"""Bytes of a step: what fake tensors say equals what real ones save, torch's own tracker, and published formulas."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.small import EXCHANGES, VOCAB, build_decoder, exchange_id
from zoo.accounting.cuda_kernels import CudaKernels
from zoo.accounting.live import LOSS, LiveStorages, SavedTensors
from zoo.accounting.memory import PHASES, StepMemory, fake_tensors, step_memory
from zoo.blocks import PreNorm
from zoo.component import total_params
from zoo.decoder import Decoder
from zoo.optimizers import SGD, AdamW
from zoo.optimizers.base import role_groups

BACKWARD, AFTER, UPDATE = PHASES
MakeOptimizer = Callable[[Any], torch.optim.Optimizer]


def autocast(on: bool) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=on, cache_enabled=False)


def weigh(
    *,
    fake: bool = True,
    bf16: bool = False,
    checkpointing: bool = False,
    optimizer: MakeOptimizer = AdamW,
    tokens: tuple[int, int] = (3, 37),
    changes: dict[str, Any] | None = None,
    **options: Any,
) -> StepMemory:
    def run() -> StepMemory:
        model = build_decoder(**(changes or {}))
        model.checkpointing = checkpointing
        ids_BT = torch.zeros(tokens, dtype=torch.long)

        def loss() -> Tensor:
            with autocast(bf16):
                return model.loss(ids_BT, ids_BT).nats_sum

        owners = {model: "blocks"} | {part: family for family, part in model.members()}
        made = optimizer(role_groups(model))
        return step_memory(model, loss=loss, batch=[ids_BT], optimizer=made, owners=owners, **options)

    if fake:
        with fake_tensors():
            return run()
    return run()


def really_saved(model: Decoder, ids_BT: Tensor, bf16: bool = False) -> int:
    with SavedTensors(model) as saved, autocast(bf16):
        kept = model.loss(ids_BT, ids_BT)
    assert kept.nats_sum.requires_grad
    return saved.num_bytes


@pytest.mark.parametrize("exchange", EXCHANGES, ids=exchange_id)
def test_saved_bytes_equal_those_of_a_real_pass(exchange: tuple[str, type]) -> None:
    """To the byte, for every component of every family."""
    changes = {exchange[0]: exchange[1], "num_layers": 1}
    model, ids_BT = build_decoder(**changes), torch.zeros(3, 37, dtype=torch.long)
    assert sum(weigh(changes=changes).saved.values()) == really_saved(model, ids_BT)


@pytest.mark.parametrize("exchange", [e for e in EXCHANGES if e[0] in ("norm", "head")], ids=exchange_id)
def test_saved_bytes_under_autocast_equal_those_of_a_real_pass(exchange: tuple[str, type]) -> None:
    """There a weight's copy counts as saved too. All else of a real step is as predicted."""
    changes = dict([exchange])
    model, ids_BT = build_decoder(**changes), torch.zeros(3, 37, dtype=torch.long)
    predicted = weigh(changes=changes, bf16=True)
    copies = predicted.phases[BACKWARD]["autocast copies"]
    assert sum(predicted.saved.values()) + copies == really_saved(model, ids_BT, bf16=True)
    assert predicted == weigh(changes=changes, bf16=True, fake=False)


def test_saved_bytes_are_put_down_to_their_parts() -> None:
    predicted = weigh()
    assert set(predicted.saved) == {"embedding", "attention", "ffns", "norms", LOSS}
    wider = weigh(changes={"ffn": functools.partial(build_wide, d_ff=200)})
    grown = {part for part in predicted.saved if wider.saved[part] != predicted.saved[part]}
    assert grown == {"ffns"}


def build_wide(*, d_model: int, layer: int, d_ff: int) -> nn.Module:
    from zoo.ffns import GLU

    return GLU(d_model=d_model, layer=layer, d_ff=d_ff)


@pytest.mark.parametrize(
    ("bf16", "checkpointing", "optimizer", "accumulate"),
    [
        (False, False, AdamW, 1),
        (True, False, AdamW, 2),
        (False, True, SGD, 1),
        (True, True, torch.optim.AdamW, 1),
    ],
)
def test_the_whole_step_is_within_two_percent_of_torchs_tracker(
    bf16: bool, checkpointing: bool, optimizer: MakeOptimizer, accumulate: int
) -> None:
    options = {"bf16": bf16, "checkpointing": checkpointing, "optimizer": optimizer}
    predicted = weigh(**options, accumulate=accumulate, gradient_clip=1.0).peak_bytes
    assert predicted == pytest.approx(tracked_by_torch(**options, accumulate=accumulate), rel=0.02)


def tracked_by_torch(*, bf16: bool, checkpointing: bool, optimizer: MakeOptimizer, accumulate: int) -> int:
    """Peak of `MemTracker` over a second step on fake tensors."""
    from torch.distributed._tools.mem_tracker import MemTracker

    with fake_tensors():
        model = build_decoder()
        model.checkpointing = checkpointing
        made = optimizer(role_groups(model))
        ids_BT = torch.zeros(3, 37, dtype=torch.long)
        tracker = MemTracker()
        tracker.track_external(model, made)
        with tracker:
            for _ in range(2):
                made.zero_grad(set_to_none=True)
                for _ in range(accumulate):
                    tracker.reset_mod_stats()
                    with autocast(bf16):
                        loss = model.loss(ids_BT, ids_BT).nats_sum
                    loss.backward()
                    del loss
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                made.step()
        (peak,) = tracker.get_tracker_snapshot("peak").values()
        return peak["Total"]


def test_state_of_optimizers_by_hand() -> None:
    """SGD with momentum 4 bytes a parameter, AdamW 8; 16 bytes stand when a step of AdamW in float32 begins."""
    params = total_params(build_decoder())
    adam, sgd = weigh(), weigh(optimizer=functools.partial(SGD, momentum=0.9))
    assert adam.phases[AFTER]["optimizer state"] == 8 * params
    assert sgd.phases[AFTER]["optimizer state"] == 4 * params
    standing = ("weights", "gradients", "optimizer state")
    assert sum(adam.phases[UPDATE][category] for category in standing) == 16 * params


@pytest.mark.parametrize("foreach", [False, True])
def test_temporaries_of_the_update_depend_on_how_it_runs(foreach: bool) -> None:
    """AdamW's denominators: of all tensors at once a fifth set of parameters, so 20 bytes each; or of one at a time."""

    def one_group(groups: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW([p for group in groups for p in group["params"]], foreach=foreach)

    extra = weigh(optimizer=one_group).phases[UPDATE]["temporaries"]
    model = build_decoder()
    if foreach:
        assert extra == 4 * total_params(model)
    else:
        largest = 4 * max(p.numel() for p in model.parameters())
        assert 2 * largest <= extra <= 3 * largest


def test_accumulating_adds_the_gradients_to_the_backward_pass() -> None:
    """At the moment when the backward pass begins nothing but the gradients is new."""
    once, twice = weigh(), weigh(accumulate=2)
    assert once.phases[BACKWARD].get("gradients", 0) == 0
    assert twice.phases[BACKWARD]["gradients"] == 4 * total_params(build_decoder())
    assert sum(twice.phases[BACKWARD].values()) - sum(once.phases[BACKWARD].values()) == pytest.approx(
        4 * total_params(build_decoder()), rel=0.02
    )


def test_autocast_copies_every_weight_of_a_product_once_per_use() -> None:
    """Lightning switches autocast's cache off: 2 bytes for each weight that multiplies."""
    model = build_decoder()
    products = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear))
    assert weigh(bf16=True).phases[BACKWARD]["autocast copies"] == 2 * products


def test_cross_entropy_holds_two_more_logits_at_the_peak() -> None:
    """Beside the saved log-softmax in float32: its gradient and that of the logits, tokens * vocabulary * 4 each."""
    one_layer = {"num_layers": 1, "vocab_size": 5000}
    predicted = weigh(changes=one_layer, tokens=(2, 64))
    logits = 2 * 64 * 5000 * 4
    assert predicted.saved[LOSS] == pytest.approx(logits, rel=0.01)
    assert predicted.phases[BACKWARD]["temporaries"] == pytest.approx(2 * logits, rel=0.06)


def test_checkpointing_trades_what_is_saved() -> None:
    plain, sparing = weigh(tokens=(8, 64)), weigh(tokens=(8, 64), checkpointing=True)
    assert sum(sparing.saved.values()) < 0.2 * sum(plain.saved.values())
    assert sparing.peak_bytes < plain.peak_bytes


def test_a_device_counts_in_blocks_of_512_bytes() -> None:
    predicted = weigh(cuda=True, bf16=True)
    assert all(num_bytes % 512 == 0 for phase in predicted.phases.values() for num_bytes in phase.values())


class Megatron(nn.Module):
    """The block of Korthikanti et al. 2022: LayerNorm, one product for q, k, v, softmax attention with dropout, MLP of
    4 h with GELU, and dropout behind both branches; all in one dtype."""

    def __init__(self, h: int, a: int):
        super().__init__()
        self.a = a
        self.ln1, self.ln2 = nn.LayerNorm(h), nn.LayerNorm(h)
        self.qkv, self.out = nn.Linear(h, 3 * h), nn.Linear(h, h)
        self.up, self.down = nn.Linear(h, 4 * h), nn.Linear(4 * h, h)

    def drop(self, x: Tensor) -> Tensor:
        return torch.native_dropout(x, 0.1, True)[0]  # keeps one byte an element; the CPU's own keeps a whole mask

    def forward(self, x: Tensor) -> Tensor:
        b, s, h = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, s, 3, self.a, h // self.a).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q @ k.transpose(-1, -2)).mul(1 / math.sqrt(h // self.a))
        mixed = self.drop(functional.softmax(scores, -1)) @ v
        x = x + self.drop(self.out(mixed.transpose(1, 2).reshape(b, s, h)))
        return x + self.drop(self.down(functional.gelu(self.up(self.ln2(x)))))


@pytest.mark.parametrize(("b", "s", "h", "a", "measured"), [(1, 128, 256, 4, 1_442_816), (2, 256, 512, 8, 14_159_872)])
def test_published_activations_of_a_block(b: int, s: int, h: int, a: int, measured: int) -> None:
    """Korthikanti et al. 2022, arXiv 2205.05198, equation 1: s b h (34 + 5 a s / h) bytes at 2 bytes a number; and on
    top nothing but the mean and the deviation of each row of two LayerNorms."""
    model = Megatron(h, a).bfloat16()
    x = torch.randn(b, s, h, dtype=torch.bfloat16, requires_grad=True)
    with SavedTensors(model) as saved:
        y = model(x)
    assert y.requires_grad
    published, statistics = s * b * h * 34 + 5 * a * s * s * b, 2 * 2 * b * s * 2
    assert saved.num_bytes == measured == published + statistics


@pytest.fixture
def half_precision() -> Iterator[None]:
    """A module of fake tensors cannot be cast: it has to be made in its dtype."""
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


class Fused(Megatron):
    """The same with a fused attention kernel, without dropout."""

    def forward(self, x: Tensor) -> Tensor:
        b, s, h = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, s, 3, self.a, h // self.a).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, s, h))
        return x + self.down(functional.gelu(self.up(self.ln2(x))))


@pytest.mark.parametrize(("b", "s", "h", "a", "measured"), [(1, 128, 256, 4, 32.094), (2, 256, 512, 8, 32.078)])
@pytest.mark.usefixtures("half_precision")
def test_a_flash_kernel_keeps_a_sum_instead_of_the_scores(b: int, s: int, h: int, a: int, measured: float) -> None:
    """32 s b h: the 34 of the paper without two masks of dropout; a float32 per query and head; the statistics of
    LayerNorm; and the state of the random stream."""
    with fake_tensors(), CudaKernels():
        model, x = Fused(h, a), torch.zeros(b, s, h, requires_grad=True)
        with SavedTensors(model) as saved:
            y = model(x)
        assert y.requires_grad
    expected = 32 * s * b * h + 4 * b * a * s + 2 * 2 * b * s * 2
    assert 0 <= saved.num_bytes - expected <= 64
    assert saved.num_bytes / (s * b * h) == pytest.approx(measured, abs=0.01)


def test_a_fused_norm_keeps_its_input_and_a_number_per_row() -> None:
    with fake_tensors(), CudaKernels():
        norm, x = nn.RMSNorm(64), torch.zeros(3, 5, 64, requires_grad=True)
        with SavedTensors(norm) as saved:
            y = norm(x)
        assert y.shape == x.shape
        assert saved.num_bytes == 4 * (3 * 5 * 64 + 3 * 5)
        y.sum().backward()
        assert x.grad is not None and norm.weight.grad is not None


def test_on_cuda_norms_save_no_more_than_their_input() -> None:
    """RMSNorm as the CPU composes it keeps its input twice."""
    plain, fused = weigh().saved["norms"], weigh(cuda=True).saved["norms"]
    tokens, layers = 3 * 37, 2 * 2 + 1
    assert fused <= layers * (tokens * 32 * 4 + tokens * 4 + 1024) < plain


@pytest.mark.parametrize("checkpointing", [False, True])
def test_what_replaces_kernels_is_taken_back(checkpointing: bool) -> None:
    before = functional.scaled_dot_product_attention, functional.rms_norm, functional.dropout
    dropout = {"block": functools.partial(PreNorm, dropout=0.1)}
    assert weigh(cuda=True, bf16=True, checkpointing=checkpointing, changes=dropout).peak_bytes > 0
    assert before == (functional.scaled_dot_product_attention, functional.rms_norm, functional.dropout)


def test_values_are_no_cuda_tensors() -> None:
    with pytest.raises(ValueError, match="a model with values cannot be weighed as on CUDA"):
        weigh(fake=False, cuda=True)


def test_every_storage_is_counted_once_and_forgotten_when_it_goes() -> None:
    with LiveStorages() as live:
        x = torch.zeros(10)
        assert live.now["temporaries"] == 40
        y = x.view(2, 5)
        assert live.now["temporaries"] == 40
        live.hold([y], "weights")
        assert (live.now["temporaries"], live.now["weights"]) == (0, 40)
        del x
        assert live.now["weights"] == 40
        del y
        assert live.now["weights"] == 0
        assert live.peak["weights"] == 40


def test_a_vocabulary_costs_its_table() -> None:
    assert weigh(changes={"vocab_size": VOCAB + 8}).phases[AFTER]["weights"] - weigh().phases[AFTER]["weights"] == (
        2 * 8 * 32 * 4
    )


def test_the_highest_moment_is_that_of_the_divided_step() -> None:
    """Where gradients are divided, the moment with most of them need not be the highest."""
    moments = {}
    for parts in (1, 100):
        with LiveStorages(shares={"gradients": parts}) as live:
            first = torch.zeros(50)
            live.hold([first], "gradients")
            large = torch.zeros(60)
            del large
            second = torch.zeros(40)
            live.hold([second], "gradients")
            small = torch.zeros(30)
            moments[parts] = live.of_one_device(live.peak)
            del first, second, small
    assert moments == {1: {"gradients": 360, "temporaries": 120}, 100: {"gradients": 2, "temporaries": 240}}


def test_dividing_from_some_moment_on_keeps_count() -> None:
    with LiveStorages() as live:
        kept = torch.zeros(100)
        live.divide("temporaries", 4)
        live.start_phase()
        assert live.of_one_device(live.peak) == {"temporaries": 100}
        del kept
        live.start_phase()
        more = torch.zeros(10)
        assert live.of_one_device(live.peak) == {"temporaries": 10}
        del more
