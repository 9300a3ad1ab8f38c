"""Is a file whole? Checks of decompressed content against its published digest."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ChecksumError", "DataFile", "is_whole", "verify"]


class ChecksumError(ValueError):
    """A file whose content is not what its publisher states."""


@dataclass(frozen=True)
class DataFile:
    """A file of a dataset after decompression.

    Attributes:
        name: its name.
        md5: its MD5 digest; None for a file that its publisher changes from time to time.
        size: in bytes; the most that there may be, where there is no digest.
        check: looks at the content where there is no digest; raises `ValueError` if it is not
            what it should be.
    """

    name: str
    md5: str | None
    size: int
    check: Callable[[Path], None] | None = None


def is_whole(path: Path, file: DataFile) -> bool:
    """Whether `path` exists and is what `file` states."""
    return path.is_file() and _fault(path, file) is None


def verify(path: Path, file: DataFile, origin: str) -> None:
    """Refuse a file with another content than `file`.

    Args:
        path: where the content lies.
        file: what it must be.
        origin: where the content came from, for the message.

    Raises:
        ChecksumError: if the size or the digest differs, or its check fails.
    """
    if fault := _fault(path, file):
        raise ChecksumError(
            f"checksum mismatch of {file.name} from {origin}: {fault} (decompressed); remove the "
            "file if it is still there and fetch it again"
        )


def _fault(path: Path, file: DataFile) -> str | None:
    """How `path` differs from what `file` states; None if it does not."""
    size = path.stat().st_size
    if file.md5 is None and size > file.size:
        return f"expected at most {file.size} bytes, got {size} bytes"
    if file.md5 is None:
        return _complaint(path, file)
    if size != file.size:
        return f"expected {file.size} bytes, got {size} bytes"
    digest = _md5(path)
    return None if digest == file.md5 else f"expected md5 {file.md5}, got md5 {digest}"


def _complaint(path: Path, file: DataFile) -> str | None:
    """What is wrong with a file that has no digest."""
    try:
        if file.check:
            file.check(path)
    except ValueError as error:
        return str(error)
    return None


def _md5(path: Path) -> str:
    """The MD5 digest of a file; it tells damage and mix-ups, not forgery."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
