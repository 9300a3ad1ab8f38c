"""The files in a zip archive, read in place."""

import stat
from io import BufferedIOBase
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import cast
from zipfile import ZipFile, ZipInfo

from weightspace.data.unpack import UnpackError, pieces
from weightspace.failures import raise_fault_of_machine

__all__ = ["ZipFolder"]

LARGEST = 1_000_000_000  # bytes of one file in the archive


class ZipFolder:
    """The plain files of a zip archive, checked before any is read; nothing is unpacked.

    Args:
        path: the archive; it stays open.

    Raises:
        FileNotFoundError: if there is no such file.
        UnpackError: if the archive is damaged, or a file in it has a path that leads out of it,
            is a link, is encrypted, or would be larger than `LARGEST`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self._archive = ZipFile(self.path)
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged list of files raises errors of many types
            raise_fault_of_machine(error, self.path)
            raise self._damaged(error) from error
        for info in self._archive.infolist():
            if fault := _fault(info):
                self._archive.close()
                raise UnpackError(
                    f"{self.path} is refused: {info.orig_filename!r} in it {fault}; delete it and "
                    "fetch it from its publisher"
                )
        self.names = sorted({i.filename for i in self._archive.infolist() if not i.is_dir()})

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            UnpackError: if the archive is damaged there.
        """
        info = self._archive.getinfo(name)
        try:
            with self._archive.open(info) as content:
                return b"".join(pieces(cast(BufferedIOBase, content), info.file_size))
        except Exception as error:  # likewise
            raise_fault_of_machine(error, self.path, needs=2 * info.file_size)
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UnpackError:
        return UnpackError(
            f"{self.path} is damaged or no zip archive ({error}); delete it and fetch it again"
        )


def _fault(info: ZipInfo) -> str | None:
    """What makes a file in an archive unfit to be read."""
    name = info.orig_filename
    if not info.filename:  # of which Python cannot say whether it is a folder
        return "has no name"
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        return "has an absolute path"
    if ".." in PureWindowsPath(name).parts:  # which takes both slashes
        return "leads out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.file_size > LARGEST:
        return f"would have {info.file_size} bytes, more than {LARGEST}"
    return None
