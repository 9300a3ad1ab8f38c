"""Safe unpacking: nothing leaves the target, nothing grows beyond the size that was stated."""

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Collection, Iterator
from io import BufferedIOBase
from pathlib import Path

from weightspace.failures import raise_fault_of_machine

__all__ = ["DAMAGE", "UnpackError", "gunzip", "pieces", "tar_members"]

_CHUNK = 1 << 20

DAMAGE = (EOFError, MemoryError, gzip.BadGzipFile, lzma.LZMAError, tarfile.TarError, zlib.error)
"""What Python raises where a compressed file or a tar file is damaged; one packed with xz may ask
for any amount of memory."""


class UnpackError(ValueError):
    """An archive that is damaged, or that does not hold what it should."""


def pieces(content: BufferedIOBase, size: int) -> Iterator[bytes]:
    """Read a stream out of an archive, piece by piece.

    Args:
        content: the stream.
        size: the most bytes that it may have; more is refused while it is read, so that an
            archive made to fill the disk cannot.

    Raises:
        UnpackError: if the archive is damaged, truncated or longer than `size`.
    """
    read = 0
    try:
        while chunk := content.read(_CHUNK):
            read += len(chunk)
            if read > size:
                raise UnpackError(f"the archive holds more than the {size} bytes expected")
            yield chunk
    except DAMAGE as error:
        raise_fault_of_machine(error, "an archive")
        raise UnpackError(f"the archive is damaged or truncated: {error}") from error


def gunzip(compressed: BufferedIOBase, target: Path, *, size: int) -> None:
    """Decompress a gzip stream into a file of at most `size` bytes.

    Raises:
        UnpackError: if the stream is damaged, truncated or longer than `size`.
    """
    with gzip.open(compressed) as content, target.open("wb") as out:
        out.writelines(pieces(content, size))


def tar_members(path: Path, names: Collection[str]) -> Iterator[tuple[str, BufferedIOBase]]:
    """Open the members of a tar file that are named, and no others.

    Members are only read; the caller chooses where the content goes, so no name or link in the
    archive can lead out of the target.

    Args:
        path: the tar file, compressed or not.
        names: the members wanted, as paths without a leading "./".

    Yields:
        The name and the content of each.

    Raises:
        UnpackError: if the file is damaged, or a wanted member is missing or no plain file.
    """
    found = set()
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name in names:
                    yield name, _content(archive, member)
                    found.add(name)
    except DAMAGE as error:
        raise_fault_of_machine(error, path)
        # Without what each compression says of it.
        reason = str(error).partition(":\n")[0] or type(error).__name__
        raise UnpackError(f"the tar archive is damaged or truncated: {reason}") from error
    if lacking := sorted(set(names) - found):
        raise UnpackError(f"the tar archive lacks {', '.join(lacking)}")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> BufferedIOBase:
    """The content of a plain file; links and devices are refused."""
    content = archive.extractfile(member) if member.isfile() else None
    if not isinstance(content, BufferedIOBase):
        raise UnpackError(f"{member.name} in the tar archive is not a plain file")
    return content
