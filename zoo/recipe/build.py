"""From a resolved recipe to objects: jsonargparse instantiates, one key at a time, so that an error names its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.component import Component
from zoo.recipe.errors import Problem, RecipeError
from zoo.recipe.schema import Key, section_keys
from zoo.recipe.typecheck import parse_value, parser_of

if TYPE_CHECKING:
    from zoo.decoder import Decoder
    from zoo.inits.base import Init
    from zoo.optimizers.base import OptimizerFactory
    from zoo.recipe.options import Budget, DataOptions, TrainerOptions
    from zoo.schedules.base import Schedule


@dataclass(frozen=True)
class Built:
    """A recipe as objects. `decoder` builds the model once the vocabulary is known."""

    decoder_arguments: dict[str, Any]
    init: Init
    optimizer: OptimizerFactory
    schedule: Schedule
    data: DataOptions
    trainer: TrainerOptions
    budget: Budget

    def decoder(self, vocab_size: int) -> Decoder:
        """A decoder on the current default device, without first values.

        Raises:
            RecipeError: a component refuses a value.
        """
        from zoo.decoder import Decoder

        try:
            return Decoder(vocab_size=vocab_size, **self.decoder_arguments)
        except Exception as error:
            raise RecipeError([Problem("model", refusal(error))]) from error

    def try_on_meta(self, vocab_size: int) -> tuple[Decoder, torch.optim.Optimizer]:
        """Model and optimizer without storage: everything a class may refuse, before anything trains.

        Raises:
            RecipeError: a class refuses a value, or a parameter has no role.
        """
        from zoo.optimizers.base import role_groups

        with torch.device("meta"):
            decoder = self.decoder(vocab_size)
            try:
                groups = role_groups(decoder)
            except ValueError as error:
                raise RecipeError([Problem("model", str(error))]) from error
            try:
                optimizer = self.optimizer(groups)
            except Exception as error:
                raise RecipeError([Problem("model.optimizer", refusal(error))]) from error
        return decoder, optimizer


def build(resolved: dict[str, Any]) -> Built:
    """Objects of a resolved recipe.

    Raises:
        RecipeError: a class refuses a value; one line per key.
    """
    from zoo.recipe.options import Budget, DataOptions, TrainerOptions

    problems: list[Problem] = []
    objects: dict[str, dict[str, Any]] = {}
    for section, keys in section_keys().items():
        objects[section] = {}
        for name, key in keys.items():
            try:
                objects[section][name] = instantiate(key, resolved[section][name])
            except Exception as error:
                problems.append(Problem(f"{section}.{name}", refusal(error)))
    options: dict[str, Any] = {}
    for section, kind in (("data", DataOptions), ("trainer", TrainerOptions), ("budget", Budget)):
        try:
            options[section] = kind(**objects[section]) if not problems else None
        except ValueError as error:
            problems.append(Problem(section, str(error)))
    if not problems:
        problems += _across(options["data"], options["trainer"])
    if problems:
        raise RecipeError(problems)
    model = objects["model"]
    training = {name: model.pop(name) for name in ("init", "optimizer", "schedule")}
    return Built(decoder_arguments=model, **training, **options)


def _across(data: DataOptions, trainer: TrainerOptions) -> list[Problem]:
    """What is wrong with options that are each right."""
    problems = []
    if data.batch_size % trainer.accumulate:
        line = f"{trainer.accumulate} must divide data.batch_size={data.batch_size}"
        problems.append(Problem("trainer.accumulate", line))
    if trainer.device == "cuda" and not torch.cuda.is_available():
        problems.append(Problem("trainer.device", "cuda was asked for, and torch sees no CUDA device here"))
    if trainer.logger:
        problems += _loggers(trainer.logger)
    return problems


def _loggers(given: dict[str, Any] | list[dict[str, Any]]) -> list[Problem]:
    """Loggers are Lightning's: only a recipe that names one pays for the import."""
    from lightning.pytorch.loggers import Logger

    problems = []
    for logger in given if isinstance(given, list) else [given]:
        try:
            parse_value(parser_of(Logger), logger)
        except Exception as error:
            problems.append(Problem("trainer.logger", f"{logger}: {error}"))
    return problems


def instantiate(key: Key, value: Any) -> Any:
    """One value of a recipe as an object; a component that needs the model becomes a factory."""
    parser = parser_of(key.annotation)
    return parser.instantiate(parse_value(parser, value)).value


def refusal(error: BaseException) -> str:
    """Why a constructor failed, in one line, with the class whose constructor it was."""
    owner, traceback = "", error.__traceback__
    while traceback is not None:
        made = traceback.tb_frame.f_locals.get("self")
        if isinstance(made, Component):
            owner = f"{type(made).__name__}: "
        traceback = traceback.tb_next
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    return f"{owner}{kind}{error}"
