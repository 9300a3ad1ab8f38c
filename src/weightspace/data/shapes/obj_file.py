"""Read Wavefront OBJ text: the vertices and faces of all objects in it."""

import numpy as np

from weightspace.data.shapes.mesh import Mesh, MeshError
from weightspace.data.shapes.polygons import fans

__all__ = ["read_obj"]

_SHOWN = 40  # how much of a wrong line a message shows


def read_obj(content: bytes) -> Mesh:
    """Read the lines `v` and `f` of an OBJ file, of all objects and groups, as one mesh.

    Texture, normals, colours, materials and curves are left out, and no other file is opened.
    Polygons become triangles (`fans`). No vertices are merged or taken apart. The format states
    no counts, so a file that ends early between two lines cannot be told from a shorter one.

    Raises:
        MeshError: "damaged" where a vertex or a face cannot be read, "not a mesh" without any
            line `v`.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\\n", " ")
    vertices: list[list[float]] = []
    polygons: list[list[int]] = []
    for line in text.split("\n"):
        kind, *words = line.partition("#")[0].split() or [""]
        try:
            if kind == "v":
                vertices.append(_vertex(words))
            elif kind == "f":
                polygons.append([_index(word, len(vertices)) for word in words])
        except ValueError as error:
            raise MeshError(f"damaged: cannot read the line {line.strip()[:_SHOWN]!r}") from error
    if not vertices:
        raise MeshError("not a mesh: an OBJ file must have lines that begin with v")
    return Mesh(np.array(vertices, dtype=np.float64), fans(polygons))


def _vertex(words: list[str]) -> list[float]:
    """Three coordinates; a weight or a colour may follow."""
    x, y, z, *_ = map(float, words)
    return [x, y, z]


def _index(word: str, n_vertices: int) -> int:
    """The vertex of a corner such as `7/2/3`: from 1, or backwards from the last so far."""
    number = int(word.partition("/")[0])
    if number < -n_vertices or not number:
        raise ValueError(f"there is no vertex {number}")
    return number - 1 if number > 0 else n_vertices + number
