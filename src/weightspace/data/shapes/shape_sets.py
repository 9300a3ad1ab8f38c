"""The sets of labelled shapes, by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from weightspace.data.shapes.ldraw import load_ldraw
from weightspace.data.shapes.ldraw_catalogue import LDRAW10, LDRAW20
from weightspace.data.shapes.mesh_folder import load_mesh_folder
from weightspace.data.shapes.modelnet import load_modelnet
from weightspace.data.shapes.shape_set import ShapeSet

__all__ = ["SHAPE_SETS", "load_shape_set"]


SHAPE_SETS: dict[str, Callable[..., ShapeSet]] = {
    "ldraw10": partial(load_ldraw, classes=LDRAW10),
    "ldraw20": partial(load_ldraw, classes=LDRAW20),
    "modelnet10": partial(load_modelnet, n_classes=10),
    "modelnet40": partial(load_modelnet, n_classes=40),
    "mesh_folder": load_mesh_folder,
}


def load_shape_set(name: str, directory: Path) -> ShapeSet:
    """Load a set by its name in `SHAPE_SETS`; the meshes are read when they are asked for.

    Args:
        name: the key in `SHAPE_SETS`.
        directory: where `weightspace.data.sources.fetch` put the files, or the user's own
            folder.

    Raises:
        ValueError: if the name is unknown, or the files are damaged or lie otherwise.
    """
    if name not in SHAPE_SETS:
        raise ValueError(f"unknown set of shapes {name!r}; the sets are {', '.join(SHAPE_SETS)}")
    return SHAPE_SETS[name](Path(directory))
