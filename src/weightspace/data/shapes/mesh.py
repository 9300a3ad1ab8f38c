"""A triangle mesh, what is wrong with it, and its place in the unit ball."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Mesh", "MeshError", "checked", "normalised", "outward"]

_FLAT = 1e-12  # a face whose height is this share of its longest edge has no area


class MeshError(ValueError):
    """A mesh that cannot be used; the message begins with the reason."""


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes:
        vertices: float64, `(v, 3)`.
        faces: the vertices of each triangle, counter-clockwise from outside, int64, `(f, 3)`.

    Raises:
        MeshError: if an array has another shape or type.
    """

    vertices: np.ndarray
    faces: np.ndarray

    def __post_init__(self) -> None:
        for name, dtype in (("vertices", np.float64), ("faces", np.int64)):
            array = getattr(self, name)
            if array.ndim != 2 or array.shape[1] != 3 or array.dtype != dtype:
                raise MeshError(
                    f"wrong array: {name} of a mesh is {array.dtype} {array.shape}; "
                    f"it must be {np.dtype(dtype)} (n, 3)"
                )

    @property
    def triangles(self) -> np.ndarray:
        """The corners of every face, `(f, 3, 3)`: face, corner, coordinate."""
        return self.vertices[self.faces]

    @property
    def closed(self) -> bool:
        """Whether every edge belongs to exactly two faces: the mesh is watertight.

        Vertices at one place are one, as in an STL file, which repeats them for every face.
        """
        _, places = np.unique(self.vertices, axis=0, return_inverse=True)
        edges = places.reshape(-1)[self.faces][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
        edges = np.sort(edges, axis=1)
        _, counts = np.unique(edges, axis=0, return_counts=True)
        return bool((counts == 2).all())


def checked(mesh: Mesh) -> Mesh:
    """Return the part of a mesh that has area: without degenerate faces and unused vertices.

    A face is degenerate if a vertex occurs twice in it or its corners lie on a line.

    Raises:
        MeshError: "empty" without vertices or faces, "not finite" where a coordinate is NaN or
            infinite, "faces point outside" the list of vertices, "no area" if every face is
            degenerate.
    """
    n_vertices, n_faces = len(mesh.vertices), len(mesh.faces)
    if not n_vertices or not n_faces:
        raise MeshError(f"empty: it has {n_vertices} vertices and {n_faces} faces")
    if wrong := int((~np.isfinite(mesh.vertices)).any(1).sum()):
        raise MeshError(f"not finite: {wrong} of {n_vertices} vertices are NaN or infinite")
    if outside := int(((mesh.faces < 0) | (mesh.faces >= n_vertices)).any(1).sum()):
        raise MeshError(
            f"faces point outside: {outside} of {n_faces} faces name a vertex other than "
            f"0 to {n_vertices - 1}"
        )
    kept = mesh.faces[_has_area(mesh)]
    if not len(kept):
        raise MeshError(f"no area: all of the {n_faces} faces are degenerate")
    used, faces = np.unique(kept, return_inverse=True)
    return Mesh(mesh.vertices[used], faces.reshape(-1, 3).astype(np.int64))


def outward(mesh: Mesh) -> Mesh:
    """Turn the faces of a closed mesh that are clockwise from outside; others stay as they are."""
    a, b, c = (mesh.triangles - mesh.vertices.mean(0)).transpose(1, 0, 2)
    inside_out = mesh.closed and (a * np.cross(b, c)).sum() < 0  # six times the volume
    return Mesh(mesh.vertices, mesh.faces[:, ::-1].copy()) if inside_out else mesh


def normalised(mesh: Mesh) -> Mesh:
    """Move and scale a mesh into the unit ball, without turning it.

    The centre of its bounding box becomes the origin, and its farthest vertex gets norm 1. All
    vertices count, so give it a `checked` mesh.

    Raises:
        MeshError: if the mesh is "empty", or has "no area" because it is one point.
    """
    if not len(mesh.vertices):
        raise MeshError("empty: it has no vertices")
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    moved = mesh.vertices - (low / 2 + high / 2)  # halves: the sum of large ones would overflow
    largest = abs(moved).max()
    if not largest:
        raise MeshError("no area: all vertices are one point")
    moved = moved / largest
    return Mesh(moved / np.linalg.norm(moved, axis=1).max(), mesh.faces)


def _has_area(mesh: Mesh) -> np.ndarray:
    """Which faces are triangles and not lines or points, `(f,)`; whatever their size."""
    corners = mesh.triangles
    edges = np.roll(corners, -1, axis=1) / 2 - corners / 2  # (face, edge, coordinate)
    longest = abs(edges).max((1, 2))
    edges = edges / np.where(longest > 0, longest, 1)[:, None, None]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    return area > _FLAT
