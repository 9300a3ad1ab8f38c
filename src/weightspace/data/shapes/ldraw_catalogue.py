"""The parts of the LDraw library that are objects of their own, with their categories."""

import re
from dataclasses import dataclass

from weightspace.data.shapes.ldraw_library import Library

__all__ = ["LDRAW10", "LDRAW20", "Part", "list_parts"]

LDRAW10 = (
    "Animal",
    "Brick",
    "Container",
    "Door",
    "Minifig Headwear",
    "Panel",
    "Plate",
    "Slope",
    "Wheel",
    "Windscreen",
)
LDRAW20 = tuple(
    sorted(
        (
            *LDRAW10,
            "Car",
            "Hinge",
            "Minifig",
            "Minifig Accessory",
            "Minifig Neckwear",
            "Plant",
            "Train",
            "Tyre",
            "Window",
            "Wing",
        )
    )
)

# A mould number, perhaps the letter of its variant, and a code of a print or of a sticker:
# 3001pa1.dat, 3069bpr01.dat, 4215ad02.dat. Theirs is the shape of the part without it.
_DECORATED = re.compile(r"\d[a-z]?(p[0-9a-z]{1,3}|d[0-9a-z]{2})\.dat")
_MOULD = re.compile(r"[a-z]*\d+")
_HEADER = 4096  # bytes, within which a file states what it is
_NOT_A_PART = "~=_|"  # a component or a moved file, an alias, a colour, another maker's


@dataclass(frozen=True)
class Part:
    """A part of the library.

    Attributes:
        file: its name in the folder `parts`.
        title: what it is.
        category: LDraw's category of it.
        group: the number of the mould, which its variants share: 3001 of 3001a.dat.
    """

    file: str
    title: str
    category: str
    group: str


def list_parts(library: Library) -> list[Part]:
    """List the parts of a library that are objects of their own, sorted by file name.

    Left out are sub-parts, components, shortcuts (assemblies), aliases, moved files, parts in a
    physical colour, flexible sections, and printed or stickered variants. The category is the
    one that the file states with `!CATEGORY`, else the first word of its title.
    """
    files = (name.removeprefix("parts/") for name in library.names if name.startswith("parts/"))
    parts = (
        _part(file, _header(library, file))
        for file in sorted(files)
        if "/" not in file and file.endswith(".dat") and not _DECORATED.search(file)
    )
    return [part for part in parts if part is not None]


def _header(library: Library, file: str) -> list[list[str]]:
    """The words of the first lines of a file, without the 0 that begins them."""
    text = library.read(library.names[f"parts/{file}"])[:_HEADER].decode(errors="replace")
    header = []
    for line in text.lstrip("\ufeff").splitlines():
        words = line.split()
        if words and words[0] != "0":
            break
        header.append(words[1:])
    return header


def _part(file: str, header: list[list[str]]) -> Part | None:
    """What a header states; None if the file is no part, or none of its own."""
    title, category = header[0] if header else [], None
    kind = []
    for words in header[1:]:
        if words[:1] == ["!CATEGORY"]:
            category = " ".join(words[1:])
        elif words[:1] == ["!LDRAW_ORG"]:
            kind = words[1:]
    if not title or title[0][0] in _NOT_A_PART or _without_release(kind) != ["Part"]:
        return None
    mould = _MOULD.match(file)
    return Part(
        file=file,
        title=" ".join(title),
        category=category or title[0],
        group=mould.group() if mould else file.removesuffix(".dat"),
    )


def _without_release(kind: list[str]) -> list[str]:
    """The words of `!LDRAW_ORG` before the release, such as UPDATE 2004-03."""
    ends = [i for i, word in enumerate(kind) if word in ("UPDATE", "ORIGINAL")]
    return kind[: ends[0]] if ends else kind
