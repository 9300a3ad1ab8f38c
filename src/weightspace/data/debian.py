"""Files from a Debian package, downloaded and read without installing it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weightspace.data.checksums import DataFile
from weightspace.data.commands import PackageError, run_client
from weightspace.data.tarball import Members, place

__all__ = ["DebianPackage", "PackageError", "download_package"]

_NEEDS = "Debian or a descendant of it"
_APT = (
    *("-o", "Acquire::http::Timeout=15"),
    *("-o", "Acquire::https::Timeout=15"),
    *("-o", "Acquire::Retries=1"),
    *("-o", "APT::Sandbox::User=root"),  # the scratch folder is closed to other users
)


@dataclass(frozen=True)
class DebianPackage:
    """A source: each file as `{folder}/{name}.gz` in a Debian package.

    Attributes:
        package: the name of the package.
        folder: where the files lie in the package, without a leading slash.
    """

    package: str
    folder: str

    @property
    def title(self) -> str:
        """The place, for messages."""
        return f"Debian package {self.package}"

    def __call__(
        self, files: list[DataFile], directory: Path, *, progress: Callable[[int, int], None]
    ) -> None:
        """Put each of `files` into `directory`, decompressed and verified.

        Raises:
            PackageError: if the package cannot be downloaded or opened.
            ChecksumError: if the content is not the published one.
            UnpackError: if an archive is damaged or lacks a file.
        """
        with tempfile.TemporaryDirectory() as scratch:
            tar = _open_package(download_package(self.package, Path(scratch)))
            members = Members(self.folder, gzipped=True)
            place(tar, members, files, directory, origin=self.title, progress=progress)


def download_package(package: str, folder: Path) -> Path:
    """Download a package with apt-get, leaving the set-up of the system alone.

    Where the system's package lists are missing or out of date, fresh ones are fetched into
    `folder`.

    Args:
        package: its name.
        folder: an empty folder, for the package and the lists.

    Returns:
        The .deb file.

    Raises:
        PackageError: if there is no apt-get, or it fails.
    """
    try:
        run_client(["apt-get", *_APT, "download", package], folder, needs=_NEEDS)
    except PackageError:
        lists, cache = folder / "lists", folder / "cache"
        for path in (lists / "partial", cache / "archives" / "partial"):
            path.mkdir(parents=True)
        private = (*_APT, "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}")
        run_client(["apt-get", *private, "update"], folder, needs=_NEEDS)
        run_client(["apt-get", *private, "download", package], folder, needs=_NEEDS)
    debs = sorted(folder.glob("*.deb"))
    if len(debs) != 1:
        raise PackageError(f"apt-get left {len(debs)} packages instead of one")
    return debs[0]


def _open_package(deb: Path) -> Path:
    """Write the tar file within a .deb beside it."""
    tar = deb.with_suffix(".tar")
    with tar.open("wb") as out:
        command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
        run_client(command, deb.parent, needs=_NEEDS, stdout=out.fileno())
    return tar
