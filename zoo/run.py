"""One run in one folder: `python -m zoo.run DIR` is the whole worker protocol.

DIR is `.../<hash12>/seed-<n>`; the recipe lies beside it as `../recipe.yaml`. The worker locks the folder, trains
(from `checkpoints/last.ckpt` where there is one), and writes `result.json` by rename, last. A folder that has a
finished result is left as it is. Exit code 0: the result is there (ok or diverged); 1: it says why not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from zoo.files import write_atomically

if TYPE_CHECKING:
    from zoo.prepare import Prepared
    from zoo.recipe import Recipe

LAST_CHECKPOINT = "checkpoints/last.ckpt"  # where a run goes on from
FINISHED = ("ok", "diverged")  # statuses that running again would only repeat


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m zoo.run", description=__doc__, allow_abbrev=False)
    parser.add_argument("dir", type=Path, help="folder of the run, <hash>/seed-<n>")
    parser.add_argument("--watch-stdin", action="store_true", help="exit when standard input closes (engines use it)")
    arguments = parser.parse_args(argv)
    if not (arguments.dir.parent / "recipe.yaml").is_file() or not re.fullmatch(r"seed-\d+", arguments.dir.name):
        parser.error(f"{arguments.dir} is not the folder of a run: expected <hash>/seed-<n> beside a recipe.yaml")
    if arguments.watch_stdin:
        threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # at once: a resumed run continues from its checkpoint
    result = run(arguments.dir)
    return 0 if result["status"] in FINISHED else 1


def run(folder: Path) -> dict[str, Any]:
    """Train the run of one folder, or return what it has already; never raises for what goes wrong in training."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        known = read_result(folder)
        if known.get("status") in FINISHED:
            return known
        began = time.monotonic()
        seed = int(folder.name.removeprefix("seed-"))
        try:
            result = _train_in(folder, seed)
        except Exception as error:
            traceback.print_exc()
            status = "oom" if _out_of_memory(error) else "failed"
            result = {"status": status, "reason": f"{type(error).__name__}: {error}".splitlines()[0]}
        result |= {
            "seed": seed,
            "wall_seconds": time.monotonic() - began,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_atomically(folder / "result.json", json.dumps(result, indent=1))
        return result


def read_result(folder: Path) -> dict[str, Any]:
    """result.json of a run; empty where there is none, or where it is not whole."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return result if isinstance(result, dict) else {}


def _train_in(folder: Path, seed: int) -> dict[str, Any]:
    from zoo.environment import environment
    from zoo.prepare import prepare
    from zoo.recipe import RecipeError, load_recipe
    from zoo.training import train

    recipe = load_recipe(folder.parent / "recipe.yaml", {"seed": seed})
    about = environment()
    write_atomically(folder / "env.json", json.dumps(about, indent=1))
    prepared = prepare(recipe)
    if prepared.identity != folder.parent.name:
        raise RecipeError(
            [f"code or data changed since this run was planned as {folder.parent.name}: ask for it again"]
        )
    return train(prepared, folder) | {k: about[k] for k in ("versions", "commit", "dirty", "num_threads")}


def _out_of_memory(error: Exception) -> bool:
    import torch

    text = str(error)
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in text


def _exit_at_end_of_input() -> None:
    """An engine holds the other end of the pipe: when it dies, however it dies, this worker goes too."""
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when the interpreter shuts down
        pass
    os._exit(143)


def run_folder(root: Path, prepared: Prepared, seed: int) -> Path:
    """The folder of one run, with its recipe written; nothing else is touched.

    Args:
        root: of all runs, by default `runs`.
    """
    home = root / "store" / prepared.identity
    home.mkdir(parents=True, exist_ok=True)
    recipe_path, text = home / "recipe.yaml", _header(prepared.recipe) + prepared.recipe.dump()
    if not recipe_path.exists() or recipe_path.read_text(encoding="utf-8") != text:
        write_atomically(recipe_path, text)  # paths and loggers are not part of the identity: the last asked for counts
    folder = home / f"seed-{seed}"
    folder.mkdir(exist_ok=True)
    return folder


def _header(recipe: Recipe) -> str:
    return f"# {recipe.name}, fully resolved. zoo fit on this file reproduces the run.\n"


if __name__ == "__main__":
    sys.exit(main())
