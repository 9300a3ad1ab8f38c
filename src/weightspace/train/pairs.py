"""Pairs of networks that represent one object, for contrastive training and for consistency."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from weightspace.dataset.examples import Dataset
from weightspace.train.batches import batches
from weightspace.train.draws import split
from weightspace.train.selection import require_in_memory

__all__ = ["PAIRS", "PairTable", "object_batches", "view_pairs"]

PAIRS = ("augmented", "views")
"""The kinds of pairs: one view twice, or two views; either way both are augmented afterwards."""


@dataclass(frozen=True)
class PairTable:
    """Which networks of a dataset can be paired: those of one object.

    Attributes:
        rows: the networks of each object, in the first `counts` columns, `(objects, views)`.
        counts: how many there are, `(objects,)`.
        pairs: the kind of pair to draw, one of `PAIRS`.
    """

    rows: Int64[Tensor, "objects views"]
    counts: Int64[Tensor, " objects"]
    pairs: str

    @classmethod
    def of(cls, dataset: Dataset, *, pairs: str) -> "PairTable":
        """Gather the objects of `dataset` that can make a pair of the kind `pairs`.

        Raises:
            ValueError: if the kind is unknown, there is no network, no object has the two
                views that the kind needs, or the networks are not in memory.
        """
        require_in_memory(dataset, "pairs are drawn")
        if not len(dataset):
            raise ValueError("the dataset to draw pairs from is empty; it needs a network")
        if pairs not in PAIRS:
            raise ValueError(f"pairs is {pairs!r}; it must be one of {', '.join(PAIRS)}")
        inverse, counts = dataset.object_ids.unique(return_inverse=True, return_counts=True)[1:]
        by_object = inverse.argsort(stable=True)
        place = torch.arange(len(dataset), device=counts.device)
        place = place - (counts.cumsum(0) - counts).repeat_interleave(counts)
        rows = counts.new_zeros(len(counts), int(counts.max()))
        rows[inverse[by_object], place] = by_object
        enough = counts >= (2 if pairs == "views" else 1)
        if not enough.any():
            raise ValueError("pairs of views need objects with two views; here each has only one")
        return cls(rows[enough], counts[enough], pairs)

    def __len__(self) -> int:
        return len(self.counts)

    def draw(
        self, objects: Int64[Tensor, " batch"], *, generator: torch.Generator
    ) -> tuple[Int64[Tensor, " batch"], Int64[Tensor, " batch"]]:
        """Draw a pair of networks for each of `objects`, all of its pairs being equally likely.

        Args:
            objects: rows of this table.
            generator: the source of the draws, on the device of this table.

        Returns:
            The two networks of each pair; the same one twice where the kind is "augmented".
        """
        counts = self.counts[objects]
        shape = (2, len(objects))
        first, step = torch.rand(shape, generator=generator, device=counts.device)
        one = (first * counts).long()
        other = one
        if self.pairs == "views":
            other = (one + 1 + (step * (counts - 1)).long()) % counts
        return self.rows[objects, one], self.rows[objects, other]


def object_batches(
    n: int, *, batch_size: int, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Iterator[Int64[Tensor, " batch"]]:
    """Yield batches of distinct objects without end, in shuffled epochs.

    An object twice in a batch would have to be told apart from itself. So, unlike `batches`, no
    batch crosses the seam of two epochs; the rest of each epoch, smaller than a batch, is left
    out, and the next is shuffled anew.

    Args:
        n: the number of objects.
        batch_size: how many to yield at a time.
        generator: the source of the order, on the CPU.
        device: where the indices are used.

    Yields:
        int64 indices in [0, n), `(batch_size,)`.

    Raises:
        ValueError: if there are fewer objects than a batch holds.
    """
    if not 2 <= batch_size <= n:
        raise ValueError(
            f"batch_size is {batch_size}; with {n} objects to pair it must be from 2 to {n}, "
            "because a batch holds no object twice"
        )
    while True:
        epoch = torch.randperm(n, generator=generator).to(device)
        yield from epoch[: n - n % batch_size].split(batch_size)


def view_pairs(
    dataset: Dataset, *, batch_size: int, generator: torch.Generator, skip: int = 0
) -> Iterator[tuple[Int64[Tensor, " batch"], Any]]:
    """Yield two views each of `batch_size // 2` objects, without end.

    The objects come in the order of `batches`, so that each epoch of theirs has every object
    once; the two views are drawn anew each time. An object with a single view is left out.

    Args:
        dataset: the networks.
        batch_size: how many networks to yield at a time, an even number.
        generator: the source of the order and the draws, on the CPU.
        skip: how many batches to leave out at the start.

    Yields:
        The indices `(batch_size,)` in the dataset, whose second half are the other views of the
        first, and the networks at them.

    Raises:
        ValueError: if no object has two views, or the networks are not in memory.
    """
    table, device = PairTable.of(dataset, pairs="views"), dataset.device
    (views,) = split(generator, [device])
    order = batches(len(table), batch_size=batch_size // 2, generator=generator, device=device)
    drawn = (torch.cat(table.draw(objects, generator=views)) for objects in order)
    for index in islice(drawn, skip, None):
        yield index, dataset.inputs[index]
