"""Networks that stay in their file and are read where they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from weightspace import inr_layout as layout
from weightspace.store import InrEntries, broken, read_networks
from weightspace.weights import Weights

__all__ = ["StoredWeights"]

_PART_BYTES = 2**24  # read at a time where all are gone through


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """What stands for `Weights` where these would not fit into the allowed memory.

    Indexing reads networks, and checks them by the checksums of their chunks: it is as fast as
    the disk for those that lie together in the file, and reads a chunk of up to 1 MiB for each of
    those that do not. A selection of one network in five reads all chunks of the file.

    Attributes:
        path: the file.
        entries: what it says of its networks.
        rows: which of them these are, `(n,)`.
        memory: how many bytes of networks may be held at a time in all.
        device: where they are put when they are read.
    """

    path: Path
    entries: InrEntries
    rows: np.ndarray
    memory: int
    device: torch.device = torch.device("cpu")  # noqa: RUF009

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def layer_layout(self) -> tuple[int, ...]:
        """The widths (d_0, ..., d_L)."""
        return self.entries.header.layer_layout

    @property
    def network_bytes(self) -> int:
        """What one network takes in memory."""
        shapes = layout.network_arrays(self.entries.header)
        return 4 * sum(int(np.prod(shape)) for shape in shapes.values())

    def __getitem__(self, index: Tensor | slice) -> Weights:
        """Read some networks.

        Raises:
            StoreError: if the file is damaged.
        """
        return self._read(self.rows[_plain(index)]).to(self.device)

    def select(self, index: Tensor | slice) -> "Weights | StoredWeights":
        """Choose networks; an eighth of the allowed memory or less is read at once."""
        chosen = replace(self, rows=self.rows[_plain(index)])
        small = len(chosen) * self.network_bytes <= self.memory // 8
        return chosen[:] if small else chosen

    def to(self, device: torch.device | str) -> "StoredWeights":
        """The same networks, to be put on another device."""
        return replace(self, device=torch.device(device))

    def parts(self) -> Iterator[Weights]:
        """Read all networks in their order, a few at a time."""
        size = max(1, _PART_BYTES // self.network_bytes)
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def _read(self, rows: np.ndarray) -> Weights:
        shapes = layout.network_arrays(self.entries.header)
        arrays = {name: np.empty((len(rows), *shape), "<f4") for name, shape in shapes.items()}
        read_networks(self.path, self.entries, rows, arrays, np.arange(len(rows)))
        for name, x in arrays.items():
            if not np.isfinite(x.sum(dtype=np.float64)):
                raise broken(self.path, f"{name} holds NaN or infinity")
        weights, biases = (
            tuple(torch.from_numpy(arrays[f"{group}/{l}"]) for l in range(len(shapes) // 2))
            for group in ("weights", "biases")
        )
        return Weights(weights, biases)


def _plain(index: Tensor | slice) -> np.ndarray | slice:
    return index if isinstance(index, slice) else index.cpu().numpy()
