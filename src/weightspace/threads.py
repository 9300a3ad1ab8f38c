"""How many threads compiled loops use."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch

__all__ = ["numba_threads", "thread_count"]


def thread_count(threads: int | None = None) -> int:
    """The number of threads to use: `threads`, by default torch's, at most what Numba has."""
    wanted = torch.get_num_threads() if threads is None else threads
    return min(wanted, numba.config.NUMBA_NUM_THREADS)  # pyright: ignore


@contextmanager
def numba_threads(threads: int) -> Iterator[None]:
    """Run Numba's parallel loops on `threads` threads, and leave torch's number as it was.

    Both use OpenMP, and Numba's start of its threads, at the first question about them, sets
    the number for torch too: so torch is asked first.
    """
    torch_before = torch.get_num_threads()
    numba_before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        yield
    finally:
        numba.set_num_threads(numba_before)
        torch.set_num_threads(torch_before)
