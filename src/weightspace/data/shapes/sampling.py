"""Random points on a mesh, near it and around it."""

import numpy as np
import torch

from weightspace.data.shapes.mesh import Mesh, MeshError

__all__ = ["sample_cube", "sample_queries", "sample_surface"]


def sample_surface(mesh: Mesh, n: int, *, generator: torch.Generator) -> np.ndarray:
    """Draw points on the surface, uniform over its area.

    Args:
        mesh: the mesh.
        n: how many points to draw.
        generator: the source of the numbers, on the CPU.

    Returns:
        float64, `(n, 3)`.

    Raises:
        MeshError: if the mesh has no area.
    """
    origin, side_a, side_b = _corner_and_sides(mesh)
    area = np.cumsum(np.linalg.norm(np.cross(side_a, side_b), axis=1))  # twice the true one
    if not len(area) or not area[-1] > 0:
        raise MeshError(f"no area: the {len(mesh.faces)} faces have none to draw points from")
    u, a, b = _uniform(n, generator).T
    # The right side: a face without area owns no number.
    face = np.searchsorted(area, u * area[-1], side="right").clip(max=len(area) - 1)
    # (a, b) is uniform in the parallelogram; its far half is turned onto the triangle.
    far = a + b > 1
    a, b = np.where(far, 1 - a, a)[:, None], np.where(far, 1 - b, b)[:, None]
    return origin[face] + a * side_a[face] + b * side_b[face]


def sample_cube(n: int, *, generator: torch.Generator) -> np.ndarray:
    """Draw points uniformly in the cube [-1, 1]^3, float64 `(n, 3)`."""
    return 2 * _uniform(n, generator) - 1


def sample_queries(
    mesh: Mesh, n: int, *, near: float, spread: float, generator: torch.Generator
) -> np.ndarray:
    """Draw the points at which a shape is described, in random order.

    A share `near` of them is x + spread z with x uniform on the surface and z from N(0, 1) in
    every coordinate; the others are uniform in the cube [-1, 1]^3. Near points may lie a
    little outside of the cube. As the order is random, so is any slice of them.

    Args:
        mesh: the mesh, in the unit ball.
        n: how many points to draw.
        near: the share of points near the surface, rounded to whole points.
        spread: the standard deviation of their offset, in the unit of the mesh.
        generator: the source of the numbers, on the CPU.

    Returns:
        float64, `(n, 3)`.

    Raises:
        ValueError: if `near` is no share, or `spread` is negative.
        MeshError: if the mesh has no area.
    """
    if not 0 <= near <= 1:
        raise ValueError(f"near is {near}; as a share of the points it must be from 0 to 1")
    if not spread >= 0:
        raise ValueError(f"spread is {spread}; as a standard deviation it must be at least 0")
    k = round(near * n)
    close = sample_surface(mesh, k, generator=generator)
    offset = torch.randn((k, 3), generator=generator, dtype=torch.float64).numpy()
    everywhere = sample_cube(n - k, generator=generator)
    order = torch.randperm(n, generator=generator).numpy()
    return np.concatenate([close + spread * offset, everywhere])[order]


def _corner_and_sides(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first corner of every face and the two sides that start there, `(f, 3)` each."""
    a, b, c = mesh.triangles.transpose(1, 0, 2)
    return a, b - a, c - a


def _uniform(n: int, generator: torch.Generator) -> np.ndarray:
    """Numbers uniform in [0, 1), float64 `(n, 3)`."""
    return torch.rand((n, 3), generator=generator, dtype=torch.float64).numpy()
