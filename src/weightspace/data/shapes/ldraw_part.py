"""A part of the LDraw library as one mesh: sub-files put in their places, winding made uniform.

Reference: the LDraw file format 1.0.2 and its language extension for back face culling (BFC),
    ldraw.org.
"""

from dataclasses import dataclass

import numpy as np

from weightspace.data.shapes.ldraw_library import LDrawError, Library
from weightspace.data.shapes.mesh import Mesh

__all__ = ["read_part"]

_DECIMALS = 3  # vertices closer than 0.001 LDraw units (0.4 micrometres) are one
_ORIENTATION = np.array([1.0, -1.0, -1.0])  # turned by pi about x: y points down in LDraw
# More than any part has, so that a few short files cannot fill the memory.
_MOST_TRIANGLES, _DEEPEST = 500_000, 100
_SHOWN = 80  # how much of a wrong line a message shows
_CORNERS = {"3": [0, 1, 2], "4": [0, 1, 2, 0, 2, 3]}  # of the triangles in a face


@dataclass(frozen=True)
class _Reference:
    """A line of type 1: a sub-file, at A x + t, turned inside out or not."""

    file: str
    offset: np.ndarray
    matrix: np.ndarray
    flipped: bool


def read_part(library: Library, name: str) -> Mesh:
    """Read a part with all that it refers to.

    The triangles are counter-clockwise from outside, as far as the file certifies its winding:
    `0 BFC` lines state it for each file, INVERTNEXT turns the next sub-file inside out, and a
    matrix that mirrors does so once more. A file that certifies nothing is taken to be
    counter-clockwise. Lines, edges and colours are left out.

    Args:
        library: where the part and its sub-files lie.
        name: the file in the library, such as "parts/3001.dat".

    Returns:
        The mesh in LDraw units (0.4 mm), y up, with equal vertices merged.

    Raises:
        LDrawError: if a file is missing or malformed, refers to itself, or is made of more
            triangles or levels than any part.
    """
    if name not in library.names:
        raise LDrawError(f"{library.place} has no file {name}")
    with np.errstate(all="ignore"):  # numbers that grow too large are found when it is checked
        return _merged(_triangles(library, name, ()) * _ORIENTATION)


def _triangles(library: Library, name: str, above: tuple[str, ...]) -> np.ndarray:
    """All triangles of a file, `(n, 3, 3)`: triangle, corner, coordinate.

    Args:
        library: where the files lie.
        name: the file.
        above: the files that refer to it, the part first.
    """
    if name in above:
        circle = " -> ".join((*above[above.index(name) :], name))
        raise LDrawError(f"{library.place}: a file refers to itself: {circle}; fetch it again")
    if len(above) == _DEEPEST:
        raise _too_large(library, above[0], f"has sub-files on more than {_DEEPEST} levels")
    faces, references = _parsed(library, name)
    placed, n = [faces], len(faces)
    for reference in references:
        child = library.find(reference.file)
        if child is None:
            raise LDrawError(
                f"{library.place}: {name} refers to {reference.file}, which is not there; the "
                "library is incomplete, fetch it again"
            )
        if child not in library.cache:
            library.cache[child] = _triangles(library, child, (*above, name))
        n += len(library.cache[child])
        if n > _MOST_TRIANGLES:
            raise _too_large(library, name, f"is made of more than {_MOST_TRIANGLES} triangles")
        moved = library.cache[child] @ reference.matrix.T + reference.offset
        placed.append(moved[:, ::-1] if reference.flipped else moved)
    return np.concatenate(placed)


def _parsed(library: Library, name: str) -> tuple[np.ndarray, list[_Reference]]:
    """The triangles of a file itself, and what it refers to."""
    faces = {("3", True): [], ("3", False): [], ("4", True): [], ("4", False): []}
    references = []
    counter_clockwise, invert_next = True, False  # so a file begins
    for line in library.text(name).splitlines():
        line = line.lstrip()
        kind = line[:1]
        if kind in ("3", "4"):
            faces[kind, counter_clockwise].append(line)
        elif kind == "1":
            references.append(_reference(line, invert_next, library, name))
            invert_next = False
        elif kind == "0" and "BFC" in line:
            words = line.split()
            if words[1:2] == ["BFC"] and {"CW", "CCW"} & set(words):
                counter_clockwise = "CCW" in words
            invert_next = invert_next or words[1:3] == ["BFC", "INVERTNEXT"]
    parts = [np.empty((0, 3, 3))]
    for (kind, is_counter_clockwise), lines in faces.items():
        triangles = _faces(lines, int(kind), library, name)[:, _CORNERS[kind]].reshape(-1, 3, 3)
        parts.append(triangles if is_counter_clockwise else triangles[:, ::-1])
    return np.concatenate(parts), references


def _reference(line: str, inverted: bool, library: Library, name: str) -> _Reference:
    """Parse `1 <colour> x y z a b c d e f g h i <file>`."""
    words = line.split(None, 14)
    try:
        x, y, z, a, b, c, d, e, f, g, h, i = map(float, words[2:14])
        file = words[14]
    except (ValueError, IndexError) as error:
        raise _malformed(library, name, line) from error
    if not np.isfinite([x, y, z, a, b, c, d, e, f, g, h, i]).all():
        raise _malformed(library, name, line)
    mirrors = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0
    matrix = np.array([[a, b, c], [d, e, f], [g, h, i]])
    return _Reference(file, np.array([x, y, z]), matrix, flipped=mirrors != inverted)


def _faces(lines: list[str], corners: int, library: Library, name: str) -> np.ndarray:
    """Parse lines `3 <colour> x1 y1 z1 ... x3 y3 z3`, or with four corners; `(n, corners, 3)`."""
    rows = [line.split()[2 : 2 + 3 * corners] for line in lines]
    for line, row in zip(lines, rows, strict=True):
        if len(row) != 3 * corners:
            raise _malformed(library, name, line)
    try:
        numbers = np.array(rows, dtype=np.float64).reshape(-1, corners, 3)
    except ValueError as error:  # it names the word that is no number
        raise _malformed(library, name, str(error)) from error
    if not (finite := np.isfinite(numbers).all((1, 2))).all():
        raise _malformed(library, name, lines[int(finite.argmin())])
    return numbers


def _malformed(library: Library, name: str, what: str) -> LDrawError:
    return LDrawError(
        f"{library.place}: {name} has a line that is not LDraw ({what[:_SHOWN]}); fetch the "
        "library again"
    )


def _too_large(library: Library, name: str, what: str) -> LDrawError:
    return LDrawError(f"{library.place}: {name} {what}, as no part is; fetch the library again")


def _merged(triangles: np.ndarray) -> Mesh:
    """A mesh in which equal corners are one vertex."""
    points = np.round(triangles.reshape(-1, 3), _DECIMALS) + 0.0  # no -0.0
    key = np.zeros(len(points), dtype=np.int64)
    for axis in range(3):  # the ranks of the coordinates make one number of each point
        values, rank = np.unique(points[:, axis], return_inverse=True)
        key = key * len(values) + rank
    _, first, corners = np.unique(key, return_index=True, return_inverse=True)
    return Mesh(points[first], corners.reshape(-1, 3).astype(np.int64))
