"""Read a mesh from the content of a file: OFF, OBJ, STL or PLY."""

from collections.abc import Callable

from weightspace.data.shapes.mesh import Mesh, MeshError, checked
from weightspace.data.shapes.obj_file import read_obj
from weightspace.data.shapes.off_file import read_off
from weightspace.data.shapes.ply_file import read_ply
from weightspace.data.shapes.stl_file import read_stl

__all__ = ["MESH_FILES", "read_mesh"]

MESH_FILES: dict[str, Callable[[bytes], Mesh]] = {
    ".obj": read_obj,
    ".off": read_off,
    ".ply": read_ply,
    ".stl": read_stl,
}


def read_mesh(content: bytes, *, suffix: str) -> Mesh:
    """Read a mesh, in any format of `MESH_FILES`, and check it.

    Degenerate faces and unused vertices are dropped. Nothing else changes: vertices are not
    merged, faces are not turned, holes are not closed.

    Args:
        content: the bytes of the file.
        suffix: of the name of the file, such as ".off"; capitals do not matter.

    Raises:
        MeshError: if the file is damaged or no mesh, or if `checked` refuses the mesh; the
            message begins with the reason.
    """
    if suffix.lower() not in MESH_FILES:
        raise MeshError(f"unknown format: {suffix!r}; meshes are {', '.join(MESH_FILES)}")
    try:
        return checked(MESH_FILES[suffix.lower()](content))
    except OverflowError as error:
        raise MeshError(f"damaged: a number is out of range ({error})") from error
