"""The LDraw parts library: the files of a zip archive or of a folder, found as LDraw finds them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from weightspace.data.shapes.zip_folder import ZipFolder

__all__ = ["ARCHIVE", "LDrawError", "Library", "open_library"]

ARCHIVE = "complete.zip"
"""The file that `weightspace.data.sources.fetch` leaves, named as the official one."""

# Where a sub-file is looked for. References name the folders within these: "s/", "48/", "8/".
_FOLDERS = ("parts/", "p/", "parts/s/", "p/48/", "p/8/")


class LDrawError(ValueError):
    """A parts library, or a file in it, that cannot be used."""


@dataclass(frozen=True)
class Library:
    """The files of a parts library.

    Attributes:
        place: where it lies, for messages.
        names: each file, relative to the library, in lower case and with "/", with the name
            that `read` takes.
        read: the content of a file.
        cache: what was made of the files that other files refer to, by name; filled by
            `weightspace.data.shapes.ldraw_part`.
    """

    place: Path
    names: dict[str, str]
    read: Callable[[str], bytes]
    cache: dict = field(default_factory=dict, repr=False, compare=False)

    def text(self, name: str) -> str:
        """The text of a file, by its name in lower case."""
        return self.read(self.names[name]).decode("utf-8-sig", errors="replace")

    def find(self, reference: str) -> str | None:
        """The name of the file that a reference means; None if it is not there.

        Case does not matter, and a backslash is a slash.
        """
        wanted = normal_name(reference)
        candidates = (folder + wanted for folder in _FOLDERS)
        return next((name for name in candidates if name in self.names), None)


def open_library(directory: Path) -> Library:
    """Open the library in `complete.zip` in a directory, else the unpacked one in or at it.

    Args:
        directory: where `weightspace.data.sources.fetch` put the archive, or a folder with the
            unpacked library: `parts` and `p`, or `ldraw/parts` and `ldraw/p`.

    Raises:
        LDrawError: if there is no library.
        UnpackError: if the archive is damaged or unsafe.
    """
    directory = Path(directory)
    if (directory / ARCHIVE).is_file():
        return archived_library(directory / ARCHIVE)
    for place in (directory, directory / "ldraw"):
        if (place / "parts").is_dir() and (place / "p").is_dir():
            paths = (p for part in ("parts", "p") for p in (place / part).rglob("*"))
            names = (path.relative_to(place).as_posix() for path in paths if path.is_file())
            return Library(place, _by_name(names, ""), _reader(place))
    raise LDrawError(
        f"{directory} holds no LDraw parts library; it must hold {ARCHIVE}, or the folders parts "
        "and p of the unpacked library"
    )


def archived_library(archive: Path) -> Library:
    """Open the library in a zip archive: `parts` and `p`, in one folder or in none.

    Raises:
        LDrawError: if there is no library in it.
        UnpackError: if the archive is damaged or unsafe.
    """
    folder = ZipFolder(archive)
    stud = next((name for name in folder.names if normal_name(name).endswith("p/stud.dat")), None)
    if stud is None:
        raise LDrawError(f"{archive} holds no LDraw parts library; p/stud.dat is not in it")
    root = stud[: -len("p/stud.dat")]
    return Library(archive, _by_name(folder.names, root), folder.read)


def _reader(folder: Path) -> Callable[[str], bytes]:
    """Read the files of a folder by their names in it."""
    return lambda name: (folder / name).read_bytes()


def normal_name(name: str) -> str:
    """A name in lower case, with "/"."""
    return name.strip().lower().replace("\\", "/")


def _by_name(names: Iterable[str], root: str) -> dict[str, str]:
    """The names within the folder `root`, in lower case."""
    return {normal_name(name[len(root) :]): name for name in names if name.startswith(root)}
