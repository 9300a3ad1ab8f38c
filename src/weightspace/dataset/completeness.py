"""Whether a set of shards holds each fit that was asked for exactly once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from weightspace.store import InrEntries

__all__ = ["AssemblyError", "Expected", "check_entries"]


class AssemblyError(ValueError):
    """Shards that do not make one whole dataset; the message names the file and the entry."""


@dataclass(frozen=True)
class Expected:
    """The fits that were asked for: views 0 to views[split] - 1 of each object.

    Raises:
        AssemblyError: if the lengths differ, an object is there twice, or a split has no views.
    """

    object_ids: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    views: dict[str, int]

    def __post_init__(self) -> None:
        lengths = [len(self.object_ids), len(self.labels), len(self.splits)]
        if len(set(lengths)) > 1 or len(np.unique(self.object_ids)) < lengths[0]:
            raise AssemblyError(
                f"objects need one label and one split per different object_id; got "
                f"{lengths[0]} object_ids, {len(np.unique(self.object_ids))} of them different, "
                f"{lengths[1]} labels and {lengths[2]} splits"
            )
        if unknown := sorted(set(self.splits.tolist()) - set(self.views)):
            raise AssemblyError(
                f"objects have the split {unknown[0]!r}; views has only {sorted(self.views)}"
            )

    @property
    def n_views(self) -> np.ndarray:
        """The number of views of each object."""
        return np.array([self.views[split] for split in self.splits.tolist()], np.int64)


@dataclass(frozen=True)
class _Entries:
    """The fits and failures of all shards, one after the other."""

    paths: list[str]
    shard: np.ndarray  # (n,), an index into paths
    object_id: np.ndarray
    view: np.ndarray
    label: np.ndarray
    split: np.ndarray

    def name(self, row: int) -> str:
        return f"object {self.object_id[row]} view {self.view[row]}"

    def path(self, row: int) -> str:
        return self.paths[self.shard[row]]


def check_entries(shards: Mapping[str, InrEntries], expected: Expected) -> None:
    """Check that fits and failures together are the expected set, and agree with the objects.

    Args:
        shards: by the name of the file.
        expected: what was asked for.

    Raises:
        AssemblyError: at the first entry that was not asked for, disagrees with its object, is
            there twice or is missing.
    """
    entries = _entries(shards)
    order = np.argsort(expected.object_ids)
    place = np.searchsorted(expected.object_ids[order], entries.object_id)
    row = order[np.minimum(place, len(order) - 1)] if len(order) else place * 0
    _check_asked(entries, expected, row)
    for name in ("label", "split"):
        _check_agrees(entries, name, getattr(expected, f"{name}s")[row])
    _check_once(entries, row)
    _check_all(entries, expected, row)


def _entries(shards: Mapping[str, InrEntries]) -> _Entries:
    parts = [
        (number, part)
        for number, inrs in enumerate(shards.values())
        for part in (inrs.columns, inrs.failures)
    ]
    shard = np.concatenate([np.full(len(part["view"]), number) for number, part in parts])
    columns = {
        name: np.concatenate([part[name] for _, part in parts])
        for name in ("object_id", "view", "label", "split")
    }
    return _Entries(list(shards), shard, **columns)


def _check_asked(entries: _Entries, expected: Expected, row: np.ndarray) -> None:
    asked = np.zeros(len(row), dtype=bool)
    if len(expected.object_ids):
        asked = expected.object_ids[row] == entries.object_id
        asked &= entries.view < expected.n_views[row]
    if not asked.all():
        first = int((~asked).argmax())
        raise AssemblyError(
            f"{entries.path(first)} holds {entries.name(first)}, which is not among the objects "
            f"and views of this dataset: delete the file and run again"
        )


def _check_agrees(entries: _Entries, name: str, of_object: np.ndarray) -> None:
    found = getattr(entries, name)
    if (wrong := found != of_object).any():
        first = int(wrong.argmax())
        raise AssemblyError(
            f"{entries.path(first)} gives {entries.name(first)} the {name} "
            f"{found[first].item()!r}; the object has {of_object[first].item()!r}: "
            f"delete the file and run again"
        )


def _check_once(entries: _Entries, row: np.ndarray) -> None:
    order = np.lexsort((entries.view, row))
    again = (np.diff(row[order]) == 0) & (np.diff(entries.view[order]) == 0)
    if again.any():
        first, second = order[again.argmax() :][:2].tolist()
        raise AssemblyError(
            f"{entries.name(first)} is in {entries.path(first)} and again in "
            f"{entries.path(second)}: delete the one that is out of place and run again"
        )


def _check_all(entries: _Entries, expected: Expected, row: np.ndarray) -> None:
    """Find the missing entries; the present ones are known to be expected and different."""
    present = np.bincount(row, minlength=len(expected.object_ids))
    if (missing := expected.n_views - present).any():
        first = int((missing > 0).argmax())
        have = entries.view[row == first]
        view = np.setdiff1d(np.arange(expected.n_views[first]), have)[0]
        raise AssemblyError(
            f"{missing.sum()} of {expected.n_views.sum()} fits are in none of the "
            f"{len(entries.paths)} shards, the first one object {expected.object_ids[first]} "
            f"view {view}: give all shards, or run the missing ones"
        )
