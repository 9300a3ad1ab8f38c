"""How good the fit of a shape is: its level set, the overlap and the distance to the mesh."""

import igl
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.data.coordinates import grid
from weightspace.data.shapes.distance import Surface, inside
from weightspace.data.shapes.mesh import Mesh
from weightspace.data.shapes.sampling import sample_cube, sample_surface
from weightspace.siren import siren
from weightspace.weights import Weights

__all__ = ["chamfer", "iou", "level_set"]

_LEVEL = 0.5  # the signal of a shape is above it inside
_AT_ONCE = 1 << 16  # outputs in memory: points times networks


def level_set(w: Weights, *, omega_0: float, output_offset: float, resolution: int) -> Mesh | None:
    """The surface on which a network is 1/2, in the cube [-1, 1]^3, by marching cubes.

    Faces are counter-clockwise from outside, where the network is below 1/2. The surface is
    open where it leaves the cube.

    Args:
        w: one network from three coordinates to one output.
        omega_0: the frequency of every sine.
        output_offset: the constant added to the output.
        resolution: the number of grid points on each axis, at least 2.

    Returns:
        The surface; None if the network is on one side of 1/2 at all grid points (or NaN).

    Raises:
        ValueError: if `w` is not one network of a shape.
    """
    if len(w) != 1:
        raise ValueError(f"level_set takes one network; got {len(w)}")
    points = grid((resolution,) * 3)
    values = _outputs(w, points, omega_0=omega_0, output_offset=output_offset)[0].double()
    if not values.min() < _LEVEL < values.max():
        return None
    # igl wants the first coordinate to run fastest; in the grid it is the last one.
    places, n = points.flip(1).double().numpy(), resolution
    vertices, faces, _ = igl.marching_cubes(values.numpy(), places, n, n, n, _LEVEL)
    return Mesh(np.ascontiguousarray(np.array(vertices)[:, ::-1]), np.array(faces))


def iou(
    w: Weights,
    mesh: Mesh,
    *,
    omega_0: float,
    output_offset: float,
    points: int,
    generator: torch.Generator,
) -> Float[Tensor, " batch"]:
    """The volume inside both of network and mesh over the volume inside either.

    Inside of a network is where it is above 1/2. Volumes are shares of random points in the
    cube [-1, 1]^3, the same ones for all networks, so a value has a standard deviation near
    sqrt(iou (1 - iou) / points inside either).

    Args:
        w: fits of the shape, from three coordinates to one output.
        mesh: the shape.
        omega_0: the frequency of every sine.
        output_offset: the constant added to the output.
        points: the number of random points.
        generator: the source of the points, on the CPU.

    Returns:
        One value in [0, 1] per network; NaN where neither has a point inside.

    Raises:
        ValueError: if `w` are not networks of shapes.
    """
    where = sample_cube(points, generator=generator)
    truth = torch.from_numpy(inside(mesh, where))
    coords = torch.from_numpy(where.astype(np.float32))
    found = _outputs(w, coords, omega_0=omega_0, output_offset=output_offset) > _LEVEL
    return (found & truth).sum(1) / (found | truth).sum(1)


def chamfer(mesh_a: Mesh, mesh_b: Mesh, *, points: int, generator: torch.Generator) -> float:
    """The Chamfer distance: how far the surfaces are from each other, on average.

    (mean_a min_b |a - b| + mean_b min_a |a - b|) / 2, where the means go over random points of
    one surface and the minima, which are exact, over the whole other surface. So equal surfaces
    give 0; with the points of two samples alone they would give the spacing of these.

    Args:
        mesh_a: one surface.
        mesh_b: the other.
        points: the number of points on each.
        generator: the source of the points, on the CPU.

    Returns:
        A length in the unit of the meshes.

    Raises:
        MeshError: if a mesh has no area.
    """
    a = sample_surface(mesh_a, points, generator=generator)
    b = sample_surface(mesh_b, points, generator=generator)
    to_a, to_b = Surface(mesh_a).distance(b), Surface(mesh_b).distance(a)
    return float(to_b.mean() + to_a.mean()) / 2


def _outputs(
    w: Weights, points: Float[Tensor, "points 3"], *, omega_0: float, output_offset: float
) -> Float[Tensor, "batch points"]:
    """The outputs of the networks, on the CPU; a limited number of points at a time."""
    layout = w.layer_layout
    if (layout[0], layout[-1]) != (3, 1):
        raise ValueError(
            f"layer_layout is {layout}; the network of a shape has 3 inputs and 1 output"
        )
    parts = points.to(w.device, w.dtype).split(max(1, _AT_ONCE // max(1, len(w))))
    outputs = [siren(w, p, omega_0=omega_0, output_offset=output_offset) for p in parts]
    return torch.cat(outputs, dim=1)[..., 0].detach().cpu()
