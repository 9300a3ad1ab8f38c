"""Files from a Debian package, downloaded and read without installing it."""

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weightspace.data.checksums import ChecksumError, DataFile
from weightspace.data.commands import PackageError, run_client
from weightspace.data.tarball import Unpack, place

__all__ = ["DebianPackage", "PackageError", "download_package"]

_NEEDS = "Debian or a descendant of it"
_ETC = Path("/etc/apt")
# An entry of main in the sources of the system: `deb [options] mirror suite main ...`, or the
# field `Components: main ...`.
_MAIN = re.compile(
    r"^(deb[ \t]+(?:\[[^\]\n]*\][ \t]+)?\S+[ \t]+\S+|Components:)(?=[ \t])[^\n#]*\bmain\b[^\n]*",
    re.MULTILINE,
)
_APT = (
    *("-o", "Acquire::http::Timeout=15"),
    *("-o", "Acquire::https::Timeout=15"),
    *("-o", "Acquire::Retries=1"),
    *("-o", "APT::Sandbox::User=root"),  # the scratch folder is closed to other users
)


@dataclass(frozen=True)
class DebianPackage:
    """A source: the files of a dataset in a Debian package.

    Attributes:
        package: the name of the package, perhaps with a version, `name=version`.
        unpack: how the files lie in the package.
        component: the component of the archive that has it, such as "non-free", where that need
            not be one that the system has switched on.
        sha256: the digest of the .deb, where it is to be checked.
    """

    package: str
    unpack: Unpack
    component: str | None = None
    sha256: str | None = None

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
            ChecksumError: if the package or the content is not the published one.
            UnpackError: if an archive is damaged or lacks a file.
        """
        with tempfile.TemporaryDirectory() as scratch:
            deb = download_package(self.package, Path(scratch), component=self.component)
            self._check(deb)
            tar = _open_package(deb)
            place(tar, self.unpack, files, directory, origin=self.title, progress=progress)

    def _check(self, deb: Path) -> None:
        """Refuse another package than the one whose digest is known."""
        if self.sha256 is None:
            return
        with deb.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != self.sha256:
            raise ChecksumError(
                f"checksum mismatch of {self.title}: expected sha256 {self.sha256}, got {digest}"
            )


def download_package(package: str, folder: Path, *, component: str | None = None) -> Path:
    """Download a package with apt-get, leaving the set-up of the system alone.

    Where the system's package lists are missing, out of date or without the component, fresh
    ones are fetched into `folder`.

    Args:
        package: its name.
        folder: an empty folder, for the package and the lists.
        component: the component of the archive to look in, where the system's lists have no such
            package; the same mirrors are asked.

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
        if component is not None:
            private += _sources(component, folder / "sources")
        run_client(["apt-get", *private, "update"], folder, needs=_NEEDS)
        run_client(["apt-get", *private, "download", package], folder, needs=_NEEDS)
    debs = sorted(folder.glob("*.deb"))
    if len(debs) != 1:
        raise PackageError(f"apt-get left {len(debs)} packages instead of one")
    return debs[0]


def _sources(component: str, folder: Path) -> tuple[str, ...]:
    """Write what the system's sources say of main for another component.

    Returns:
        The options that make apt read these sources alone.
    """
    folder.mkdir()
    for path in (_ETC / "sources.list", *sorted((_ETC / "sources.list.d").glob("*"))):
        if path.suffix in (".list", ".sources") and path.is_file():
            text, n = _MAIN.subn(rf"\g<1> {component}", path.read_text(errors="replace"))
            if n:
                (folder / path.name).write_text(text)
    return ("-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={folder}")


def _open_package(deb: Path) -> Path:
    """Write the tar file within a .deb beside it."""
    tar = deb.with_suffix(".tar")
    with tar.open("wb") as out:
        command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
        run_client(command, deb.parent, needs=_NEEDS, stdout=out.fileno())
    return tar
