"""`data.document_mask`: what a model learns from a document, and how it scores it, is what it is without neighbours."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.small import VOCAB, build_decoder
from zoo.accounting.budget import StepWork
from zoo.data.packing import documents_of
from zoo.heads.base import IGNORE_INDEX
from zoo.inits import GPT2Init
from zoo.module import Horizon, LanguageModule
from zoo.positions import NoPosition, RotaryEmbedding
from zoo.schedules import Constant

END = 0
WORK = StepWork(training_flops=1, palm_training_flops=1, hardware_flops=1, optimizer_flops=0, tokens=1, text_bytes=1.0)
Batch = dict[str, Any]


def language_module(position: Any, *, mask: bool) -> LanguageModule:
    module = LanguageModule(
        decoder=functools.partial(build_decoder, position=position),
        init=GPT2Init(),
        optimizer=lambda groups: torch.optim.SGD(groups, lr=0.1),  # type: ignore[arg-type]
        schedule=Constant(),
        horizon=Horizon(1),
        work=WORK,
        seed=0,
        opens_document=END if mask else None,
    )
    module.configure_model()
    module.double()
    module.trainer = SimpleNamespace(accumulate_grad_batches=1, world_size=1, global_rank=0)  # type: ignore[assignment]
    return module


def documents() -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    texts = [torch.randint(1, VOCAB, (length,), generator=draw) for length in (5, 1, 9, 0, 3)]
    end = torch.tensor([END])
    return [torch.cat([end, text, end]) for text in texts]


def row_of(pieces: list[torch.Tensor], seq_len: int, step_targets: int) -> Batch:
    """A packed row of documents, each a piece of the stream; padded as `TrainBatches` pads."""
    inputs = torch.full((1, seq_len), END)
    targets = torch.full((1, seq_len), IGNORE_INDEX)
    numbers = torch.full((1, seq_len), len(pieces))
    done = 0
    for number, piece in enumerate(pieces):
        stop = done + len(piece) - 1
        inputs[0, done:stop], targets[0, done:stop], numbers[0, done:stop] = piece[:-1], piece[1:], number
        done = stop
    arrays = {"inputs_BT": inputs, "targets_BT": targets, "documents_BT": numbers}
    return arrays | {"step": 0, "step_targets": step_targets}


def gradients(module: LanguageModule, batches: list[Batch]) -> tuple[float, list[torch.Tensor]]:
    module.zero_grad()
    total = torch.zeros((), dtype=torch.float64)
    for batch in batches:
        total = total + module.training_step(batch, 0)
    total.backward()
    return total.item(), [p.grad.clone() for p in module.parameters() if p.grad is not None]


@pytest.mark.parametrize("position", [RotaryEmbedding, NoPosition])
@pytest.mark.parametrize("padding", [0, 6])
def test_a_packed_row_trains_as_its_documents_alone(position: Any, padding: int) -> None:
    pieces = documents()
    num_targets = sum(len(piece) - 1 for piece in pieces)
    together = [row_of(pieces, num_targets + padding, num_targets)]
    alone = [row_of([piece], len(piece) - 1, num_targets) for piece in pieces]
    masked = language_module(position, mask=True)
    loss, grads = gradients(masked, together)
    expected_loss, expected_grads = gradients(masked, alone)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    for grad, expected in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected, rtol=1e-5, atol=1e-9)
    crossing, _ = gradients(language_module(position, mask=False), together)
    assert abs(crossing - expected_loss) > 1e-5 * expected_loss


def test_a_row_that_goes_on_with_the_rest_of_a_document_keeps_it_apart() -> None:
    first, rest = documents()[2], torch.tensor([7, 8, 9, END])  # no end-of-text opens the rest
    module = language_module(RotaryEmbedding, mask=True)
    together, _ = gradients(module, [row_of([first, rest], 13, 13)])
    alone, _ = gradients(module, [row_of([piece], len(piece) - 1, 13) for piece in (first, rest)])
    assert together == pytest.approx(alone, rel=1e-6)


def scored(module: LanguageModule, batch: Batch) -> float:
    module.validation.reset()
    module.validation_step(batch | {"num_bytes": 1, "lost_bits": 0.0}, 0)
    return float(module.validation.nats)


def test_scoring_does_not_cross_documents_either() -> None:
    """Windows carry no documents: they follow from the end-of-text tokens."""
    pieces = documents()
    stream = torch.cat([pieces[0][:1], *(piece[1:] for piece in pieces)])[None]
    window = {"inputs_BT": stream[:, :-1], "targets_BT": stream[:, 1:]}
    alone = [{"inputs_BT": piece[None, :-1], "targets_BT": piece[None, 1:]} for piece in pieces]
    masked, crossing = language_module(RotaryEmbedding, mask=True), language_module(RotaryEmbedding, mask=False)
    expected = sum(scored(masked, batch) for batch in alone)
    assert scored(masked, window) == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(sum(scored(crossing, batch) for batch in alone), rel=1e-6)
    assert abs(scored(crossing, window) - expected) > 1e-5 * expected


def test_documents_come_from_the_batch_or_from_its_tokens_and_without_the_mask_from_nowhere() -> None:
    batch = row_of(documents(), 25, 25)
    masked, plain = language_module(NoPosition, mask=True), language_module(NoPosition, mask=False)
    assert masked.context(batch).documents_BT is batch["documents_BT"]
    without = {name: value for name, value in batch.items() if name != "documents_BT"}
    assert torch.equal(masked.context(without).documents_BT, documents_of(batch["inputs_BT"], END))
    assert plain.context(batch).documents_BT is None


def test_positions_count_through_the_row() -> None:
    """Rotary and relative positions do not see the difference; learned ones do."""
    batch = row_of(documents(), 25, 25)
    positions = language_module(NoPosition, mask=True).context(batch).positions_BT
    assert positions.tolist() == [list(range(25))]
