"""Chunks of arrays as they lie in an HDF5 file: their bytes, then a Fletcher-32 checksum.

HDF5 reads and writes them itself, but copies each several times, and one at a time in a process.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
from numba import njit

__all__ = ["Chunks", "add_checksum", "by_chunk", "find_chunks", "read_rows"]

_LANES, _ROWS = 64, 256  # of words; with more rows their weighted sum does not fit into 32 bits


@dataclass(frozen=True)
class Chunks:
    """Where the chunks of one float32 array lie in its file.

    `height` is the number of entries of each; the last one is filled up. `offsets` are in
    bytes from the start of the file, `(chunks,)`.
    """

    shape: tuple[int, ...]
    height: int
    offsets: np.ndarray


def find_chunks(dataset: Any) -> Chunks | None:
    """Where the chunks of an HDF5 array lie; None if they hold anything but it and a checksum."""
    found: list[tuple[int, int, int, int]] = []
    if not dataset.chunks or dataset.chunks[1:] != dataset.shape[1:]:
        return None
    if not dataset.fletcher32 or dataset.id.get_create_plist().get_nfilters() != 1:
        return None
    dataset.id.chunk_iter(
        lambda x: found.append((x.chunk_offset[0], x.filter_mask, x.size, x.byte_offset))
    )
    starts, masks, sizes, offsets = np.array(sorted(found), np.int64).reshape(-1, 4).T
    height = dataset.chunks[0]
    if masks.any() or not np.array_equal(starts, np.arange(0, len(dataset), height)):
        return None
    if (sizes != 4 * np.prod(dataset.chunks) + 4).any():  # of a last chunk that is not filled up
        return None
    return Chunks(dataset.shape[1:], height, offsets)


def read_rows(
    path: Path | str, arrays: dict[str, Chunks], rows: np.ndarray, into: Any, at: np.ndarray
) -> None:
    """Set into[name][at] to the entries `rows` of each array; every chunk is read once.

    Raises:
        OSError: if the file cannot be opened, a chunk is cut off or its checksum differs.
    """
    with Path(path).open("rb", buffering=0) as file:
        for name, out in into.items():
            chunks = arrays[name]
            spare = np.empty((chunks.height, *chunks.shape), np.float32)
            for part, places in by_chunk(rows, at, chunks.height):
                number = int(part[0]) // chunks.height
                inside, first = part - number * chunks.height, int(places[0])
                in_place = _is_run(inside) and _is_run(places)
                if in_place and len(part) == chunks.height:
                    _read(file.fileno(), name, chunks, number, out[first : first + len(part)])
                    continue
                _read(file.fileno(), name, chunks, number, spare)
                if in_place:  # much faster than by index
                    start = int(inside[0])
                    out[first : first + len(part)] = spare[start : start + len(part)]
                else:
                    out[places] = spare[inside]


def by_chunk(
    rows: np.ndarray, at: np.ndarray, height: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of each chunk of `height` rows, in ascending order, and their places."""
    order = np.argsort(rows, kind="stable")
    rows, at = rows[order], at[order]
    cuts = np.flatnonzero(np.diff(rows // height)) + 1
    for part, places in zip(np.split(rows, cuts), np.split(at, cuts), strict=True):
        if len(part):
            yield part, places


def _is_run(x: np.ndarray) -> bool:
    return bool(x[-1] - x[0] == len(x) - 1 and (np.diff(x) == 1).all())


def _read(descriptor: int, name: str, chunks: Chunks, number: int, x: np.ndarray) -> None:
    """Set `x` to all of a chunk."""
    checksum = np.empty(1, "<u4")
    buffers = [x.reshape(-1).view(np.uint8).data, checksum.view(np.uint8).data]
    if os.preadv(descriptor, buffers, int(chunks.offsets[number])) < x.nbytes + 4:
        raise OSError(f"chunk {number} of {name} is cut off")
    if _fletcher32(x.reshape(-1).view(np.uint16)) != checksum[0]:
        raise OSError(f"the checksum of chunk {number} of {name} does not match")


def add_checksum(x: np.ndarray, into: np.ndarray) -> np.ndarray:
    """The bytes of a chunk, whose first entries are `x` and the rest zero.

    Args:
        x: at most as many entries as a chunk has.
        into: uint8, as long as the chunk and 4 bytes more; what is returned.
    """
    into[: x.nbytes] = x.reshape(-1).view(np.uint8)
    into[x.nbytes : -4] = 0
    into[-4:].view("<u4")[0] = _fletcher32(into[:-4].view(np.uint16))
    return into


@njit(cache=True, nogil=True)
@no_type_check
def _fletcher32(words):
    """The checksum that HDF5 gives little-endian words, which it reads as big-endian ones.

    The first sum is of all words; in the second the i-th of n words from 0 counts n - i times.
    Words side by side are summed in lanes, a block at a time: with R rows of L lanes, a word
    counts L (R - row) - lane times. Swapping the bytes of a word multiplies it by 256 modulo
    65535, so that is done to the sums. A sum of 0 is written as 65535, but for words that are 0.
    """
    modulus = np.uint64(65535)
    first, second, start = np.uint64(0), np.uint64(0), 0
    plain, weighted = np.zeros(_LANES, np.uint32), np.zeros(_LANES, np.uint32)
    while start < len(words):
        n_rows = min(_ROWS, (len(words) - start) // _LANES)
        n = max(1, n_rows * _LANES)  # the last words come one by one
        block, weight = np.uint64(words[start]), np.uint64(words[start])
        if n_rows:
            plain[:], weighted[:] = 0, 0
            for row in range(n_rows):
                for lane in range(_LANES):
                    plain[lane] += words[start + row * _LANES + lane]
                    weighted[lane] += plain[lane]
            block, weight = np.uint64(0), np.uint64(0)
            for lane in range(_LANES):
                block += np.uint64(plain[lane])
                weight += np.uint64(_LANES) * weighted[lane] - np.uint64(lane) * plain[lane]
        second = (second + np.uint64(n) * (first % modulus) + weight) % modulus
        first += block
        start += n
    if first == 0:
        return np.uint32(0)
    low = first % modulus * np.uint64(256) % modulus
    high = second * np.uint64(256) % modulus
    low, high = low if low else modulus, high if high else modulus
    return np.uint32(high << np.uint64(16) | low)
