"""Datasets of the Hugging Face Hub, for `HubDataset`: at one commit, from the local cache where it holds that."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from zoo.data.corpora._hub_cache import Prepared, cached_commit, cached_names, is_commit, prepared
from zoo.data.corpora._hub_errors import check_splits, load_builder, one_line
from zoo.data.corpora._reading import first_line
from zoo.wording import nearest

_TIMEOUT_SECONDS = 10.0

logger = logging.getLogger(__name__)


class HubUnreachable(Exception):  # noqa: N818, a state of the network and no mistake
    """There is no network, or the hub does not answer."""


class HubRepository:
    """A dataset of the hub.

    Which commit a branch stands at is asked once, so that everything after it sees the same documents.

    Args:
        path: `namespace/name`, or `name` alone for some old ones.
        name: config; None: the only one, or the repository's default.
        revision: branch, tag or commit; None: `main`.
        data_files: files or globs within the repository; None: those that the config states.
    """

    def __init__(self, path: str, name: str | None, revision: str | None, data_files: Sequence[str] | None):
        self.path, self.name, self.revision = path, name, revision
        self.data_files = None if data_files is None else list(data_files)

    def identity(self, split: str) -> Any:
        """The commit, which names every file of the repository; the split is not looked for.

        Raises:
            ValueError: there is no such dataset or revision, or the hub cannot be reached and no copy is there.
        """
        return {"hub": self.path, "config": self.name, "commit": self.commit, "data_files": self.data_files}

    def open(self, split: str, streaming: bool) -> Any:
        """A `Dataset`, or an `IterableDataset` where it streams: from the cache, if that holds the commit.

        Raises:
            ValueError: as `identity`; or there is no such config or split.
        """
        copy = self._from_cache(self.commit)
        builder = copy or self._from_hub(self.commit)
        streaming = streaming and copy is None  # a copy is mapped, which holds no more
        if builder.info.splits:  # before anything is downloaded
            check_splits(split, builder.info.splits, self.path)
        with one_line(self.path):
            if streaming:
                known = builder.as_streaming_dataset()
            else:
                builder.download_and_prepare()
                known = builder.info.splits
        check_splits(split, known, self.path)
        with one_line(self.path):
            return builder.as_streaming_dataset(split) if streaming else builder.as_dataset(split)

    @cached_property
    def commit(self) -> str:
        """The commit that the revision stands for.

        Raises:
            ValueError: as `identity`.
        """
        if self.revision is not None and is_commit(self.revision):
            return self.revision
        try:
            return ask_hub(self.path, self.revision)
        except HubUnreachable as error:
            known = self._known_commit()
            if known is None:
                raise self._unreachable(error) from error
            logger.warning("%s: the hub cannot be reached (%s); from the cache, at %s", self.path, error, known)
            return known

    def _known_commit(self) -> str | None:
        """Commit of the revision as far as the cache tells, if a copy of it is there."""
        commits = {copy.commit for copy in self._copies()}
        known = cached_commit(self.path, self.revision)
        if known in commits:
            return known
        return commits.pop() if self.revision is None and len(commits) == 1 else None

    def _copies(self) -> list[Prepared]:
        copies = [] if self.data_files else prepared(self.path)
        return [copy for copy in copies if self.name in (None, copy.config)]

    def _from_cache(self, commit: str) -> Any:
        copies = [copy for copy in self._copies() if copy.commit == commit]
        if self.name is None and len(copies) > 1:
            copies = [copy for copy in copies if copy.config == "default"]
        return copies[0].builder(self.path) if len(copies) == 1 else None

    def _from_hub(self, commit: str) -> Any:
        try:
            ask_hub(self.path, commit)  # `datasets` would try for half a minute
        except HubUnreachable as error:
            raise self._unreachable(error) from error
        return load_builder(self.path, self.name, self.data_files, revision=commit)

    def _unreachable(self, error: HubUnreachable) -> ValueError:
        """What was asked, why it is not to be had, and what is."""
        asked = {"config": self.name, "revision": self.revision, "data_files": self.data_files}
        details = "".join(f", {key} {value!r}" for key, value in asked.items() if value is not None)
        if copies := prepared(self.path):
            there = "the cache holds " + " and ".join(f"config {c.config!r} at revision {c.commit!r}" for c in copies)
        elif names := cached_names():
            there = f"the cache holds {', '.join(names)}{nearest(self.path, names)}"
        else:
            there = "the cache holds no dataset"
        return ValueError(
            f"{self.path}{details}: no such folder here, and the Hugging Face Hub cannot be reached ({error}); "
            f"{there}; files of your own: zoo.data.TextFiles"
        )


def ask_hub(path: str, revision: str | None) -> str:
    """The commit that a revision of a dataset stands for, by one request.

    Raises:
        HubUnreachable: no answer.
        ValueError: the hub says that there is no such dataset or revision, or that it may not be read.
    """
    from huggingface_hub import HfApi, errors

    try:
        commit = HfApi().dataset_info(path, revision=revision, timeout=_TIMEOUT_SECONDS).sha
    except errors.HFValidationError as error:
        raise ValueError(f"{path}: neither a folder here nor a name of a dataset: {first_line(error)}") from error
    except errors.GatedRepoError as error:
        raise ValueError(f"{path}: its owner grants access on request, and HF_TOKEN shows none") from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{path}: no revision {revision!r} on the Hugging Face Hub") from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"{path}: no such folder here, and no such dataset on the Hugging Face Hub, or a private one"
        ) from error
    except errors.HfHubHTTPError as error:
        raise HubUnreachable(first_line(error)) from error
    except Exception as error:  # the HTTP library changes with the version of huggingface_hub
        raise HubUnreachable(f"{type(error).__name__}: {first_line(error)}") from error
    if commit is None:
        raise ValueError(f"{path}: the Hugging Face Hub names no commit of it")
    return commit
