"""The sets of labelled images, by name."""

from collections.abc import Callable, Sequence
from pathlib import Path

from weightspace.data.cifar10 import load_cifar10
from weightspace.data.fashion_mnist import load_bundled_fashion_mnist, load_fashion_mnist
from weightspace.data.files import FILES
from weightspace.data.folder import load_folder
from weightspace.data.image_set import ImageSet
from weightspace.data.mnist import load_mnist

__all__ = ["IMAGE_SETS", "load_images", "needs_directory"]

IMAGE_SETS: dict[str, Callable[..., ImageSet]] = {
    "fashion_mnist_subset": load_bundled_fashion_mnist,
    "fashion_mnist": load_fashion_mnist,
    "mnist": load_mnist,
    "cifar10": load_cifar10,
    "folder": load_folder,
}


def load_images(
    name: str,
    directory: Path | None = None,
    *,
    size: Sequence[int] | None = None,
    channels: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageSet:
    """Load a set by its name in `IMAGE_SETS`.

    Args:
        name: the key in `IMAGE_SETS`.
        directory: where `weightspace.data.sources.fetch` put the files, or the user's own
            folder; the bundled set needs none.
        size: height and width that the pictures of a folder are resized to; None otherwise.
        channels: of the pictures of a folder, 1 or 3; None otherwise.
        progress: called with the pictures of a folder that are done and their total.

    Raises:
        ValueError: if the name is unknown, an argument is missing or too much, or a file is
            damaged.
        FileNotFoundError: if a file is missing.
    """
    if name not in IMAGE_SETS:
        raise ValueError(f"unknown image set {name!r}; the sets are {', '.join(IMAGE_SETS)}")
    if name != "folder" and (size is not None or channels is not None):
        raise ValueError(f"image set {name!r} has its own size and channels; leave them out")
    if name != "folder" and not needs_directory(name):
        return IMAGE_SETS[name]()
    if directory is None:
        raise ValueError(f"image set {name!r} needs the directory its files lie in")
    if name != "folder":
        return IMAGE_SETS[name](directory)
    if size is None or channels is None:
        raise ValueError(f"a folder needs size and channels; got {size} and {channels}")
    return load_folder(directory, size=size, channels=channels, progress=progress)


def needs_directory(name: str) -> bool:
    """Whether a set is read from a directory that `weightspace.data.sources.fetch` fills."""
    return name in FILES
