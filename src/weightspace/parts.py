"""Work on many things a part at a time, in smaller parts where memory runs out."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from weightspace.failures import is_out_of_memory

__all__ = ["in_parts"]

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def in_parts(compute: Callable[[slice], Result], n: int, size: int) -> Iterator[Result]:
    """Yield compute(part) for one part of 0, ..., n - 1 after the other.

    Where memory runs out, the part is halved, and so are those that follow; the log says so.

    Args:
        compute: what to do; called again with the first half of a part that was too large.
        n: how many things there are.
        size: how many of them a part holds.

    Raises:
        MemoryError: or torch's error, if even one of them is too large.
    """
    start = 0
    while start < n:
        part = slice(start, min(start + size, n))
        try:
            found = compute(part)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or part.stop == start + 1:
                raise
        else:
            yield found
            start = part.stop
            continue
        # Out here nothing holds on to what the failed attempt had allocated.
        tried = part.stop - start
        size = (tried + 1) // 2
        logger.warning("memory ran out with %d at a time; going on with %d", tried, size)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
