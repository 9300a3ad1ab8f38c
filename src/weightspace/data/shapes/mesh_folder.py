"""A user's own meshes: a folder with one subfolder per class."""

from pathlib import Path

import numpy as np

from weightspace.data.folder_listing import Kind, list_folder
from weightspace.data.shapes.mesh import Mesh
from weightspace.data.shapes.mesh_file import MESH_FILES, read_mesh
from weightspace.data.shapes.shape_set import ShapeSet

__all__ = ["MESHES", "load_mesh_folder"]

MESHES = Kind("mesh", "meshes", tuple(MESH_FILES))


def load_mesh_folder(directory: Path) -> ShapeSet:
    """List all meshes of a folder, which `list_folder` describes; they are read when asked for.

    The object_id of a mesh is its place in the list of `list_folder`.

    Args:
        directory: the folder.

    Returns:
        The meshes, with the names of the subfolders as classes, sorted.

    Raises:
        FolderError: if the folder lies otherwise.
    """
    directory = Path(directory)
    listed = list_folder(directory, MESHES)
    classes = sorted({item.class_name for item in listed})

    def load(i: int) -> Mesh:
        path = listed[i].path
        return read_mesh(path.read_bytes(), suffix=path.suffix)

    return ShapeSet(
        name="mesh_folder",
        labels=np.array([classes.index(item.class_name) for item in listed], dtype=np.int64),
        object_ids=np.arange(len(listed), dtype=np.int64),
        official_split=np.array([item.split for item in listed]),
        classes=tuple(classes),
        titles=tuple(
            item.path.relative_to(directory).as_posix().encode(errors="replace").decode()
            for item in listed
        ),
        load=load,
    )
