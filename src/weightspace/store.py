"""The HDF5 file of fitted INRs: write, read, check. `docs/format.md` is its specification."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from weightspace import inr_layout as layout
from weightspace.chunks import by_chunk, find_chunks, read_rows
from weightspace.failures import raise_fault_of_machine
from weightspace.inr_set import (
    COLUMNS,
    STATISTICS,
    Header,
    InrEntries,
    InrSet,
    check_columns,
    empty_columns,
)
from weightspace.store_writer import StoreError, write_inrs
from weightspace.weights import Weights

__all__ = [
    "Header",
    "InrEntries",
    "InrSet",
    "StoreError",
    "broken",
    "empty_columns",
    "read_columns",
    "read_entries",
    "read_header",
    "read_inrs",
    "read_networks",
    "write_inrs",
]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FOREIGN = "give one written by weightspace; if a run made it, delete it and run again"


def read_inrs(path: Path | str, rows: slice | np.ndarray | None = None) -> InrSet:
    """Read a file of INRs and check that it is whole.

    Args:
        path: the file.
        rows: which networks to read, as an index of an array of all of them; None reads all. A
            part is read without the rest and checked by the checksums of its chunks.

    Returns:
        The networks, on the CPU, with their columns; failures and statistics are always all.

    Raises:
        StoreError: if there is no such file, it is no file of INRs, of a newer version,
            truncated, damaged or inconsistent.
        IndexError: if `rows` are not in the file or name a network twice.
    """
    with _opened(path) as file:
        arrays = _Arrays(file)
        header = arrays.header
        columns, failures = arrays.columns()
        index = None if rows is None else _index(rows, len(columns["object_id"]))
        weights, biases = (
            tuple(
                torch.from_numpy(arrays.read(f"{group}/{l}", index))
                for l in range(len(header.layer_layout) - 1)
            )
            for group in ("weights", "biases")
        )
        statistics = {s: arrays.group(f"statistics/{s}", STATISTICS) for s in _splits(file)}
    if index is not None:
        columns = {name: x[index] for name, x in columns.items()}
    try:
        return InrSet(header, Weights(weights, biases), columns, failures, statistics or None)
    except ValueError as error:
        raise broken(path, error) from error


def read_entries(path: Path | str) -> InrEntries:
    """Read and check all of a file but its networks, which `read_networks` then reads by part.

    Raises:
        StoreError: as `read_inrs`, but not of damage in the weights and biases.
    """
    with _opened(path) as file:
        arrays = _Arrays(file)
        header = arrays.header
        columns, failures = arrays.columns()
        networks = {name: arrays.datasets[name] for name in layout.network_arrays(header)}
        heights = [x.chunks[0] for x in networks.values() if x.chunks]
        chunks = {name: c for name, x in networks.items() if (c := find_chunks(x))}
    return InrEntries(header, columns, failures, chunks, min(heights, default=1))


def read_networks(
    path: Path | str,
    entries: InrEntries,
    rows: np.ndarray,
    into: Mapping[str, np.ndarray],
    at: np.ndarray,
) -> None:
    """Read some weights and biases into arrays, checked by the checksums of their chunks.

    Each chunk that one of them lies in is read once. That they are finite is for the caller to
    check.

    Args:
        path: the file.
        entries: of `read_entries`.
        rows: which networks, `(k,)`, in any order.
        into: for each name of an array, as "weights/0", where its entries go.
        at: the places there, `(k,)`.

    Raises:
        StoreError: as `read_inrs`.
    """
    if not entries.chunks.keys() >= into.keys():
        with _opened(path) as file:
            datasets = _Arrays(file).datasets
            for name, out in into.items():
                _read_rows(datasets[name], rows, out, at)
        return
    try:
        read_rows(path, entries.chunks, rows, into, at)
    except OSError as error:
        raise StoreError(_damaged(path, str(error))) from error


def broken(path: Path | str, error: object) -> StoreError:
    """The error of a file that holds what the format does not allow."""
    return StoreError(f"{path} breaks the format: {error}; delete it and run again")


def read_header(path: Path | str) -> Header:
    """Read what all networks of a file share, without its arrays.

    Raises:
        StoreError: as `read_inrs`.
    """
    with _opened(path) as file:
        return _Arrays(file).header


def read_columns(path: Path | str) -> dict[str, np.ndarray]:
    """Read the columns of a file, without its networks.

    Raises:
        StoreError: as `read_inrs`.
    """
    with _opened(path) as file:
        return _Arrays(file).columns()[0]


@contextmanager
def _opened(path: Path | str) -> Iterator[h5py.File]:
    """Open a file for reading and translate what HDF5 says of a damaged one."""
    try:
        with Path(path).open("rb") as raw:
            signature = raw.read(len(_SIGNATURE))
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror}); expected a file of INRs: "
            f"run the step that makes it"
        ) from error
    if signature != _SIGNATURE:
        raise StoreError(f"{path} is not an HDF5 file; expected a file of INRs: {_FOREIGN}")
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except StoreError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise_fault_of_machine(error, path, needs=Path(path).stat().st_size)
        raise StoreError(_damaged(path, str(error))) from error


def _damaged(path: Path | str, reason: str) -> str:
    return f"{path} is truncated or damaged ({reason}): delete it and run again"


class _Arrays:
    """What is in an open file; its format, version, completeness and header are checked."""

    def __init__(self, file: h5py.File) -> None:
        _check_version(file)
        _check_names(file, "attribute", set(file.attrs), {*layout.ATTRIBUTES, "digest"})
        attributes = {name: _plain(file.attrs[name]) for name in layout.ATTRIBUTES}
        names = layout.array_names(len(attributes["layer_layout"]) - 1, _splits(file))
        self._path, self.datasets = file.filename, _datasets(file)
        _check_names(file, "array", set(self.datasets), set(names))
        self._digests = {name: _digest(self.datasets[name]) for name in names}
        if _plain(file.attrs["digest"]) != layout.file_digest(attributes, self._digests):
            raise StoreError(_damaged(file.filename, "the digest of the file does not match"))
        self.header = layout.header(attributes)

    def group(self, group: str, names: Iterable[str]) -> dict[str, np.ndarray]:
        """The small arrays of a group."""
        return {name: layout.decode_text(self.read(f"{group}/{name}")) for name in names}

    def columns(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The checked columns and failures, if there are weights and biases for all of them."""
        columns, failures = (self.group(name, COLUMNS) for name in ("columns", "failures"))
        n = len(columns["object_id"])
        for name, shape in layout.network_arrays(self.header).items():
            x, wanted = self.datasets[name], (n, *shape)
            if (x.dtype, x.shape) != (np.dtype("<f4"), wanted):
                reason = f"{name} is {x.dtype} {x.shape}; it must be float32 {wanted}"
                raise broken(self._path, reason)
            if n and not x.fletcher32:  # a part of it could be read with no check at all
                raise broken(self._path, f"{name} has no Fletcher-32 checksums")
        try:
            check_columns(columns, failures, self.header.classes, n)
        except ValueError as error:
            raise broken(self._path, error) from error
        return columns, failures

    def read(self, name: str, index: np.ndarray | None = None) -> np.ndarray:
        """Read a whole array and check its digest, or read some rows chunk by chunk."""
        dataset = self.datasets[name]
        if index is not None:
            x = np.empty((len(index), *dataset.shape[1:]), dataset.dtype)
            _read_rows(dataset, index, x, np.arange(len(index)))
            return x
        x = np.asarray(dataset[()])
        if self._digests[name] != layout.array_digest(name, x):
            raise StoreError(_damaged(self._path, f"the digest of {name} does not match"))
        return x


