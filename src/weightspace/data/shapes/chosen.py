"""The shapes of a study: chosen meshes in the unit ball, with their labels and splits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from weightspace.data.archive import ArchiveError, write_npz
from weightspace.data.shapes.mesh import Mesh, checked, normalised
from weightspace.data.shapes.shape_set import ShapeSet
from weightspace.data.splits import stratified_split
from weightspace.data.study_objects import StudyObjects, read_columns_and
from weightspace.data.unpack import UnpackError

__all__ = ["ShapeObjects", "read_shapes", "select_shapes", "write_shapes"]

_SHOWN = 5  # how many bad meshes a message lists


@dataclass(frozen=True, kw_only=True)
class ShapeObjects(StudyObjects):
    """The shapes of a study, in the order of their object_ids; see `StudyObjects`.

    Attributes:
        meshes: each checked and normalised, the coordinates rounded to float32.
        titles: the name of the file of each object.
        skipped: the chosen meshes that cannot be used, each as "title: reason".

    Raises:
        ValueError: if the lengths differ or an object occurs twice.
    """

    meshes: tuple[Mesh, ...]
    titles: tuple[str, ...]
    skipped: tuple[str, ...]

    @classmethod
    def _per_object(cls) -> tuple[str, ...]:
        return (*super()._per_object(), "meshes", "titles")


_NAMES = ("titles", "skipped")
_PARTS = ("vertices", "faces", "n_vertices", "n_faces")


def select_shapes(
    shape_set: ShapeSet,
    *,
    train: int,
    val: int,
    test: int,
    seed: int,
    balance: Literal["equal", "proportional"] = "equal",
    progress: Callable[[int, int], None] | None = None,
) -> ShapeObjects:
    """Choose objects of each split, as `stratified_split` does, and read their meshes.

    A mesh that cannot be used is skipped and listed; no other takes its place.

    Args:
        shape_set: what to choose from.
        train: the number of training objects.
        val: the number of validation objects.
        test: the number of test objects.
        seed: the seed of the choice.
        balance: "equal" counts of the classes, or "proportional" to those in the set.
        progress: called with the meshes done and the meshes in total.

    Returns:
        The shapes that can be used, sorted by object_id.

    Raises:
        ValueError: if more are asked than there are, or all meshes of a split are bad.
        UnpackError: if the archive that the meshes lie in is damaged.
    """
    chosen = stratified_split(
        shape_set.labels,
        shape_set.official_split,
        train=train,
        val=val,
        test=test,
        seed=seed,
        balance=balance,
    )
    positions = np.concatenate(list(chosen.values()))
    splits = np.repeat(list(chosen), [len(p) for p in chosen.values()])
    order = np.argsort(shape_set.object_ids[positions])
    positions, splits = positions[order], splits[order]
    read = []
    for i, position in enumerate(positions):
        read.append(_usable(shape_set, int(position)))
        if progress:
            progress(i + 1, len(positions))
    good = np.array([isinstance(mesh, Mesh) for mesh in read], dtype=bool)
    skipped = tuple(reason for reason in read if isinstance(reason, str))
    _refuse_empty_splits(shape_set.name, splits, good, skipped)
    return ShapeObjects(
        dataset=shape_set.name,
        meshes=tuple(mesh for mesh in read if isinstance(mesh, Mesh)),
        labels=shape_set.labels[positions[good]],
        object_ids=shape_set.object_ids[positions[good]],
        splits=splits[good],
        classes=shape_set.classes,
        titles=tuple(shape_set.titles[p] for p in positions[good]),
        skipped=skipped,
    )


def write_shapes(path: Path, shapes: ShapeObjects) -> None:
    """Write shapes to an .npz file in one step; equal shapes give equal bytes.

    The vertices of all meshes are one float32 array and the faces one int32 array; `n_vertices`
    and `n_faces` say how many rows belong to each mesh.
    """
    meshes = shapes.meshes
    none = np.empty((0, 3))
    write_npz(
        Path(path),
        {
            **shapes.columns(),
            "vertices": np.concatenate([none, *(m.vertices for m in meshes)], dtype=np.float32),
            "faces": np.concatenate([none, *(m.faces for m in meshes)]).astype(np.int32),
            "n_vertices": np.array([len(m.vertices) for m in meshes], dtype=np.int64),
            "n_faces": np.array([len(m.faces) for m in meshes], dtype=np.int64),
            "titles": np.array(shapes.titles, dtype=str),
            "skipped": np.array(shapes.skipped, dtype=str),
        },
    )


def read_shapes(path: Path) -> ShapeObjects:
    """Read what `write_shapes` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    arrays = read_columns_and((*_NAMES, *_PARTS), Path(path))
    vertices, faces, n_vertices, n_faces = (arrays.pop(name) for name in _PARTS)
    if n_vertices.sum() != len(vertices) or n_faces.sum() != len(faces):
        raise ArchiveError(f"{path} is damaged (its meshes have other lengths); write it again")
    meshes = zip(
        np.split(vertices.astype(np.float64), np.cumsum(n_vertices))[:-1],
        np.split(faces.astype(np.int64), np.cumsum(n_faces))[:-1],
        strict=True,
    )
    names = {name: tuple(map(str, arrays.pop(name))) for name in _NAMES}
    return ShapeObjects(meshes=tuple(Mesh(v, f) for v, f in meshes), **names, **arrays)


def _usable(shape_set: ShapeSet, position: int) -> Mesh | str:
    """The mesh of an entry, checked and normalised, or what is wrong with it."""
    try:
        mesh = normalised(checked(shape_set.load(position)))
        # In the precision of the file, so that what is written comes back as it was.
        return checked(Mesh(mesh.vertices.astype(np.float32).astype(np.float64), mesh.faces))
    except UnpackError:  # not this mesh but the archive is bad
        raise
    except ValueError as error:
        return f"{shape_set.titles[position]}: {error}"


def _refuse_empty_splits(
    name: str, splits: np.ndarray, good: np.ndarray, skipped: tuple[str, ...]
) -> None:
    """Refuse a split that objects were asked of and none is left of."""
    if empty := sorted(set(splits) - set(splits[good])):
        more = f"\n  and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        raise ValueError(
            f"no mesh of the {' and the '.join(empty)} split of {name} can be used; mend them or "
            "choose other ones:" + "".join(f"\n  {reason}" for reason in skipped[:_SHOWN]) + more
        )
