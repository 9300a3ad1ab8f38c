"""From a tar archive to verified files."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from weightspace.atomic import replacing
from weightspace.data.checksums import DataFile, verify
from weightspace.data.unpack import pieces, tar_members

__all__ = ["Members", "Unpack", "place"]

# How the files of a dataset lie in an archive: the files that are asked, with their content.
Unpack = Callable[[Path, Sequence[DataFile]], Iterator[tuple[DataFile, BufferedIOBase]]]


@dataclass(frozen=True)
class Members:
    """An `Unpack`: each file is a member of the archive.

    Attributes:
        folder: where the files lie in the archive, without a leading slash.
        gzipped: whether they are compressed once more, as `{name}.gz`.
    """

    folder: str
    gzipped: bool = False

    def __call__(
        self, archive: Path, files: Sequence[DataFile]
    ) -> Iterator[tuple[DataFile, BufferedIOBase]]:
        """Yield each file with its content.

        Raises:
            UnpackError: if the archive is damaged or lacks a file.
        """
        suffix = ".gz" if self.gzipped else ""
        members = {f"{self.folder}/{file.name}{suffix}": file for file in files}
        for name, content in tar_members(archive, members):
            yield members[name], gzip.GzipFile(fileobj=content) if self.gzipped else content


def place(
    archive: Path,
    unpack: Unpack,
    files: Sequence[DataFile],
    directory: Path,
    *,
    origin: str,
    progress: Callable[[int, int], None],
) -> None:
    """Put each of `files` into `directory`, out of an archive; each appears whole or not at all.

    Args:
        archive: the tar file.
        unpack: how the files lie in it.
        files: what is wanted.
        directory: where the files go.
        origin: where the archive came from, for messages.
        progress: called with the bytes that are placed and the bytes in total.

    Raises:
        ChecksumError: if the content is not the published one.
        UnpackError: if the archive is damaged or lacks a file.
    """
    done, total = 0, sum(file.size for file in files)
    for file, content in unpack(archive, files):
        with replacing(directory / file.name) as target:
            with target.open("wb") as out:
                out.writelines(pieces(content, file.size))
            verify(target, file, origin)
        done += file.size
        progress(done, total)
