"""Files that appear whole or not at all."""

import os
import platform
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

__all__ = ["replacing"]

# Other machines may write into a shared folder too, under the same process numbers.
HOST = re.sub(r"\W", "-", platform.node())
SECONDS_OF_OTHERS = 24 * 3600


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it becomes `path`.

    The content is synced to the disk before it is renamed, so that a crash or a full disk
    leaves either the old file or the new one. If the block raises, nothing stays behind; what a
    killed process left is removed when its file is written again, after a day if it was one of
    another machine. An `OSError` names the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in _left_behind(path.parent.absolute()).pop(path.name, []):
        left.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}@{HOST}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _left_behind(directory: Path) -> dict[str, list[Path]]:
    """The temporary files of processes that are gone, by the name each should have got.

    Listed once per process and directory: one that gets 100,000 files is not read as often.
    """
    found = defaultdict(list)
    for path in directory.iterdir():
        if match := re.fullmatch(r"\.(.+)\.(\d+)@([\w-]*)\.(part|html)", path.name):
            name, process, host = match[1], int(match[2]), match[3]
            if not (_runs(process) if host == HOST else _is_recent(path)):
                found[name].append(path)
    return found


def _runs(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True


def _is_recent(path: Path) -> bool:
    """Whether a file of another machine may still be written."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime > time.time() - SECONDS_OF_OTHERS
    return True


def _sync_directory(directory: Path) -> None:
    """Make a rename durable, where directories can be opened (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
