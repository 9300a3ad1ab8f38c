"""A user's own pictures: a folder with one subfolder per class."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from weightspace.data.folder_listing import FolderError, Listed, list_folder
from weightspace.data.image_set import ImageSet
from weightspace.data.pictures import PictureError, read_picture

__all__ = ["load_folder"]

_SHOWN = 5  # how many broken files a message lists


def load_folder(
    directory: Path,
    *,
    size: Sequence[int],
    channels: int,
    progress: Callable[[int, int], None] | None = None,
) -> ImageSet:
    """Load all pictures of a folder, which `list_folder` describes, resized.

    The object_id of a picture is its place in the list of `list_folder`.

    Args:
        directory: the folder.
        size: the height and width of the images.
        channels: 1 for grey images, 3 for RGB.
        progress: called with the pictures done and the pictures in total.

    Returns:
        The images, with the names of the subfolders as classes, sorted.

    Raises:
        FolderError: if the folder lies otherwise, or pictures in it cannot be read; none is
            skipped, for that would change the data unseen.
    """
    listed = list_folder(Path(directory))
    classes = sorted({item.class_name for item in listed})
    return ImageSet(
        name="folder",
        images=_read_all(listed, (size[0], size[1]), channels, progress),
        labels=np.array([classes.index(item.class_name) for item in listed], dtype=np.int64),
        object_ids=np.arange(len(listed)),
        official_split=np.array([item.split for item in listed]),
        classes=tuple(classes),
    )


def _read_all(
    listed: list[Listed],
    size: tuple[int, int],
    channels: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """Decode all pictures; `(n, height, width)` or `(n, height, width, 3)`."""
    images = np.empty((len(listed), *size, *([3] if channels == 3 else [])), dtype=np.uint8)
    broken = []
    for i, item in enumerate(listed):
        try:
            content = item.path.read_bytes()
            images[i] = read_picture(content, channels=channels, size=size)
        except (OSError, PictureError) as error:
            broken.append(f"\n  {item.path}: {error}")
        if progress:
            progress(i + 1, len(listed))
    if broken:
        more = f"\n  and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise FolderError(
            f"{len(broken)} of {len(listed)} pictures cannot be read; mend or delete them:"
            + "".join(broken[:_SHOWN])
            + more
        )
    return images
