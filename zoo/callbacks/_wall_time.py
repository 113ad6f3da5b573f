"""Where the wall time of a run goes, from the brackets that Lightning itself puts around what it calls.

Lightning tells `trainer.profiler` when each action starts and stops. A tee in its place passes everything on and keeps
the time of those actions that belong to a bucket; nothing of Lightning's is patched.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.profilers import PassThroughProfiler

OTHER, STEP, DATA, VALIDATION, CHECKPOINT = range(5)  # where one bracket is inside another, the higher has the time
BUCKETS = ("other", "step", "data", "validation", "checkpoint")

_BRACKETS = {"run_training_batch": STEP, "save_checkpoint": CHECKPOINT}
_DATA_HOOKS = ("train_dataloader", "train_dataloader_next", "batch_to_device")
# Where a callback that keeps checkpoints may write or delete one. Not its hooks inside a step: each would cut it.
_CHECKPOINT_HOOKS = ("on_train_batch_end", "on_train_epoch_end", "on_validation_end", "on_train_end")

Actions = tuple[Callable[[], None], Callable[[], None]]  # what to do when an action starts, and when it stops


class WallTime:
    """Seconds by bucket between `start` and `stop`; each moment is in one of them.

    Args:
        now: the host's clock, in seconds.
        at_step_edge: called with the time whenever the time begins or ceases to be a step's.
    """

    def __init__(self, now: Callable[[], float], at_step_edge: Callable[[float], None]):
        self._now, self._at_step_edge = now, at_step_edge
        self._seconds = [0.0] * len(BUCKETS)
        self._outer: list[int] = []  # buckets of the brackets that are open, from outside
        self._current, self._since = OTHER, 0.0
        self._running = self._validating = False
        self._tee: ProfilerTee | None = None

    def reset(self, seconds: dict[str, float] | None = None) -> None:
        """Begin again at nothing, or at the seconds of an earlier process."""
        self._seconds = [(seconds or {}).get(name, 0.0) for name in BUCKETS]

    def read(self) -> dict[str, float]:
        """Seconds by bucket up to now."""
        if self._running:
            now = self._now()
            self._seconds[self._current] += now - self._since
            self._since = now
        return dict(zip(BUCKETS, self._seconds, strict=True))

    def start(self) -> None:
        self._outer.clear()
        self._current, self._since = OTHER, self._now()
        self._running, self._validating = True, False

    def stop(self) -> None:
        self.read()
        self._running = False

    def watch(self, trainer: Any) -> None:
        """Take the place of the Trainer's profiler, until `release`."""
        self.release(trainer)
        keeps_checkpoints = {each.state_key for each in trainer.callbacks if isinstance(each, Checkpoint)}
        self._tee = ProfilerTee(trainer.profiler, partial(self._actions, keeps_checkpoints))
        trainer.profiler = self._tee

    def release(self, trainer: Any) -> None:
        """Put the Trainer's own profiler back, unless somebody has put another there meanwhile."""
        if self._tee is not None and trainer.profiler is self._tee:
            trainer.profiler = self._tee.inner
        self._tee = None

    def _actions(self, keeps_checkpoints: set[str], name: str) -> Actions | None:
        """What an action of Lightning's means for the buckets; None: nothing."""
        owner, _, hook = name.rpartition(".")
        if name in _BRACKETS:
            return partial(self._enter, _BRACKETS[name]), self._leave
        if name == "run_training_epoch":
            return self._open_epoch, self._close_epoch
        if hook in _DATA_HOOKS:
            return partial(self._enter, DATA), self._leave
        if hook in _CHECKPOINT_HOOKS and owner.removeprefix("[Callback]") in keeps_checkpoints:
            return partial(self._enter, CHECKPOINT), self._leave
        # No bracket is around all of a validation: it begins with the first hook of its own, the former of these only
        # where no accumulation is under way, and ends with the last.
        if owner.startswith("[LightningModule]") and hook in (
            "on_validation_model_zero_grad",
            "on_validation_model_eval",
        ):
            return self._open_validation, _nothing
        if owner.startswith("[Strategy]") and hook == "on_validation_end":
            return _nothing, self._close_validation
        return None

    def _enter(self, bucket: int) -> None:
        if not self._running:
            return
        if self._outer:
            self._outer.append(self._current)
            self._switch(max(bucket, self._current))
        else:
            self._outer.append(OTHER)  # and not what it may be at an epoch's start, which is over
            self._switch(bucket)

    def _leave(self) -> None:
        if self._running and self._outer:
            self._switch(self._outer.pop())

    def _open_epoch(self) -> None:
        """Data up to the first bracket: the loader starts its workers outside of any."""
        if self._running and not self._outer:
            self._switch(DATA)

    def _close_epoch(self) -> None:
        if self._running and not self._outer:
            self._switch(OTHER)

    def _open_validation(self) -> None:
        if self._running and not self._validating:
            self._validating = True
            self._enter(VALIDATION)

    def _close_validation(self) -> None:
        if self._validating:
            self._validating = False
            self._leave()

    def _switch(self, bucket: int) -> None:
        current = self._current
        if bucket == current:
            return
        now = self._now()
        self._seconds[current] += now - self._since
        self._current, self._since = bucket, now
        if bucket == STEP or current == STEP:
            self._at_step_edge(now)


class ProfilerTee:
    """Passes everything on to the profiler that it stands for, and looks like it; looks up what each action means once.

    Its own work is inside the profiler's brackets, so that what the profiler does is in no bucket's time.
    """

    __slots__ = ("_actions_of", "_contexts", "_deaf", "_known", "inner")

    def __init__(self, inner: Any, actions_of: Callable[[str], Actions | None]):
        self.inner, self._actions_of = inner, actions_of
        self._known: dict[str, Actions | None] = {}
        # Lightning's default hears nothing, yet to tell it costs more than all else here: some 40 actions a step.
        self._deaf = type(inner) is PassThroughProfiler
        self._contexts: dict[str, AbstractContextManager[Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """For those who ask what kind of profiler the Trainer has."""
        return type(self.inner)

    def actions(self, action_name: str) -> Actions | None:
        try:
            return self._known[action_name]
        except KeyError:
            actions = self._known[action_name] = self._actions_of(action_name)
            return actions

    def profile(self, action_name: str) -> AbstractContextManager[Any]:
        try:
            return self._contexts[action_name]
        except KeyError:
            actions = self.actions(action_name)
        inner = nullcontext(action_name) if self._deaf else self.inner.profile(action_name)
        context = inner if actions is None else _Both(inner, actions)
        if self._deaf:
            self._contexts[action_name] = context  # keeps no state, so may be entered again, in itself too
        return context

    def start(self, action_name: str) -> None:
        self.inner.start(action_name)
        actions = self.actions(action_name)
        if actions is not None:
            actions[0]()

    def stop(self, action_name: str) -> None:
        actions = self.actions(action_name)
        if actions is not None:
            actions[1]()
        self.inner.stop(action_name)


class _Both:
    """A profiler's bracket around actions of one's own."""

    __slots__ = ("actions", "inner")

    def __init__(self, inner: AbstractContextManager[Any], actions: Actions):
        self.inner, self.actions = inner, actions

    def __enter__(self) -> Any:
        entered = self.inner.__enter__()
        self.actions[0]()
        return entered

    def __exit__(self, *error: Any) -> bool | None:
        self.actions[1]()
        return self.inner.__exit__(*error)


def _nothing() -> None: ...
