"""The IDX file format of MNIST and its relatives."""

import math
from pathlib import Path

import numpy as np

__all__ = ["IdxError", "read_idx"]

_UNSIGNED_BYTE = 0x08
_MOST_AXES = 4
_MOST_NUMBERS = 2**62  # that numpy can count, also where one axis is empty


class IdxError(ValueError):
    """A file that is not a whole IDX file of unsigned bytes."""


def read_idx(path: Path | str) -> np.ndarray:
    """Read a decompressed IDX file of unsigned bytes.

    The header is two zero bytes, the number type (8: unsigned byte), the number of axes, and
    the length of each axis as a big-endian 32-bit integer; the numbers follow in C order.

    Args:
        path: the file.

    Returns:
        The numbers, uint8, one axis per axis of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        IdxError: if the header is wrong, or the content is shorter or longer than it says.

    Reference: LeCun et al. 1998, The MNIST database of handwritten digits, file formats.
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        raise IdxError(f"{path} is still compressed with gzip; unpack it first")
    starts = [bytes([0, 0, _UNSIGNED_BYTE, axes]) for axes in range(1, _MOST_AXES + 1)]
    if content[:4] not in starts:
        raise IdxError(
            f"{path} begins with {content[:4].hex(' ') or 'nothing'}; an IDX file of unsigned "
            f"bytes begins with 00 00 08 and its number of axes, 1 to {_MOST_AXES}"
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise IdxError(f"{path} ends within its header ({len(content)} of {start} bytes)")
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], dtype=">u4"))
    countable = math.prod(filter(None, shape)) <= _MOST_NUMBERS
    if len(content) - start != math.prod(shape) or not countable:
        raise IdxError(
            f"{path} holds {len(content) - start} numbers; its header says {shape}, "
            f"that is {math.prod(shape)}: the file is truncated or damaged, fetch it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()
