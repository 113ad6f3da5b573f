"""The local cache of the Hugging Face Hub: which datasets are there, prepared by `datasets` at which commit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Prepared:
    """A dataset of the hub that `datasets` wrote to its cache: `<namespace>___<name>/<config>/<version>/<commit>`."""

    folder: Path

    @property
    def config(self) -> str:
        return self.folder.parts[-3]

    @property
    def commit(self) -> str:
        return self.folder.parts[-1]

    def builder(self, path: str) -> Any:
        """Reads exactly this copy; `load_dataset` without network takes the newest, whatever revision is asked for."""
        from datasets.packaged_modules.cache.cache import Cache

        builder = Cache(
            cache_dir=str(self.folder.parents[3]),
            dataset_name=path.split("/")[-1],
            repo_id=path,
            config_name=self.config,
            version=self.folder.parts[-2],
            hash=self.commit,
        )
        builder.download_and_prepare()
        return builder


def is_commit(revision: str | None) -> bool:
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def prepared(path: str) -> list[Prepared]:
    """Every whole copy of a dataset: all configs, all commits."""
    return _copies(_datasets_cache() / _folder_name(path))


def cached_commit(path: str, revision: str | None) -> str | None:
    """Commit that a branch or tag had when this machine last asked the hub; None where it did not."""
    from huggingface_hub import constants

    folder = "--".join(["datasets", *path.split("/")])
    reference = Path(constants.HF_HUB_CACHE, folder, "refs", revision or "main")
    return reference.read_text().strip() if reference.is_file() else None


def cached_names() -> list[str]:
    """Names of the datasets of the hub that can be read without network, sorted."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        downloaded = [
            repo.repo_id for repo in scan_cache_dir(constants.HF_HUB_CACHE).repos if repo.repo_type == "dataset"
        ]
    except CacheNotFound:
        downloaded = []
    spelled = {_folder_name(name): name for name in downloaded}  # folders have lost the capitals
    cache = _datasets_cache()
    folders = sorted(folder for folder in cache.iterdir() if folder.is_dir()) if cache.is_dir() else []
    return sorted(spelled.get(f.name, f.name.replace("___", "/")) for f in folders if _copies(f))


def _datasets_cache() -> Path:
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE).expanduser()


def _copies(root: Path) -> list[Prepared]:
    found = []
    for info in sorted(root.glob("*/*/*/dataset_info.json")):
        copy = Prepared(info.parent)
        # A config that options went into has another folder name; and local files have no commit.
        if is_commit(copy.commit) and json.loads(info.read_text(encoding="utf-8")).get("config_name") == copy.config:
            found.append(copy)
    return found


def _folder_name(path: str) -> str:
    from datasets.naming import camelcase_to_snakecase

    *namespace, name = path.split("/")
    return "___".join([*namespace, camelcase_to_snakecase(name)])
