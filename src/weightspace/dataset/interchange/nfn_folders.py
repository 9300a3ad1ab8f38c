"""The folders of the NFN sets, whose names say class and view."""

import re
from collections.abc import Sequence
from pathlib import Path

from weightspace.dataset.interchange.listing import InterchangeError, Listing

__all__ = ["SPLIT_POINTS", "read_nfn_folders"]

# Of the published sets: objects from here on are validation, and from here on test.
SPLIT_POINTS = (45_000, 50_000)

_FOLDER = re.compile(r"(?P<prefix>.+?)(?:_aug(?P<copy>\d+))?_(?P<label>\d+)s")
_FILE = re.compile(r"net(\d+)\.pth")


def read_nfn_folders(root: Path, *, split_points: Sequence[int] | None = None) -> Listing | None:
    """List `<prefix>_<label>s/net<object>.pth` and its copies `<prefix>_aug<i>_<label>s/...`.

    The number of the file is the object's index in the official set, training objects first.
    The folder without `aug` holds view 0, the copy i is view i + 1. The set has no file of
    splits; the published code cuts the objects at two numbers.

    Args:
        root: the folder of the unpacked set.
        split_points: the first object of validation and the first of test; None takes
            `SPLIT_POINTS`.

    Returns:
        The networks, or None if no folder has such a name.

    Raises:
        InterchangeError: if there are sets of several prefixes, or no networks, or the split
            points are not in order.
    """
    folders = {x.name: m for x in root.iterdir() if x.is_dir() and (m := _FOLDER.fullmatch(x.name))}
    if not folders:
        return None
    if len(prefixes := sorted({m["prefix"] for m in folders.values()})) > 1:
        raise InterchangeError(
            f"{root} holds the sets {', '.join(prefixes)}: give a folder with one of them"
        )
    paths, objects, labels, views = [], [], [], []
    for name, folder in sorted(folders.items()):
        files = {x.name: m for x in (root / name).iterdir() if (m := _FILE.fullmatch(x.name))}
        for file, number in sorted(files.items()):
            paths.append(f"{name}/{file}")
            objects.append(int(number[1]))
            labels.append(int(folder["label"]))
            views.append(0 if folder["copy"] is None else int(folder["copy"]) + 1)
    val, test = SPLIT_POINTS if split_points is None else split_points
    if not 0 <= val <= test:
        raise InterchangeError(
            f"the split points are {val} and {test}; the first object of validation must be 0 or "
            f"more, and the first of test no lower"
        )
    splits = ["test" if i >= test else "val" if i >= val else "train" for i in objects]
    names = [f"net{i}" for i in objects]
    return Listing(root, root, "nfn", paths, splits, labels, names, views, {"object_id": objects})
