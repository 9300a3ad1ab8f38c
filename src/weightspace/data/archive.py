"""Arrays in one .npz file: never half written, never pickled, equal content in equal bytes."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from weightspace.atomic import replacing
from weightspace.failures import raise_fault_of_machine

__all__ = ["ArchiveError", "read_npz", "write_npz"]

_COMPRESSION = 8  # about the most by which arrays of ours shrink


class ArchiveError(ValueError):
    """An .npz file that is damaged or lacks an array."""


def write_npz(
    path: Path, arrays: Mapping[str, np.ndarray] | Iterable[tuple[str, np.ndarray]]
) -> None:
    """Write named arrays to a compressed .npz file, replacing it in one step.

    Pairs of names and arrays are written one by one, so that a generator need not hold them all.

    Raises:
        ValueError: if an array holds Python objects.
    """
    with (
        replacing(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for name, array in arrays.items() if isinstance(arrays, Mapping) else arrays:
            # A ZipInfo made from the name alone carries a fixed date.
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the named arrays of an .npz file.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or lacks one of `names`.
    """
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in names}
            if wrong := [name for name, x in arrays.items() if not isinstance(x, np.ndarray)]:
                raise ValueError(f"{wrong[0]} is no array")
        except KeyError as error:
            raise ArchiveError(f"{path} lacks an array: {error.args[0]}; write it again") from error
        except Exception as error:  # a damaged zip raises errors of many types
            raise_fault_of_machine(error, path, needs=_COMPRESSION * path.stat().st_size)
            raise ArchiveError(f"{path} is damaged ({error}); write it again") from error
    return arrays
