"""Is a file whole? Checks of decompressed content against its published digest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ChecksumError", "DataFile", "is_whole", "verify"]


class ChecksumError(ValueError):
    """A file whose content is not what its publisher states."""


@dataclass(frozen=True)
class DataFile:
    """A file of a dataset after decompression: its name, MD5 digest and size in bytes."""

    name: str
    md5: str
    size: int


def is_whole(path: Path, file: DataFile) -> bool:
    """Whether `path` exists with the size and the digest of `file`."""
    return path.is_file() and path.stat().st_size == file.size and _md5(path) == file.md5


def verify(path: Path, file: DataFile, origin: str) -> None:
    """Refuse a file with another content than `file`.

    Args:
        path: where the content lies.
        file: what it must be.
        origin: where the content came from, for the message.

    Raises:
        ChecksumError: if the size or the digest differs.
    """
    size = path.stat().st_size
    if size != file.size:
        expected, got = f"{file.size} bytes", f"{size} bytes"
    elif (digest := _md5(path)) != file.md5:
        expected, got = f"md5 {file.md5}", f"md5 {digest}"
    else:
        return
    raise ChecksumError(
        f"checksum mismatch of {file.name} from {origin}: expected {expected}, got {got} "
        f"(decompressed); remove the file if it is still there and fetch it again"
    )


def _md5(path: Path) -> str:
    """The MD5 digest of a file; it tells damage and mix-ups, not forgery."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
