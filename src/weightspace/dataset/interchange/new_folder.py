"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weightspace.dataset.interchange.listing import InterchangeError

__all__ = ["new_folder"]


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block ends well, it becomes `path`.

    If the block raises, nothing stays behind; only of a killed process the temporary folder does.

    Args:
        path: the folder, new or empty.

    Raises:
        InterchangeError: if it is a file, not empty, or cannot be replaced by another one.
        OSError: if something cannot be written; it names `path`.
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise InterchangeError(f"{path} is there and not empty: give a new folder")
    whole = path.resolve()
    if whole.is_mount() or whole == Path.cwd():
        raise InterchangeError(f"{path} is a disk or where you are: give a new folder in it")
    # Not `.part`: of files of that name `replacing` removes what is left.
    temporary = whole.with_name(f".{whole.name}.{os.getpid()}.partial")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.replace(whole)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
