"""ModelNet10 and ModelNet40: OFF meshes of things, from the official zip or unpacked."""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from weightspace.data.shapes.mesh import Mesh
from weightspace.data.shapes.mesh_file import read_mesh
from weightspace.data.shapes.shape_set import ShapeSet
from weightspace.data.shapes.zip_folder import ZipFolder

__all__ = ["ModelNetError", "load_modelnet"]

_SHOWN = 5  # how many names a message lists


class ModelNetError(ValueError):
    """Files of ModelNet that lie otherwise than the official ones, or are incomplete."""


def load_modelnet(directory: Path, n_classes: int) -> ShapeSet:
    """List the meshes of ModelNet; they are read when asked for.

    They are the files `<class>/train/<name>.off` and `<class>/test/<name>.off` of
    `ModelNet40.zip` in the directory, which need not be unpacked, else of the folder
    `ModelNet40` in it, else of the directory itself. The object_id of a mesh is its place among
    all, training first, sorted by class and name.

    Args:
        directory: where the zip or the folder lies.
        n_classes: 10 or 40.

    Returns:
        The meshes with the official splits, "train" and "test".

    Raises:
        ModelNetError: if there are no meshes, other ones than in so many classes, or a class
            lacks one of the splits.
        UnpackError: if the zip is damaged or unsafe.

    Reference:
        Wu et al. 2015, 3D ShapeNets: a deep representation for volumetric shapes.
    """
    name, directory = f"ModelNet{n_classes}", Path(directory)
    place, names, read = _files(directory, name)
    listed = sorted(_listed(place, names, name))
    classes = sorted({class_name for _, class_name, _, _ in listed})
    _check(place, listed, classes, n_classes)

    def load(i: int) -> Mesh:
        return read_mesh(read(listed[i][-1]), suffix=".off")

    return ShapeSet(
        name=name.lower(),
        labels=np.array([classes.index(class_name) for _, class_name, _, _ in listed]),
        object_ids=np.arange(len(listed)),
        official_split=np.array(["test" if is_test else "train" for is_test, *_ in listed]),
        classes=tuple(classes),
        titles=tuple(
            f"{class_name}/{'test' if is_test else 'train'}/{file}"
            for is_test, class_name, file, _ in listed
        ),
        load=load,
    )


def _files(directory: Path, name: str) -> tuple[Path, Iterable[str], Callable[[str], bytes]]:
    """Where the files are, their names, and how to read one."""
    archive = directory / f"{name}.zip"
    if archive.is_file():
        folder = ZipFolder(archive)
        return archive, folder.names, folder.read
    place = directory / name if (directory / name).is_dir() else directory
    if not place.is_dir():
        raise ModelNetError(
            f"{directory} is not a folder; it must hold {name}.zip or the unpacked folder {name}"
        )
    paths = (p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file())
    return place, paths, lambda file: (place / file).read_bytes()


def _listed(place: Path, names: Iterable[str], name: str) -> Iterable[tuple[bool, str, str, str]]:
    """Of each mesh: whether it is for the test, its class, its own name, its whole name."""
    for whole in names:
        parts = PurePosixPath(whole).parts
        parts = parts[1:] if parts[0] == name else parts
        unseen = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if unseen or not whole.lower().endswith(".off"):
            continue
        if len(parts) != 3 or parts[1] not in ("train", "test"):
            raise ModelNetError(
                f"{place} has {whole}; every mesh of {name} must be <class>/train/<name>.off or "
                "<class>/test/<name>.off"
            )
        yield parts[1] == "test", parts[0], parts[2], whole


def _check(
    place: Path, listed: list[tuple[bool, str, str, str]], classes: list[str], n_classes: int
) -> None:
    """Refuse other numbers of classes, and classes without a split."""
    if len(classes) != n_classes:
        more = ", ..." if len(classes) > _SHOWN else ""
        found = f" ({', '.join(classes[:_SHOWN])}{more})" if classes else ""
        raise ModelNetError(
            f"{place} has meshes of {len(classes)} classes{found}; ModelNet{n_classes} has "
            f"{n_classes}: put the official ModelNet{n_classes}.zip or the whole of what is in it "
            "there"
        )
    for is_test, split in ((False, "train"), (True, "test")):
        there = {class_name for test, class_name, *_ in listed if test == is_test}
        if lacking := sorted(set(classes) - there):
            raise ModelNetError(
                f"{place} has no {split} meshes of {', '.join(lacking[:_SHOWN])}; fetch it again"
            )
