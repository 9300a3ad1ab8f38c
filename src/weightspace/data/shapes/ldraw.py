"""LDraw-10 and LDraw-20: parts of the LDraw library as labelled shapes.

Reference: The LDraw Parts Library, ldraw.org, CC BY 2.0 and CC BY 4.0. It is unofficial: LEGO is a
    trademark of the LEGO Group, which does not sponsor or endorse it.
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from weightspace.data.shapes.group_split import group_split, joined
from weightspace.data.shapes.ldraw_catalogue import Part, list_parts
from weightspace.data.shapes.ldraw_library import LDrawError, Library, open_library
from weightspace.data.shapes.ldraw_part import read_part
from weightspace.data.shapes.mesh import Mesh, MeshError, checked, normalised
from weightspace.data.shapes.shape_set import ShapeSet
from weightspace.data.shapes.twins import lookalikes, without_twins

__all__ = ["load_ldraw"]


def load_ldraw(directory: Path, classes: Sequence[str]) -> ShapeSet:
    """List the parts of some categories of the LDraw library; they are read when asked for.

    The parts are those of `list_parts`, without what looks like an earlier one of its class
    (`without_twins`). The splits keep together the variants of one mould, and what looks alike
    once it is turned or mirrored (`lookalikes`, `group_split`). The object_id of a part is a hash
    of its file name, so that it does not depend on which other parts the library has.

    Args:
        directory: where `weightspace.data.sources.fetch` put the library, or the folder of an
            unpacked one.
        classes: the categories, which become the classes in this order.

    Returns:
        The parts, sorted by file name, with the splits "train", "val" and "test". The set is
        called ldraw and the number of classes.

    Raises:
        LDrawError: if there is no library, or it has no parts of a class.
        UnpackError: if its archive is damaged or unsafe.
    """
    library = open_library(directory)
    parts = [part for part in list_parts(library) if part.category in classes]
    if lacking := set(classes) - {part.category for part in parts}:
        raise LDrawError(f"{library.place} has no parts of {', '.join(sorted(lacking))}")
    labels = np.array([classes.index(part.category) for part in parts])
    meshes = [_in_unit_ball(library, part) for part in parts]
    kept = without_twins(meshes, labels)
    parts, labels = [parts[i] for i in kept], labels[kept]
    groups = joined([part.group for part in parts], lookalikes([meshes[i] for i in kept], labels))

    def load(i: int) -> Mesh:
        return read_part(library, f"parts/{parts[i].file}")

    return ShapeSet(
        name=f"ldraw{len(classes)}",
        labels=labels,
        object_ids=np.array([_object_id(part.file) for part in parts]),
        official_split=group_split(labels, groups),
        classes=tuple(classes),
        titles=tuple(part.file for part in parts),
        load=load,
    )


def _in_unit_ball(library: Library, part: Part) -> Mesh | None:
    """The mesh of a part, as it is compared with others; None if it is a bad one."""
    try:
        return normalised(checked(read_part(library, f"parts/{part.file}")))
    except (LDrawError, MeshError):
        return None  # whoever selects it says what is wrong


def _object_id(file: str) -> int:
    """A number of a file name, of 48 bits so that it is never negative."""
    return int.from_bytes(blake2b(file.encode(), digest_size=6).digest())
