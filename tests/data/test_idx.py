import struct

import numpy as np
import pytest

from weightspace.data.idx import IdxError, read_idx


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


@pytest.mark.parametrize("shape", [(5,), (3, 4, 2), (0, 28, 28)])
def test_arrays_come_back(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "a").write_bytes(idx_bytes(array))
    back = read_idx(tmp_path / "a")
    np.testing.assert_array_equal(back, array, strict=True)
    assert back.flags.writeable


WHOLE = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (WHOLE[:3], "begins with 00 00 08;"),
        (b"\x00\x00\x0d\x03" + WHOLE[4:], "begins with 00 00 0d 03"),
        (b"\x89PNG" + WHOLE[4:], "begins with 89 50 4e 47"),
        (b"\x1f\x8b\x08\x00" + WHOLE, "still compressed with gzip"),
        (WHOLE[:9], r"ends within its header \(9 of 16 bytes\)"),
        (WHOLE[:-1], r"holds 23 numbers; its header says \(2, 3, 4\)"),
        (WHOLE + b"!", r"holds 25 numbers; its header says \(2, 3, 4\)"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "truncated or damaged"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(IdxError, match=message):
        read_idx(tmp_path / "a")
