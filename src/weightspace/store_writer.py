"""Writing the HDF5 file of fitted INRs, from memory or piece by piece."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from weightspace import inr_layout as layout
from weightspace.atomic import replacing
from weightspace.chunks import add_checksum
from weightspace.inr_set import Header, InrSet

__all__ = ["InrWriter", "StoreError", "hdf5_value", "write_inrs", "writing"]

_CHUNK_BYTES = 2**20  # of a chunk of the largest array
_PIECE_BYTES = 2**23  # asked for at a time
# Fixed, so that the bytes do not follow the library's newest layout; any HDF5 >= 1.10 reads it.
_LIBVER = ("v110", "v110")


class StoreError(ValueError):
    """A file of INRs that cannot be read or written; the message names it and what to do."""


def write_inrs(path: Path | str, inrs: InrSet) -> None:
    """Write a file of INRs; it appears whole or not at all, and equal content gives equal bytes.

    Args:
        path: the file; an existing one is replaced.
        inrs: what to write.

    Raises:
        StoreError: if the file cannot be written; nothing is left behind.
    """
    arrays = layout.arrays(inrs)
    with writing(path, inrs.header, len(inrs.weights)) as writer:
        for name, x in arrays.items():
            if name.startswith(("weights/", "biases/")):
                writer.networks(name, x.shape[1:], partial(_copy_rows, x))
            else:
                writer.array(name, x)


def _copy_rows(x: np.ndarray, start: int, into: np.ndarray) -> None:
    into[...] = x[start : start + len(into)]


@contextmanager
def writing(path: Path | str, header: Header, n: int) -> Iterator["InrWriter"]:
    """Write a file of `n` networks piece by piece; it appears when the block ends well.

    All arrays of the format must be written, in the order of their names: equal content then
    gives equal bytes, wherever it came from.

    Raises:
        StoreError: if the file cannot be written; nothing is left behind.
    """
    sink = None
    try:
        with replacing(path) as temporary, _Sink(temporary) as sink:
            with h5py.File(sink, "w", libver=_LIBVER) as file, ThreadPoolExecutor(3) as pool:
                writer = InrWriter(file, sink, pool, header, n)
                yield writer
                writer.finish()
            sink.check()
    except OSError as error:
        written = 0 if sink is None else sink.written
        raise StoreError(
            f"{path} could not be written ({error.strerror}): it needs more than {written} bytes "
            f"in a folder with room and write permission; nothing was left behind, so run again"
        ) from error


class _Sink(FileIO):
    """A new file for HDF5, which never hears of a failed write: it can crash at one.

    Attributes:
        written: how many bytes were.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.written = 0
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of it, or remember why not."""
        view = memoryview(data).cast("B")
        n = len(view)
        try:
            while len(view) and self._error is None:
                done = super().write(view) or 0
                self.written, view = self.written + done, view[done:]
        except OSError as error:
            self._error = error
        return n

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or remember why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def check(self) -> None:
        """Raise the first error there was."""
        if self._error is not None:
            raise self._error


class InrWriter:
    """The arrays of one file, see `writing`."""

    def __init__(
        self, file: h5py.File, sink: _Sink, pool: ThreadPoolExecutor, header: Header, n: int
    ) -> None:
        self._file, self._sink, self._pool, self._n = file, sink, pool, n
        self._attributes = layout.attributes(header)
        self._datasets: dict[str, h5py.Dataset] = {}
        self._digests: dict[str, str] = {}
        largest = max(4 * n * a * b for a, b in pairwise(header.layer_layout))
        # The same networks in each chunk of all arrays, so that a part is read with no other.
        self.chunk_height = -(-n // max(1, -(-largest // _CHUNK_BYTES)))
        for name, value in self._attributes.items():
            file.attrs[name] = hdf5_value(value)

    def array(self, name: str, x: np.ndarray) -> None:
        """Write an array that is not of the networks; again with other numbers of its type."""
        if name in self._datasets:
            self._datasets[name][...] = x
        else:
            data = hdf5_value(x)
            self._datasets[name] = self._file.create_dataset(name, data=data, track_times=False)
        self._done(name, layout.array_digest(name, x))

    def networks(
        self,
        name: str,
        shape: tuple[int, ...],
        read: Callable[[int, np.ndarray], None],
        visit: Callable[[int, np.ndarray], None] | None = None,
    ) -> None:
        """Write weights or biases.

        Args:
            name: of the array.
            shape: of one entry.
            read: called with the number of a network and a float32 array to set to the entries
                from it on; from the front to the back, while others are written.
            visit: called with the same number and the array once it is set, in the same order.
        """
        dtype, whole = np.dtype("<f4"), (self._n, *shape)
        chunks = {"chunks": (self.chunk_height, *shape), "fletcher32": True} if self._n else {}
        dataset = self._file.create_dataset(name, whole, dtype, track_times=False, **chunks)
        self._datasets[name] = dataset
        hasher = layout.array_hasher(name, dtype, whole)

        chunk = np.empty(4 * self.chunk_height * int(np.prod(shape)) + 4, np.uint8)
        step = max(1, self.chunk_height * max(1, _PIECE_BYTES // max(1, len(chunk))))
        # One is read, one written, one digested.
        pieces = [np.empty((min(step, self._n), *shape), dtype) for _ in range(3)]

        def get(start: int) -> np.ndarray:
            x = pieces[start // step % 3][: max(0, self._n - start)]
            read(start, x)
            return x

        coming, busy = self._pool.submit(get, 0), []
        for start in range(0, self._n, step):
            x = coming.result()
            coming = self._pool.submit(get, start + step)
            self._write_chunks(dataset, start, x, chunk)
            _wait_for(busy)
            busy = [self._pool.submit(hasher.update, x.data)]
            busy += [self._pool.submit(visit, start, x)] if visit is not None else []
        _wait_for(busy)
        self._done(name, hasher.hexdigest())

    def _write_chunks(
        self, dataset: h5py.Dataset, start: int, x: np.ndarray, chunk: np.ndarray
    ) -> None:
        """Write whole chunks, from an entry on with which one begins; `chunk` is used for each."""
        height = self.chunk_height
        for a in range(0, len(x), height):
            place = (start + a, *[0] * (x.ndim - 1))
            dataset.id.write_direct_chunk(place, add_checksum(x[a : a + height], chunk))
            self._sink.check()

    def finish(self) -> None:
        """Write the digest of the file."""
        digest = layout.file_digest(self._attributes, self._digests)
        self._file.attrs["digest"] = hdf5_value(digest)

    def _done(self, name: str, digest: str) -> None:
        attributes = self._datasets[name].attrs
        if name in self._digests:
            attributes.modify("digest", hdf5_value(digest))
        else:
            attributes["digest"] = hdf5_value(digest)
        self._digests[name] = digest
        self._sink.check()


def _wait_for(tasks: Iterable[Future]) -> None:
    for task in tasks:
        task.result()


def hdf5_value(value: Any) -> np.ndarray:
    """A plain value, list of values or array as HDF5 takes it.

    Text has a fixed length: damage to the heap of variable-length text can hang HDF5.
    """
    x = layout.encode_text(np.asarray(value))
    return x.astype(h5py.string_dtype("utf-8", x.dtype.itemsize)) if x.dtype.kind == "S" else x
