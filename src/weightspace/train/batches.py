"""The order in which training visits its examples."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from weightspace.dataset.examples import Dataset
from weightspace.dataset.stored_weights import StoredWeights
from weightspace.train.streaming import streamed

__all__ = ["batches", "examples"]


def examples(
    dataset: Dataset, *, batch_size: int, generator: torch.Generator, skip: int = 0
) -> Iterator[tuple[Tensor, Any]]:
    """Yield the examples of a dataset without end, in the order of `batches`.

    Networks that stay in their file come in the order of `streamed`.

    Args:
        dataset: the examples.
        batch_size: how many to yield at a time.
        generator: the source of the order, on the CPU.
        skip: how many batches to leave out at the start, without reading them.

    Yields:
        The indices `(batch_size,)` in the dataset, and the inputs at them.

    Raises:
        StoreError: if the file of the networks is damaged.
    """
    if isinstance(dataset.inputs, StoredWeights):
        yield from streamed(dataset.inputs, batch_size=batch_size, generator=generator, skip=skip)
    order = batches(len(dataset), batch_size=batch_size, generator=generator, device=dataset.device)
    for index in islice(order, skip, None):
        yield index, dataset.inputs[index]


def batches(
    n: int, *, batch_size: int, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Yield index batches without end: shuffled epochs laid end to end, cut into equal pieces.

    Every batch has `batch_size` indices, so an update costs the same whatever `n` is. A batch
    across the seam of two epochs, or one larger than `n`, may hold an example twice.

    Args:
        n: the number of examples.
        batch_size: how many indices to yield at a time.
        generator: the source of the order, on the CPU.
        device: where the indices are used.

    Yields:
        int64 indices in [0, n), `(batch_size,)`.
    """
    waiting = torch.empty(0, dtype=torch.int64, device=device)
    while True:
        while len(waiting) < batch_size:
            epoch = torch.randperm(n, generator=generator).to(device)
            waiting = torch.cat([waiting, epoch])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]
