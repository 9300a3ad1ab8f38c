"""Which file of a set holds which view of which object."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

__all__ = ["InterchangeError", "Label", "Listing", "as_label", "is_text"]

Label = int | str


class InterchangeError(ValueError):
    """A set of others that cannot be read or written; the message names the file."""


@dataclass(frozen=True)
class Listing:
    """The files of a set; one entry of each list for each network.

    Attributes:
        root: the folder that the paths start from.
        source: the file or folder that named them, for messages.
        convention: the name of the published convention of such sets, of `CONVENTIONS`.
        paths: with `/`, none of which leads out of the root.
        splits: the split of each.
        labels: the class, or None where only the file of the network says it.
        objects: the name of the object.
        views: which fit of the object it is, as the set numbers them.
        columns: the object_id, and any of seed, psnr, attempts and steps that the set has.

    Raises:
        InterchangeError: if there is no network, an object is in two splits, has two labels,
            or has two networks of one view.
    """

    root: Path
    source: Path
    convention: str
    paths: list[str]
    splits: list[str]
    labels: list[Label | None]
    objects: list[str]
    views: list[int]
    columns: dict[str, list[Any]]

    def __post_init__(self) -> None:
        if not self.paths:
            raise InterchangeError(f"{self.source} names no network; it needs at least one")
        self.check_same("split", self.splits)
        if None not in self.labels:
            self.check_same("label", self.labels)
        seen: dict[tuple[str, int], str] = {}
        for path, name, view in zip(self.paths, self.objects, self.views, strict=True):
            if (name, view) in seen:
                raise InterchangeError(
                    f"{self.source}: {seen[name, view]} and {path} are both view {view} of object "
                    f"{name!r}; name each once, or say with view_part which folder is the view"
                )
            seen[name, view] = path

    def from_view_0(self) -> "Listing":
        """The same with the lowest view of the set as view 0, if it is a later one."""
        lowest = max(0, min(self.views))
        return replace(self, views=[view - lowest for view in self.views])

    def in_order(self) -> "Listing":
        """The same, sorted by (object_id, view)."""
        keys = list(zip(self.columns["object_id"], self.views, strict=True))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        names = ("paths", "splits", "labels", "objects", "views")
        columns = {name: [x[i] for i in order] for name, x in self.columns.items()}
        sorted_lists = {name: [getattr(self, name)[i] for i in order] for name in names}
        return replace(self, columns=columns, **sorted_lists)

    def check_same(self, what: str, values: list[Any]) -> None:
        """Refuse views of one object that have different values of `what`.

        Raises:
            InterchangeError: naming the two files.
        """
        first: dict[str, int] = {}
        for i, name in enumerate(self.objects):
            j = first.setdefault(name, i)
            if values[i] != values[j]:
                raise InterchangeError(
                    f"{self.source}: {self.paths[j]} has the {what} {values[j]!r} and "
                    f"{self.paths[i]} has {values[i]!r}, but both are views of object {name!r}: "
                    f"give all views of an object one {what}, or say with view_part which folder "
                    f"is the view ('none' if none is)"
                )


def as_label(value: Any, what: str) -> Label:
    """A whole number, also as text, or the name of a class.

    Raises:
        InterchangeError: if it is neither; the message begins with `what`.
    """
    if isinstance(value, str) and value and is_text(value):
        return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else value
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < 2**63:
            return value
        raise InterchangeError(f"{what} is a number of more than 64 bits; classes count from 0")
    raise InterchangeError(
        f"{what} is {value!r}, a {type(value).__name__}; a label is a whole number or the name "
        f"of a class"
    )


def is_text(value: str) -> bool:
    """Whether a text is one in UTF-8, as a file of networks holds it; a file's name may be none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
