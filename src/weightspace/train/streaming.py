"""Batches of networks that stay in their file, read while the model trains on earlier ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from weightspace.dataset.stored_weights import StoredWeights
from weightspace.weights import Weights, cat

__all__ = ["streamed"]


def streamed(
    networks: StoredWeights, *, batch_size: int, generator: torch.Generator, skip: int = 0
) -> Iterator[tuple[Tensor, Weights]]:
    """Yield batches of networks without end, each network once in every epoch.

    The networks of a chunk of the file form a group. Every epoch shuffles the groups anew and
    cuts their sequence into windows of as many as fit into a quarter of the allowed memory, at
    least one; the networks of a window are shuffled, and the windows laid end to end, over the
    seams of the epochs too, are cut into batches. So a batch mixes the groups of one window, or
    of two; networks of one group, as the views of an object, come in the same window. While one
    window is used the next is read by another thread, so that two are in memory. What comes when
    is decided by the generator, the allowed memory and the chunks of the file alone.

    Args:
        networks: of a file.
        batch_size: how many to yield at a time.
        generator: the source of the order, on the CPU.
        skip: how many batches to leave out at the start, without reading them.

    Yields:
        The indices `(batch_size,)` in `networks`, and these, on their device.

    Raises:
        StoreError: if the file is damaged; when the training has come to that place.
    """
    parts: list[tuple[Tensor, Weights]] = []
    missing = batch_size
    for index, window, order in _windows(networks, generator, skip * batch_size):
        while len(order):
            chosen, order = order[:missing], order[missing:]
            parts.append((index[chosen], window[chosen]))
            missing -= len(chosen)
            if not missing:
                yield torch.cat([i for i, _ in parts]), cat([w for _, w in parts])
                parts, missing = [], batch_size


def _windows(
    networks: StoredWeights, generator: torch.Generator, skip: int
) -> Iterator[tuple[Tensor, Weights, Tensor]]:
    """Yield the indices of a window, its networks and their order, one window ahead.

    The first `skip` networks are missing in the orders; windows of these alone are not read.
    """
    device = networks.device

    def read(index: Tensor, order: Tensor) -> tuple[Tensor, Weights, Tensor]:
        return index.to(device), networks[index], order.to(device)

    with ThreadPoolExecutor(1) as pool:
        coming = None
        for index in _indices(networks, generator):
            order = torch.randperm(len(index), generator=generator)
            skip, order = max(0, skip - len(order)), order[skip:]
            if not len(order):
                continue
            following = pool.submit(read, index, order)
            if coming is not None:
                yield coming.result()
            coming = following


def _indices(networks: StoredWeights, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the indices of each window, in the order of the file within a group."""
    group = networks.rows // networks.entries.chunk_height
    by_group = np.argsort(group, kind="stable")
    groups = np.split(by_group, np.flatnonzero(np.diff(group[by_group])) + 1)
    most = networks.memory // 4 // networks.network_bytes
    while True:
        window: list[np.ndarray] = []
        size = 0
        for i in torch.randperm(len(groups), generator=generator).tolist():
            if window and size + len(groups[i]) > most:
                yield torch.from_numpy(np.concatenate(window))
                window, size = [], 0
            window.append(groups[i])
            size += len(groups[i])
        yield torch.from_numpy(np.concatenate(window))
