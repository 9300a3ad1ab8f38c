"""Files from a Debian package, downloaded and read without installing it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weightspace.atomic import replacing
from weightspace.data.checksums import DataFile, verify
from weightspace.data.unpack import gunzip, tar_members

__all__ = ["DebianPackage", "PackageError", "download_package"]

_TIMEOUT = 900  # of one command, in seconds
_APT = (
    *("-o", "Acquire::http::Timeout=15"),
    *("-o", "Acquire::https::Timeout=15"),
    *("-o", "Acquire::Retries=1"),
    *("-o", "APT::Sandbox::User=root"),  # the scratch folder is closed to other users
)


class PackageError(ValueError):
    """A package that cannot be downloaded or opened."""


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
        members = {f"{self.folder}/{file.name}.gz": file for file in files}
        done, total = 0, sum(file.size for file in files)
        with tempfile.TemporaryDirectory() as scratch:
            tar = _open_package(download_package(self.package, Path(scratch)))
            for name, compressed in tar_members(tar, members):
                file = members[name]
                with replacing(directory / file.name) as target:
                    gunzip(compressed, target, size=file.size)
                    verify(target, file, self.title)
                done += file.size
                progress(done, total)


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
    if shutil.which("apt-get") is None:
        raise PackageError("apt-get is not there; this source needs Debian or a descendant of it")
    try:
        _run(["apt-get", *_APT, "download", package], folder)
    except PackageError:
        lists, cache = folder / "lists", folder / "cache"
        for path in (lists / "partial", cache / "archives" / "partial"):
            path.mkdir(parents=True)
        private = (*_APT, "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}")
        _run(["apt-get", *private, "update"], folder)
        _run(["apt-get", *private, "download", package], folder)
    debs = sorted(folder.glob("*.deb"))
    if len(debs) != 1:
        raise PackageError(f"apt-get left {len(debs)} packages instead of one")
    return debs[0]


def _open_package(deb: Path) -> Path:
    """Write the tar file within a .deb beside it."""
    if shutil.which("dpkg-deb") is None:
        raise PackageError("dpkg-deb is not there; this source needs Debian or a descendant of it")
    tar = deb.with_suffix(".tar")
    with tar.open("wb") as out:
        _run(["dpkg-deb", "--fsys-tarfile", str(deb)], deb.parent, stdout=out.fileno())
    return tar


def _run(command: list[str], folder: Path, stdout: int = subprocess.DEVNULL) -> None:
    """Run a command in `folder`; its last complaint becomes the error."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_TIMEOUT,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        complaint = (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
        raise PackageError(f"{command[0]} failed: {complaint}") from error
    except subprocess.TimeoutExpired as error:
        raise PackageError(f"{command[0]} took more than {_TIMEOUT} s") from error
