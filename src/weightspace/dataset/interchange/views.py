"""The object and the view of a network, from the path of its file."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal

from weightspace.dataset.interchange.listing import InterchangeError

__all__ = ["ViewPart", "object_ids", "views_by_folder"]

# The place of the view's folder in a path, "none" if there is none, or None to find it.
ViewPart = int | Literal["none"] | None

_NUMBERED = re.compile(r"view[_-]?(\d+)", re.IGNORECASE)


def views_by_folder(
    paths: Sequence[str], *, view_part: ViewPart = None, labelled: bool = True
) -> tuple[list[str], list[int]]:
    """The name of the object and the number of the view of each path.

    The object is the path without its suffix and without the folder of the view. That folder
    is, in this order: the part `view_part`; a folder called `view` and a number, which then
    numbers the view; the first of two parts, or the third from the end where a multi-view set
    lists bare paths (`labelled` is false), if some object then has several views. Where there
    is none, every network is view 0 of an object of its own. Folders without a number are
    numbered in their order.

    Args:
        paths: relative, with `/`.
        view_part: the place of the view's folder among the parts of a path (0 the first, -1
            the file); "none" if no folder is a view; None finds it as above.
        labelled: whether the list of the files says the labels, as those of DWSNets do.

    Returns:
        The names of the objects and the numbers of the views, one for each path.

    Raises:
        InterchangeError: if a path has no part `view_part` before the name of its file.
    """
    parts = [PurePosixPath(path).with_suffix("").parts for path in paths]
    if view_part is None:
        numbered = [_numbered_part(p) for p in parts]
        if any(place is not None for place in numbered):
            return _split_off(parts, numbered)
        view_part = _published_part(parts, labelled)
    if view_part == "none":
        return _split_off(parts, [None] * len(parts))
    for path, p in zip(paths, parts, strict=True):
        if not -len(p) <= view_part < len(p) or view_part % len(p) == len(p) - 1:
            raise InterchangeError(
                f"{path} has no folder at the place {view_part} of its path; "
                f"give a view_part that all paths have, or 'none'"
            )
    return _split_off(parts, [view_part % len(p) for p in parts])


def object_ids(names: Sequence[str]) -> list[int]:
    """A number for each name: the one it ends in, if all differ; else its place in the order."""
    different = sorted(set(names))
    ends = [re.search(r"\d{1,18}$", name) for name in different]
    numbers = [int(end.group()) for end in ends if end]
    if len(set(numbers)) < len(different):
        numbers = list(range(len(different)))
    number = dict(zip(different, numbers, strict=True))
    return [number[name] for name in names]


def _numbered_part(parts: Sequence[str]) -> int | None:
    return next((i for i, part in enumerate(parts[:-1]) if _NUMBERED.fullmatch(part)), None)


def _published_part(parts: Sequence[Sequence[str]], labelled: bool) -> int | Literal["none"]:
    """The folder of the view of the published sets, if taking it away joins some paths."""
    depths = {len(p) for p in parts}
    place = 0 if depths == {2} else None if labelled or min(depths, default=0) < 3 else -3
    if place is None or len({(*p[:place], *p[place % len(p) + 1 :]) for p in parts}) == len(parts):
        return "none"
    return place


def _split_off(
    parts: Sequence[Sequence[str]], places: Sequence[int | None]
) -> tuple[list[str], list[int]]:
    """Names without the part at each place, and the numbers of these parts."""
    pairs = list(zip(parts, places, strict=True))
    folders = {p[place] for p, place in pairs if place is not None}
    ends = {folder: _NUMBERED.fullmatch(folder) for folder in folders}
    order = sorted(folders, key=lambda f: [(len(x), x) for x in re.split(r"(\d+)", f)])
    number = {f: int(end.group(1)) if (end := ends[f]) else order.index(f) for f in order}
    names = ["/".join(x for i, x in enumerate(p) if i != place) for p, place in pairs]
    return names, [0 if place is None else number[p[place]] for p, place in pairs]
