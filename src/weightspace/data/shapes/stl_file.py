"""Read STL, binary or text: a list of triangles."""

import re

import numpy as np

from weightspace.data.shapes.mesh import Mesh, MeshError

__all__ = ["read_stl"]

_START = 84  # bytes: 80 of any content, then the number of triangles
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_NUMBER = rb"\s+([^\s]+)"
_VERTEX = re.compile(rb"\bvertex" + 3 * _NUMBER, flags=re.IGNORECASE)


def read_stl(content: bytes) -> Mesh:
    """Read a mesh in the STL format; every triangle keeps its own three vertices.

    A file whose length is the one that its number of triangles gives is binary; another one
    must be text, from `solid` to `endsolid`.

    Raises:
        MeshError: "truncated" or "damaged", "wrong header" if it is neither.
    """
    stated = int.from_bytes(content[_START - 4 : _START], "little")
    if len(content) >= _START and len(content) == _START + stated * _TRIANGLE.itemsize:
        return _soup(np.frombuffer(content, _TRIANGLE, offset=_START)["corners"])
    text = content.removeprefix(b"\xef\xbb\xbf").strip().lower()
    if text.startswith(b"solid") and b"\x00" not in text:
        return _read_text(text)
    if len(content) < _START:
        raise MeshError(
            f"wrong header: {len(content)} bytes are too few for binary STL, and text must begin "
            "with solid"
        )
    raise MeshError(
        f"truncated: as binary STL its header states {stated} triangles, which are "
        f"{_START + stated * _TRIANGLE.itemsize} bytes and not {len(content)}; text would begin "
        "with solid"
    )


def _read_text(text: bytes) -> Mesh:
    """All triangles of all solids."""
    if not re.search(rb"\bendsolid\b[^\n\r]*\Z", text):
        raise MeshError("truncated: it does not end with endsolid")
    words = _VERTEX.findall(text)
    n_facets = len(re.findall(rb"\bendfacet\b", text))
    if len(words) != 3 * n_facets or len(words) != len(re.findall(rb"\bvertex\b", text)):
        raise MeshError(f"damaged: {n_facets} triangles have {len(words)} vertices")
    try:
        return _soup(np.array(words).astype(np.float64))
    except ValueError as error:
        raise MeshError(f"damaged: a vertex is not three numbers ({error})") from error


def _soup(corners: np.ndarray) -> Mesh:
    """Triangles that share no vertices."""
    vertices = corners.reshape(-1, 3).astype(np.float64)
    return Mesh(vertices, np.arange(len(vertices), dtype=np.int64).reshape(-1, 3))
