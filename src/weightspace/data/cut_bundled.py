"""Cut the bundled subset of Fashion-MNIST: `python -m weightspace.data.cut_bundled DIRECTORY`.

DIRECTORY holds, or is given, the full set. Run it only to change the subset; then state the
digest that it prints as `BUNDLED_SHA256` in fashion_mnist.py.
"""

import argparse
from pathlib import Path

import numpy as np

from weightspace.data.archive import write_npz
from weightspace.data.fashion_mnist import BUNDLED, content_digest, load_fashion_mnist
from weightspace.data.selection import select_objects
from weightspace.data.sources import fetch

__all__ = ["cut"]

TRAIN, TEST, SEED = 5_000, 1_000, 0


def cut(directory: Path) -> dict[str, np.ndarray]:
    """Choose the subset from the full set in `directory`, class-balanced, by object_id."""
    full = load_fashion_mnist(directory)
    chosen = select_objects(full, train=TRAIN, val=0, test=TEST, seed=SEED)
    return {
        "images": chosen.images,
        "labels": chosen.labels,
        "object_ids": chosen.object_ids,
    }


def main() -> None:
    """Fetch the full set where it is missing, cut the subset and write it into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="the directory of the full set")
    directory = parser.parse_args().directory
    fetch("fashion_mnist", directory)
    arrays = cut(directory)
    write_npz(BUNDLED, arrays)
    print(f"{BUNDLED}: {BUNDLED.stat().st_size} bytes, content sha256 {content_digest(arrays)}")


if __name__ == "__main__":
    main()
