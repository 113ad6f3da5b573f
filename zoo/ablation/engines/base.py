"""What an engine is: it runs folders and says what came of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Event:
    """Something that happened to one run.

    Attributes:
        kind: `started`; `finished` with a result that stands (ok or diverged; without `started` where it was there
            already); `failed` with anything else. The details are in the folder's result.json.
        dir: folder of the run, as it was given to the engine.
        reason: in one line, where there is one.
    """

    kind: Literal["started", "finished", "failed"]
    dir: Path
    reason: str | None = None


class Engine(ABC):
    """Executes runs; the folders hold all that they leave behind."""

    @abstractmethod
    def run(self, dirs: Sequence[Path], needs: Mapping[str, int]) -> Iterator[Event]:
        """Run every folder that has no result yet; a run that dies never hurts the others.

        Args:
            dirs: folders of runs, `<hash12>/seed-<n>`.
            needs: what each run takes of a machine: `cores`, `gpus`. Nothing stated: the engine's own default.

        Yields:
            Each run's `started`, then its `finished` or `failed`. An abandoned iterator stops the runs and leaves
            them unfinished, to be resumed.

        Raises:
            ValueError: a need that the engine does not know, or that the machine cannot meet.
        """
