"""Read OFF text: the format of ModelNet, with the header that some of its files have."""

import re
from io import StringIO

import numpy as np

from weightspace.data.shapes.mesh import Mesh, MeshError
from weightspace.data.shapes.polygons import fans

__all__ = ["read_off"]

_HEADER = re.compile(r"(?:ST)?C?N?OFF(?P<counts>.*)")
_TRIANGLE = re.compile(r"3(?:\s+-?\d{1,18}){3}(?:\s|$)")
_SHOWN = 40  # how much of a wrong line a message shows


def read_off(content: bytes) -> Mesh:
    """Read a mesh in the Object File Format, as text with one vertex or face per line.

    The numbers of vertices and faces may follow OFF on the same line, even without a space
    (`OFF490 518 0`), as in some files of ModelNet. Comments, empty lines, colours and normals
    are left out; polygons become triangles (`fans`). No vertices are merged.

    Raises:
        MeshError: "wrong header", "truncated", "too long" or "damaged".
    """
    # Every byte is a character in Latin-1; numbers are ASCII, and the rest is in comments.
    text = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    lines = [line.partition("#")[0].strip() for line in StringIO(text, newline=None)]
    lines = [line for line in lines if line]
    n_vertices, n_faces, rows = _header(lines)
    if len(rows) != n_vertices + n_faces:
        fault = "truncated" if len(rows) < n_vertices + n_faces else "too long"
        raise MeshError(
            f"{fault}: its header states {n_vertices} vertices and {n_faces} faces, "
            f"but {len(rows)} lines follow"
        )
    return Mesh(_vertices(rows[:n_vertices]), _faces(rows[n_vertices:]))


def _header(lines: list[str]) -> tuple[int, int, list[str]]:
    """The numbers of vertices and faces, and the lines that follow."""
    first = lines[0] if lines else ""
    if not (found := _HEADER.fullmatch(first)):
        raise MeshError(f"wrong header: an OFF file begins with OFF, not with {first[:_SHOWN]!r}")
    counts, rows = found["counts"], lines[1:]
    if not counts:
        counts, rows = "".join(rows[:1]), rows[1:]
    if not re.fullmatch(r"\s*\d{1,15}\s+\d{1,15}(\s+\d{1,15})?", counts):
        raise MeshError(
            "wrong header: after OFF must come the numbers of vertices, faces and edges, "
            f"not {counts[:_SHOWN]!r}"
        )
    n_vertices, n_faces = map(int, counts.split()[:2])
    return n_vertices, n_faces, rows


def _vertices(rows: list[str]) -> np.ndarray:
    """The first three numbers of every row, `(v, 3)`."""
    if not rows:
        return np.empty((0, 3))
    try:
        return np.loadtxt(rows, usecols=(0, 1, 2), comments=None, ndmin=2)
    except ValueError as error:
        raise MeshError(f"damaged: a vertex is not three numbers ({error})") from error


def _faces(rows: list[str]) -> np.ndarray:
    """The triangles of all rows, `(f, 3)`."""
    if rows and all(_TRIANGLE.match(row) for row in rows):  # nearly always, and faster
        return np.loadtxt(rows, usecols=(1, 2, 3), dtype=np.int64, comments=None, ndmin=2)
    return fans([_polygon(row) for row in rows])


def _polygon(row: str) -> list[int]:
    """The vertices of a face, from their number and the list; colours may follow."""
    try:
        size, *words = row.split()
        polygon = [int(word) for word in words[: int(size)]]
    except ValueError as error:
        raise MeshError(f"damaged: the face {row[:_SHOWN]!r} is not whole numbers") from error
    if len(polygon) != int(size):
        raise MeshError(f"damaged: the face {row[:_SHOWN]!r} must name {size} vertices")
    return polygon
