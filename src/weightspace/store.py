"""The HDF5 file of fitted INRs: write, read, check. `docs/format.md` is its specification."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from weightspace import inr_layout as layout
from weightspace.atomic import replacing
from weightspace.inr_set import COLUMNS, STATISTICS, Header, InrSet, empty_columns
from weightspace.weights import Weights

__all__ = [
    "Header",
    "InrSet",
    "StoreError",
    "empty_columns",
    "read_columns",
    "read_header",
    "read_inrs",
    "write_inrs",
]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK_BYTES = 2**20
# Fixed, so that the bytes do not follow the library's newest layout; any HDF5 >= 1.10 reads it.
_LIBVER = ("v110", "v110")


class StoreError(ValueError):
    """A file of INRs that cannot be read or written; the message names it and what to do."""


def write_inrs(path: Path | str, inrs: InrSet) -> None:
    """Write a file of INRs; it appears whole or not at all, and equal content gives equal bytes.

    The file is built in memory and then written with plain system calls, since HDF5 itself
    can crash the interpreter on a full disk.

    Args:
        path: the file; an existing one is replaced.
        inrs: what to write.

    Raises:
        StoreError: if the file cannot be written; nothing is left behind.
    """
    image = BytesIO()
    with h5py.File(image, "w", libver=_LIBVER) as file:
        attributes = layout.attributes(inrs.header)
        for name, value in attributes.items():
            file.attrs[name] = _hdf5(value)
        digests = {name: _write_array(file, name, x) for name, x in layout.arrays(inrs).items()}
        file.attrs["digest"] = _hdf5(layout.file_digest(attributes, digests))
    content = image.getbuffer()
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise StoreError(
            f"{path} could not be written ({error.strerror}): it needs {len(content)} bytes in a "
            f"folder with room and write permission; nothing was left behind, so run again"
        ) from error


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
        header = _read_header(file)
        columns = _read_columns(file, "columns")
        index = None if rows is None else _index(rows, len(columns["object_id"]))
        weights, biases = (
            tuple(
                torch.from_numpy(_read_array(file, f"{group}/{l}", index))
                for l in range(len(header.layer_layout) - 1)
            )
            for group in ("weights", "biases")
        )
        failures = _read_columns(file, "failures")
        statistics = {
            split: {key: _read_array(file, f"statistics/{split}/{key}") for key in STATISTICS}
            for split in _splits(file)
        }
    if index is not None:
        columns = {name: x[index] for name, x in columns.items()}
    try:
        return InrSet(header, Weights(weights, biases), columns, failures, statistics or None)
    except ValueError as error:
        raise StoreError(f"{path} breaks the format: {error}; delete it and run again") from error


def read_header(path: Path | str) -> Header:
    """Read what all networks of a file share, without its arrays.

    Raises:
        StoreError: as `read_inrs`.
    """
    with _opened(path) as file:
        return _read_header(file)


def read_columns(path: Path | str) -> dict[str, np.ndarray]:
    """Read the columns of a file, without its networks.

    Raises:
        StoreError: as `read_inrs`.
    """
    with _opened(path) as file:
        _read_header(file)
        return _read_columns(file, "columns")


def _hdf5(value: Any) -> np.ndarray:
    """A plain value, list of values or array as HDF5 takes it.

    Text has a fixed length: damage to the heap of variable-length text can hang HDF5.
    """
    x = layout.encode_text(np.asarray(value))
    return x.astype(h5py.string_dtype("utf-8", x.dtype.itemsize)) if x.dtype.kind == "S" else x


def _write_array(file: h5py.File, name: str, x: np.ndarray) -> str:
    chunking: dict[str, Any] = {}
    if name.startswith(("weights/", "biases/")) and len(x):
        n_chunks = -(-x.nbytes // _CHUNK_BYTES)
        chunking = {"chunks": (-(-len(x) // n_chunks), *x.shape[1:]), "fletcher32": True}
    dataset = file.create_dataset(name, data=_hdf5(x), track_times=False, **chunking)
    digest = layout.array_digest(name, x)
    dataset.attrs["digest"] = _hdf5(digest)
    return digest


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
        raise StoreError(
            f"{path} is not an HDF5 file; expected a file of INRs: delete it and run again"
        )
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except StoreError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise StoreError(_damaged(path, str(error))) from error


def _damaged(path: Path | str, reason: str) -> str:
    return f"{path} is truncated or damaged ({reason}): delete it and run again"


def _read_header(file: h5py.File) -> Header:
    """Check format, version and completeness, and that header and array digests match."""
    _check_version(file)
    _check_names(file, "attribute", set(file.attrs), {*layout.ATTRIBUTES, "digest"})
    attributes = {name: _plain(file.attrs[name]) for name in layout.ATTRIBUTES}
    names = layout.array_names(len(attributes["layer_layout"]) - 1, _splits(file))
    _check_names(file, "array", _array_names(file), set(names))
    digests = {name: _plain(file[name].attrs["digest"]) for name in names}
    if _plain(file.attrs["digest"]) != layout.file_digest(attributes, digests):
        raise StoreError(_damaged(file.filename, "the digest of the file does not match"))
    return layout.header(attributes)


def _check_version(file: h5py.File) -> None:
    if "format" not in file.attrs:
        raise StoreError(
            f"{file.filename} does not say its format; expected {layout.FORMAT!r}: it is damaged "
            f"or was not written by weightspace, delete it and run again"
        )
    if (found := _plain(file.attrs["format"])) != layout.FORMAT:
        raise StoreError(
            f"{file.filename} has format {found!r}; expected {layout.FORMAT!r}: "
            f"give a file written by weightspace"
        )
    version = _plain(file.attrs["version"])
    if version > layout.VERSION:
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


def _array_names(file: h5py.File) -> set[str]:
    found: set[str] = set()
    file.visititems(lambda name, x: found.add(name) if isinstance(x, h5py.Dataset) else None)
    return found


def _splits(file: h5py.File) -> list[str]:
    """The splits with statistics."""
    group = file.get("statistics")
    return list(group) if isinstance(group, h5py.Group) else []


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise StoreError(_damaged(file.filename, f"{name} is not an array"))
    return found


def _plain(value: Any) -> Any:
    """The inverse of `_hdf5` for attributes."""
    return layout.decode_text(np.asarray(value)).tolist()


def _read_columns(file: h5py.File, group: str) -> dict[str, np.ndarray]:
    return {name: layout.decode_text(_read_array(file, f"{group}/{name}")) for name in COLUMNS}


def _index(rows: slice | np.ndarray, n: int) -> np.ndarray:
    index = np.arange(n)[rows]
    if len(np.unique(index)) < len(index):
        raise IndexError(f"rows name a network twice: {len(index)} rows of {n}; name each once")
    return index


def _read_array(file: h5py.File, name: str, index: np.ndarray | None = None) -> np.ndarray:
    """Read a whole array and check its digest, or read some rows chunk by chunk."""
    dataset = _dataset(file, name)
    if index is None:
        x = np.asarray(dataset[()])
        if _plain(dataset.attrs["digest"]) != layout.array_digest(name, x):
            reason = f"the digest of {name} does not match"
            raise StoreError(_damaged(file.filename, reason))
        return x
    x = np.empty((len(index), *dataset.shape[1:]), dataset.dtype)
    height = dataset.chunks[0] if dataset.chunks else len(dataset)
    for chunk in np.unique(index // height):
        inside = index // height == chunk
        start = int(chunk) * height
        x[inside] = dataset[start : start + height][index[inside] - start]
    return x
