"""Run the client of a package registry; its complaint becomes the error."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

__all__ = ["PackageError", "run_client"]

_TIMEOUT = 900  # of one command, in seconds


class PackageError(ValueError):
    """A package that cannot be downloaded or opened."""


def run_client(
    command: list[str],
    folder: Path,
    *,
    needs: str,
    stdout: int = subprocess.DEVNULL,
    complaint: Callable[[list[str]], str] = lambda lines: lines[-1],
) -> None:
    """Run a command in a folder, with its messages in English.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        needs: what a machine without the program lacks, for the message.
        stdout: the file descriptor that takes its output; it is thrown away by default.
        complaint: picks the message out of the lines of a failure; the last one by default.

    Raises:
        PackageError: if the program is not there, fails or takes too long.
    """
    program = shutil.which(command[0])
    if program is None:
        raise PackageError(f"{command[0]} is not there; this source needs {needs}")
    try:
        subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        raise PackageError(f"{command[0]} failed: {complaint(lines)}") from error
    except subprocess.TimeoutExpired as error:
        raise PackageError(f"{command[0]} took more than {_TIMEOUT} s") from error
