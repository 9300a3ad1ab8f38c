"""The archives of the official sets of shapes, and what is checked in them.

Their publishers state no digest that could be confirmed, or change them from time to time; so
what is checked is that they are whole archives, safe to read, of what they should hold.
"""

from pathlib import Path

from weightspace.data.checksums import DataFile
from weightspace.data.shapes.ldraw_archive import check_library
from weightspace.data.shapes.ldraw_library import ARCHIVE
from weightspace.data.shapes.zip_folder import ZipFolder

__all__ = ["SHAPE_FILES"]


def _check_zip(path: Path) -> None:
    """Refuse a file that is no zip archive, cut off, damaged or unsafe."""
    folder = ZipFolder(path)
    for name in folder.names:  # each is compared with its checksum
        folder.read(name)


SHAPE_FILES: dict[str, tuple[DataFile, ...]] = {
    "ldraw": (DataFile(ARCHIVE, None, 1_000_000_000, check_library),),
    "modelnet10": (DataFile("ModelNet10.zip", None, 1_000_000_000, _check_zip),),
    "modelnet40": (DataFile("ModelNet40.zip", None, 4_000_000_000, _check_zip),),
}
