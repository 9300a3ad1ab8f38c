"""The archive of the LDraw library that a download leaves: checked, or made from a package."""

import gzip
import tarfile
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from weightspace.data.checksums import DataFile
from weightspace.data.shapes.ldraw_library import LDrawError, archived_library
from weightspace.data.unpack import DAMAGE, UnpackError
from weightspace.failures import raise_fault_of_machine

__all__ = ["check_library", "unpack_library"]

_MANY = 10_000  # parts: the library has had more since 2012
_LARGEST = 4_000_000_000  # bytes of all files; 0.4e9 in 2022
_LICENCE = "calicense"  # how the names of the files with the licence begin
_LIBRARY = "usr/share/ldraw/"  # in the Debian package
_NOTES = "usr/share/doc/ldraw-parts/"


def check_library(path: Path) -> None:
    """Check the archive of a whole library, as far as one can that changes with every release.

    Every file in it must have the checksum that the archive states and a path within it; and
    there must be the primitives, the licence, and at least as many parts as there were in 2012.

    Raises:
        LDrawError: if that is no whole library.
        UnpackError: if the archive is damaged or unsafe.
    """
    library = archived_library(path)
    if not any(name.startswith(_LICENCE) for name in library.names):
        raise LDrawError(f"{path} holds no licence file (CAlicense.txt)")
    parts = sum(name.startswith("parts/") and name.count("/") == 1 for name in library.names)
    if parts < _MANY:
        raise LDrawError(f"{path} holds {parts} parts; the library has more than {_MANY}")
    size = 0
    for stored in library.names.values():
        size += len(library.read(stored))
        if size > _LARGEST:
            raise UnpackError(f"{path} is refused: unpacked it has more than {_LARGEST} bytes")


def unpack_library(
    archive: Path, files: Sequence[DataFile]
) -> Iterator[tuple[DataFile, BufferedIOBase]]:
    """Make the zip archive of the library from the tar archive of its Debian package.

    An `Unpack`. The files lie as in the official archive, in the folder `ldraw`, the licence
    beside them.

    Raises:
        UnpackError: if the archive is damaged.
    """
    (file,) = files
    target = archive.with_suffix(".zip")
    with ZipFile(target, "w") as out:
        for name, content in _members(archive):
            info = ZipInfo(name)  # made from the name alone, it carries a fixed date
            info.compress_type = ZIP_DEFLATED
            out.writestr(info, content)
    with target.open("rb") as content:
        yield file, content


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files of the package that belong to the library, by their official names."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                content = tar.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                if name.startswith(_LIBRARY):
                    yield f"ldraw/{name.removeprefix(_LIBRARY)}", content.read()
                elif name.startswith(_NOTES) and name.endswith(".txt.gz"):
                    note = name.removeprefix(_NOTES).removesuffix(".gz")
                    yield f"ldraw/{note}", gzip.decompress(content.read())
    except DAMAGE as error:
        raise_fault_of_machine(error, archive)
        raise UnpackError(f"the tar archive is damaged or truncated: {error}") from error