def _check_version(file: h5py.File) -> None:
    if "format" not in file.attrs:
        raise StoreError(
            f"{file.filename} does not say its format; expected {layout.FORMAT!r}: {_FOREIGN}"
        )
    if (found := _plain(file.attrs["format"])) != layout.FORMAT:
        raise StoreError(
            f"{file.filename} has format {found!r}; expected {layout.FORMAT!r}: "
            f"give a file written by weightspace"
        )
    version = _plain(file.attrs["version"])
    if not isinstance(version, int) or version > layout.VERSION:
        raise StoreError(
            f"{file.filename} has version {version}, this weightspace reads up to "
            f"{layout.VERSION}: update weightspace"
        )


def _check_names(file: h5py.File, kind: str, found: set[str], expected: set[str]) -> None:
    if missing := expected - found:
        names = ", ".join(repr(name) for name in sorted(missing))
        raise StoreError(f"{file.filename} lacks the {kind} {names}: delete it and run again")
    if foreign := found - expected:
        raise StoreError(
            f"{file.filename} holds the {kind} {min(foreign)!r}, which version {layout.VERSION} "
            f"does not define: delete it and run again"
        )


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}
    file.visititems(lambda k, x: found.update({k: x}) if isinstance(x, h5py.Dataset) else None)
    return found


def _splits(file: h5py.File) -> list[str]:
    """The splits with statistics."""
    group = file.get("statistics")
    return list(group) if isinstance(group, h5py.Group) else []


def _digest(dataset: h5py.Dataset) -> str:
    attribute = h5py.h5a.open(dataset.id, b"digest")  # `attrs` takes ten times as long
    x = np.empty((), attribute.dtype)
    attribute.read(x)
    return _plain(x)


def _plain(value: Any) -> Any:
    """The inverse of `hdf5_value` for attributes."""
    return layout.decode_text(np.asarray(value)).tolist()


def _index(rows: slice | np.ndarray, n: int) -> np.ndarray:
    index = np.arange(n)[rows]
    if len(np.unique(index)) < len(index):
        raise IndexError(f"rows name a network twice: {len(index)} rows of {n}; name each once")
    return index


def _read_rows(dataset: h5py.Dataset, rows: np.ndarray, out: np.ndarray, at: np.ndarray) -> None:
    """Set out[at] to some rows of an array; each chunk is read once."""
    height = dataset.chunks[0] if dataset.chunks else max(1, len(dataset))
    for part, places in by_chunk(rows, at, height):
        first, last = int(part[0]), int(part[-1]) + 1
        out[places] = dataset[first:last][part - first]
