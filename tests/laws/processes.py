"""What Python processes print: the first compiles, the next loads what the first has left."""

import os
import subprocess
import sys
from pathlib import Path


def outputs_of_two(code: str, cache: Path, compiled: str = "*") -> tuple[str, str]:
    """The outputs of two processes that run `code`; the first leaves `compiled` code in `cache`."""
    command, environment = (
        [sys.executable, "-c", code],
        {**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert list(cache.rglob(f"{compiled}.nbi"))
    return first, second
