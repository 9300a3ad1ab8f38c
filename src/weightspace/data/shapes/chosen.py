"""The shapes of a study: chosen meshes in the unit ball, with their labels and splits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from weightspace.data.archive import read_npz, write_npz
from weightspace.data.shapes.distance import require_inside
from weightspace.data.shapes.mesh import Mesh, checked, normalised, outward
from weightspace.data.shapes.shape_set import ShapeSet
from weightspace.data.splits import in_order, stratified_split
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


def select_shapes(
    path: Path,
    shape_set: ShapeSet,
    *,
    train: int,
    val: int,
    test: int,
    seed: int,
    balance: Literal["equal", "proportional"] = "equal",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Choose objects of each split, as `stratified_split` does, and write their meshes to a file.

    A mesh that cannot be used, or that encloses nothing, is skipped and listed; no other takes
    its place. A closed mesh that is inside out is turned. One mesh is in memory at a time.

    Args:
        path: the file, which `read_shapes` reads.
        shape_set: what to choose from.
        train: the number of training objects.
        val: the number of validation objects.
        test: the number of test objects.
        seed: the seed of the choice.
        balance: "equal" counts of the classes, or "proportional" to those in the set.
        progress: called with the meshes done and the meshes in total.

    Raises:
        ValueError: if more are asked than there are, or all chosen meshes of a class of a split
            are bad; then nothing is written.
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
    positions, splits = in_order(chosen, shape_set.object_ids)
    write_npz(Path(path), _selected(shape_set, positions, splits, progress))


def write_shapes(path: Path, shapes: ShapeObjects) -> None:
    """Write shapes to an .npz file in one step; equal shapes give equal bytes.

    Row i has the arrays `vertices_i` (float32) and `faces_i` (int32).
    """
    meshes = [pair for i, mesh in enumerate(shapes.meshes) for pair in _arrays(i, mesh)]
    names = [(name, np.array(getattr(shapes, name), dtype=str)) for name in _NAMES]
    write_npz(Path(path), [*meshes, *shapes.columns().items(), *names])


def read_shapes(path: Path, rows: Sequence[int] | np.ndarray | None = None) -> ShapeObjects:
    """Read what `write_shapes` or `select_shapes` wrote.

    Args:
        path: the file.
        rows: the shapes to read, as positions among those of the file; None reads all.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    facts = read_columns_and(_NAMES, Path(path))
    chosen = range(len(facts["object_ids"])) if rows is None else [int(row) for row in rows]
    arrays = read_npz(Path(path), tuple(name for i in chosen for name in _mesh_names(i)))
    meshes = (tuple(arrays[name] for name in _mesh_names(i)) for i in chosen)
    facts |= {name: facts[name][list(chosen)] for name in ("labels", "object_ids", "splits")}
    return ShapeObjects(
        meshes=tuple(Mesh(v.astype(np.float64), f.astype(np.int64)) for v, f in meshes),
        titles=tuple(str(facts["titles"][i]) for i in chosen),
        skipped=tuple(map(str, facts["skipped"])),
        **{name: value for name, value in facts.items() if name not in _NAMES},
    )


def _selected(
    shape_set: ShapeSet,
    positions: np.ndarray,
    splits: np.ndarray,
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of the file, the meshes first, since only they show what can be used."""
    kept, skipped = [], []
    for i, position in enumerate(positions):
        mesh = _usable(shape_set, int(position))
        if isinstance(mesh, Mesh):
            yield from _arrays(len(kept), mesh)
            kept.append(i)
        else:
            skipped.append(mesh)
        if progress:
            progress(i + 1, len(positions))
    good = np.isin(np.arange(len(positions)), kept)
    names = np.array(shape_set.classes)[shape_set.labels[positions]]
    parts = np.array([f"{name} in {split}" for name, split in zip(names, splits, strict=True)])
    _refuse_empty_parts(shape_set.name, parts, good, tuple(skipped))
    facts = StudyObjects(
        dataset=shape_set.name,
        labels=shape_set.labels[positions[good]],
        object_ids=shape_set.object_ids[positions[good]],
        splits=splits[good],
        classes=shape_set.classes,
    )
    yield from facts.columns().items()
    yield "titles", np.array([shape_set.titles[p] for p in positions[good]], dtype=str)
    yield "skipped", np.array(skipped, dtype=str)


def _mesh_names(i: int) -> tuple[str, str]:
    return f"vertices_{i}", f"faces_{i}"


def _arrays(i: int, mesh: Mesh) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of the mesh of row i."""
    contents = (mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))
    yield from zip(_mesh_names(i), contents, strict=True)


def _usable(shape_set: ShapeSet, position: int) -> Mesh | str:
    """The mesh of an entry, checked and normalised, or what is wrong with it."""
    try:
        mesh = normalised(outward(checked(shape_set.load(position))))
        # In the precision of the file, so that what is written comes back as it was.
        mesh = checked(Mesh(mesh.vertices.astype(np.float32).astype(np.float64), mesh.faces))
        require_inside(mesh)
        return mesh
    except UnpackError:  # not this mesh but the archive is bad
        raise
    except ValueError as error:
        return f"{shape_set.titles[position]}: {error}"


def _refuse_empty_parts(
    name: str, parts: np.ndarray, good: np.ndarray, skipped: tuple[str, ...]
) -> None:
    """Refuse a class of a split that objects were asked of and none is left of."""
    if empty := sorted(set(parts) - set(parts[good])):
        others = f" and {len(empty) - 1} more classes of splits" if len(empty) > 1 else ""
        more = f"\n  and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        raise ValueError(
            f"no mesh of {empty[0]}{others} of {name} can be used; mend them or choose other ones:"
            + "".join(f"\n  {reason}" for reason in skipped[:_SHOWN])
            + more
        )
