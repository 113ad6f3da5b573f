"""Folders of stores: built under a lock beside their place, renamed whole, swept when a build was killed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.data.build import sync_path


@contextmanager
def locked(stores: Path, name: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of one store. Its file goes when what is done under it fails: no failed build leaves one. It may go
    while it is held, since whoever waits for it looks whether its name still leads there (filelock 4)."""
    lock = FileLock(stores / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process is building the store {name}: waiting")
        lock.acquire()
    try:
        yield
    except BaseException:
        if not (stores / name).is_dir():
            with suppress(OSError):  # some systems do not remove an open file
                os.unlink(lock.lock_file)
        raise
    finally:
        lock.release()


@contextmanager
def fresh_folder(stores: Path, name: str) -> Iterator[Path]:
    """An empty folder to build a store in; it goes when that fails.

    Raises:
        OSError: there is no room, in words.
    """
    _sweep(stores, name)
    temporary = stores / f".{name}.new.tmp"
    temporary.mkdir()
    try:
        yield temporary
    except BaseException as error:
        free = shutil.disk_usage(stores).free
        shutil.rmtree(temporary)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            no_room = f"no room left for the token store in {stores} ({free:,} bytes free)"
            raise OSError(error.errno, f"{no_room}: make room, or set ZOO_HOME elsewhere") from error
        raise


def put_in_place(temporary: Path, folder: Path) -> None:
    """Rename a finished build to its name. A store of that name goes; its readers keep the files they have mapped."""
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old.tmp")
        os.rename(folder, old)
        os.rename(temporary, folder)
        shutil.rmtree(old)
    else:
        os.rename(temporary, folder)
    sync_path(folder.parent)


def _sweep(stores: Path, held: str) -> None:
    """Remove what killed builds left behind: of the store whose lock is held, and of all that nobody builds now."""
    for leftover in stores.glob(".*.tmp"):
        name = leftover.name.split(".")[1]
        if name == held:
            shutil.rmtree(leftover)
            continue
        try:
            with FileLock(stores / f"{name}.lock", timeout=0):
                shutil.rmtree(leftover, ignore_errors=True)
        except Timeout:
            pass  # it is being built
