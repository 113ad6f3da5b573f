"""All that is known of a run before it trains: its data, its size, its work, its number of steps. Never imports
Lightning: this is what a planner calls for every arm."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch

from zoo.accounting.budget import StepWork, steps_for
from zoo.accounting.flops import forward_flops, hardware_flops, training_flops
from zoo.component import total_params
from zoo.data.batches import TrainBatches
from zoo.data.filters import FilteredCorpus
from zoo.data.progress import Progress
from zoo.data.store import TokenStore
from zoo.decoder import Decoder
from zoo.optimizers.base import optimizer_step_flops
from zoo.recipe import Recipe, RecipeError

ROWS_FOR_DOCUMENTS = 4096


@dataclass(frozen=True)
class Prepared:
    """One arm, ready to run.

    Attributes:
        recipe: checked, with every default.
        store: its tokens.
        model: the decoder on the meta device: shapes without storage.
        work: FLOPs and tokens of one optimizer step.
        num_steps: what the budget buys; None for a budget of seconds.
        cost_notes: what a reader of the table must know about its counts.
        forward_flops_per_token: of the model, exact convention.
        documents: of each length in a mean sequence, where attention stays within them.
    """

    recipe: Recipe
    store: TokenStore
    model: Decoder
    work: StepWork
    num_steps: int | None
    cost_notes: list[str]
    forward_flops_per_token: float
    documents: dict[int, float] | None = None

    @cached_property
    def identity(self) -> str:
        return self.recipe.identity(self.store.fingerprint)

    @property
    def params(self) -> int:
        return total_params(self.model)


def open_store(
    recipe: Recipe,
    *,
    rebuild: bool = False,
    progress: Progress | Callable[[str], None] | None = None,
    num_jobs: int | None = None,
) -> TokenStore:
    """The token store of a recipe, built if it is not there.

    Raises:
        RecipeError: the corpus cannot be read or is too small, or the store is damaged.
    """
    data = recipe.built.data
    corpus = FilteredCorpus(data.corpus, data.filters) if data.filters else data.corpus
    try:
        return TokenStore.build_or_open(
            corpus, data.tokenizer, data.split, rebuild=rebuild, progress=progress, num_jobs=num_jobs
        )
    except (ValueError, OSError) as error:
        raise RecipeError([f"data: {error}"], recipe.name) from error


def prepare(recipe: Recipe, *, progress: Progress | Callable[[str], None] | None = None) -> Prepared:
    """Build everything once without storage, so that whatever a class refuses fails now.

    Raises:
        RecipeError: a class refuses a value, the data is not there, or the budget buys no step.
    """
    built = recipe.built
    store = open_store(recipe, progress=progress)
    try:
        model, optimizer = built.try_on_meta(store.vocab_size)
    except RecipeError as error:
        raise RecipeError(error.lines, recipe.name) from error
    seq_len, batch_size = built.data.seq_len, built.data.batch_size
    batches = _batches(recipe, store)
    tokens = round(seq_len * batch_size * batches.efficiency)
    documents = _documents(recipe, store)
    parts, checkpointing = model.parts(), built.trainer.activation_checkpointing
    work = StepWork(
        training_flops=round(batch_size * training_flops(parts, seq_len, documents=documents)),
        palm_training_flops=round(batch_size * training_flops(parts, seq_len, palm=True)),
        hardware_flops=round(
            batch_size * hardware_flops(parts, seq_len, documents=documents, checkpointing=checkpointing)
        ),
        optimizer_flops=optimizer_step_flops(optimizer),
        tokens=tokens,
        text_bytes=tokens * batches.bytes_per_target,
    )
    try:
        num_steps = steps_for(built.budget.unit, built.budget.amount, work)
    except ValueError as error:
        raise RecipeError([f"budget: {error}"], recipe.name) from error
    notes = _cost_notes(model, optimizer, work) + _data_notes(batches, num_steps)
    forward = forward_flops(parts, seq_len, documents=documents) / seq_len
    return Prepared(recipe, store, model, work, num_steps, notes, forward, documents)


def _batches(recipe: Recipe, store: TokenStore, *, seed: int | None = None) -> TrainBatches:
    data = recipe.built.data
    try:
        return TrainBatches(
            store,
            seed=recipe.seed if seed is None else seed,
            seq_len=data.seq_len,
            batch_size=data.batch_size,
            packing=data.packing,
            document_mask=data.document_mask,
        )
    except ValueError as error:
        raise RecipeError([f"data: {error}"], recipe.name) from error


def _documents(recipe: Recipe, store: TokenStore) -> dict[int, float] | None:
    """Documents of a mean row, where attention stays within them: of the first rows of seed 0, so that the seeds of an
    arm make equally many steps."""
    if not recipe.built.data.document_mask:
        return None
    batches = _batches(recipe, store, seed=0)
    return batches.documents(min(ROWS_FOR_DOCUMENTS, sum(rows.rows_per_epoch for rows in batches.sources.values())))


def _cost_notes(model: Decoder, optimizer: object, work: StepWork) -> list[str]:
    notes = [note for _, part in model.parts() for m in part.modules() if (note := getattr(m, "cost_note", ""))]
    if work.optimizer_flops is None:
        kind = type(optimizer)
        notes.append(f"{kind.__module__}.{kind.__name__} does not state its FLOPs: the budget counts training alone")
    return list(dict.fromkeys(notes))


def _data_notes(batches: TrainBatches, num_steps: int | None) -> list[str]:
    notes = []
    if batches.packing == "best_fit":
        notes.append(
            f"packing best_fit: {batches.efficiency:.2%} of the positions are targets; FLOPs count the padding too, "
            f"tokens and bytes do not, and their counts are means over an epoch"
        )
    if batches.document_mask:
        notes.append(
            f"document_mask: FLOPs count pairs within documents, as a mean over the first {ROWS_FOR_DOCUMENTS:,} "
            "sequences at most"
        )
    if len(batches.sources) > 1 and num_steps is not None:
        times = ", ".join(f"{name} {epochs:.2f} times" for name, epochs in batches.epochs(num_steps).items())
        notes.append(f"mixture: the run reads {times}")
    return notes


def needs(runs: Iterable[Prepared]) -> dict[str, int]:
    """What each of these runs takes of a machine: a GPU of its own, where one of them may use one."""
    on_gpu = any(run.recipe.built.trainer.device != "cpu" for run in runs)
    return {"gpus": 1} if on_gpu and torch.cuda.is_available() else {}


def quiet_warnings() -> None:
    """Keep libraries' advice that does not concern a user of zoo out of the log."""
    for message in (".*does not have many workers.*", ".*LeafSpec.*", ".*TreeSpec.*", ".*litlogger.*"):
        warnings.filterwarnings("ignore", message)
