"""The networks of several files written as one, a few of them in memory at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from weightspace import inr_layout as layout
from weightspace.dataset.statistics import Moments
from weightspace.store import Header, InrEntries, broken, read_networks
from weightspace.store_writer import InrWriter, writing

__all__ = ["QUANTILES", "merge", "psnr_quantiles", "split_statistics"]

Columns = dict[str, np.ndarray]

# Of the PSNR in the file's statistics and in the report.
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def merge(
    path: Path | str,
    header: Header,
    shards: Mapping[str, InrEntries],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Columns, Columns]:
    """Write the networks and failures of files to one, each sorted by (object_id, view).

    Args:
        path: the file to write.
        header: of it.
        shards: by their paths.
        progress: called with the bytes of the networks that are written and in all.

    Returns:
        The columns of the networks and of the failures.

    Raises:
        StoreError: if a shard is damaged or the file cannot be written.
    """
    columns, number, row = _joined([shard.columns for shard in shards.values()])
    failures, *_ = _joined([shard.failures for shard in shards.values()])
    networks = _Networks(list(shards), list(shards.values()), number, row)
    shapes = layout.network_arrays(header)
    # Their means and deviations are not known before the networks were read: overwritten below.
    statistics = {
        split: split_statistics(columns["psnr"][columns["split"] == split], zeros, zeros)
        for zeros in [[0.0] * len(shapes)]
        for split in np.unique(columns["split"]).tolist()
    }
    groups = {"columns": columns, "failures": failures}
    groups |= {f"statistics/{split}": values for split, values in statistics.items()}
    small = {f"{group}/{name}": x for group, xs in groups.items() for name, x in xs.items()}
    sizes = {name: 4 * len(row) * int(np.prod(shape)) for name, shape in shapes.items()}
    done, total = 0, sum(sizes.values())
    with writing(path, header, len(row)) as writer:
        for name in sorted([*small, *shapes]):
            if name in small:
                writer.array(name, layout.stored(small[name]))
            else:
                after = _counting(progress, done, sizes[name] // max(1, len(row)), total)
                moments = networks.copy(writer, name, shapes[name], after)
                done += sizes[name]
                group, l = name.split("/")
                place = int(l) + (group == "biases") * len(shapes) // 2
                for split, values in statistics.items():
                    of_split = columns["split"] == split
                    values["mean"][place], values["std"][place] = moments.of(of_split)
        for split, values in statistics.items():
            for key in ("mean", "std"):
                writer.array(f"statistics/{split}/{key}", values[key])
    return columns, failures


def split_statistics(
    psnr: np.ndarray, mean: Sequence[float], std: Sequence[float]
) -> dict[str, np.ndarray]:
    """The statistics of a split as a file holds them."""
    return {
        "count": np.array(len(psnr), np.int64),
        "psnr_quantiles": psnr_quantiles(psnr),
        "mean": np.array(mean),
        "std": np.array(std),
    }


def psnr_quantiles(psnr: np.ndarray) -> np.ndarray:
    """The `QUANTILES` of a PSNR, in float64."""
    return np.quantile(psnr.astype(np.float64), QUANTILES)


def _joined(
    parts: Sequence[Mapping[str, np.ndarray]],
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """All entries sorted by (object_id, view); the number of the part of each, and its row."""
    lengths = [len(part["view"]) for part in parts]
    number = np.repeat(np.arange(len(parts)), lengths)
    row = np.concatenate([np.arange(length) for length in lengths])
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((joined["view"], joined["object_id"]))
    return {name: x[order] for name, x in joined.items()}, number[order], row[order]


def _counting(
    progress: Callable[[int, int], None] | None, before: int, each: int, total: int
) -> Callable[[int], None]:
    """Report so many networks of an array as bytes, on top of the arrays `before` it."""
    if progress is None:
        return lambda networks: None
    return lambda networks: progress(before + each * networks, total)


@dataclass(frozen=True)
class _Networks:
    """Where each network of the new file lies."""

    paths: list[str]
    entries: list[InrEntries]  # of each path
    number: np.ndarray  # (n,), of its path
    row: np.ndarray  # (n,), in that file

    def copy(
        self, writer: InrWriter, name: str, shape: tuple[int, ...], after: Callable[[int], None]
    ) -> Moments:
        """Write an array; give the moments of its entries, which are known to be finite.

        `after` is called with the number of networks that are done.
        """
        moments = Moments(len(self.row), int(np.prod(shape)))

        def visit(start: int, x: np.ndarray) -> None:
            moments.add(start, torch.from_numpy(x))
            after(start + len(x))

        writer.networks(name, shape, partial(self._read, name), visit)
        if not (finite := np.isfinite(moments.sums)).all():
            first = int((~finite).argmax())
            raise broken(
                self.paths[self.number[first]],
                f"{name} of network {self.row[first]} holds NaN or infinity; such a network "
                f"must be recorded in failures",
            )
        return moments

    def _read(self, name: str, start: int, into: np.ndarray) -> None:
        """Some entries of an array, in the order of the new file."""
        number, row = (x[start : start + len(into)] for x in (self.number, self.row))
        for i in np.unique(number).tolist():
            at = np.flatnonzero(number == i)
            read_networks(self.paths[i], self.entries[i], row[at], {name: into}, at)
