"""All that is known of a run before it trains: its data, its size, its work, its number of steps. Never imports
Lightning: this is what a planner calls for every arm."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch

from zoo.accounting.budget import StepWork, steps_for
from zoo.accounting.flops import training_flops
from zoo.component import total_params
from zoo.data.store import TokenStore
from zoo.decoder import Decoder
from zoo.optimizers.base import optimizer_step_flops
from zoo.recipe import Recipe, RecipeError


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
    """

    recipe: Recipe
    store: TokenStore
    model: Decoder
    work: StepWork
    num_steps: int | None
    cost_notes: list[str]

    @cached_property
    def identity(self) -> str:
        return self.recipe.identity(self.store.fingerprint)

    @property
    def params(self) -> int:
        return total_params(self.model)

    @property
    def forward_flops_per_token(self) -> float:
        seq_len = self.recipe.built.data.seq_len
        return self.model.cost(seq_len).exact / seq_len


def open_store(recipe: Recipe, *, rebuild: bool = False, progress: Callable[[str], None] | None = None) -> TokenStore:
    """The token store of a recipe, built if it is not there.

    Raises:
        RecipeError: the corpus cannot be read or is too small, or the store is damaged.
    """
    data = recipe.built.data
    try:
        return TokenStore.build_or_open(data.corpus, data.tokenizer, data.split, rebuild=rebuild, progress=progress)
    except (ValueError, OSError) as error:
        raise RecipeError([f"data: {error}"], recipe.name) from error


def prepare(recipe: Recipe, *, progress: Callable[[str], None] | None = None) -> Prepared:
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
    tokens = seq_len * batch_size
    work = StepWork(
        training_flops=batch_size * training_flops(model.parts(), seq_len),
        palm_training_flops=batch_size * training_flops(model.parts(), seq_len, palm=True),
        optimizer_flops=optimizer_step_flops(optimizer),
        tokens=tokens,
        text_bytes=tokens * store.bytes_per_token,
    )
    try:
        num_steps = steps_for(built.budget.unit, built.budget.amount, work)
    except ValueError as error:
        raise RecipeError([f"budget: {error}"], recipe.name) from error
    return Prepared(recipe, store, model, work, num_steps, _cost_notes(model, optimizer, work))


def _cost_notes(model: Decoder, optimizer: object, work: StepWork) -> list[str]:
    notes = [note for _, part in model.parts() for m in part.modules() if (note := getattr(m, "cost_note", ""))]
    if work.optimizer_flops is None:
        kind = type(optimizer)
        notes.append(f"{kind.__module__}.{kind.__name__} does not state its FLOPs: the budget counts training alone")
    return list(dict.fromkeys(notes))


def needs(runs: Iterable[Prepared]) -> dict[str, int]:
    """What each of these runs takes of a machine: a GPU of its own, where one of them may use one."""
    on_gpu = any(run.recipe.built.trainer.device != "cpu" for run in runs)
    return {"gpus": 1} if on_gpu and torch.cuda.is_available() else {}


def quiet_warnings() -> None:
    """Keep libraries' advice that does not concern a user of zoo out of the log."""
    for message in (".*does not have many workers.*", ".*LeafSpec.*", ".*TreeSpec.*", ".*litlogger.*"):
        warnings.filterwarnings("ignore", message)
