"""Make the golden file of version 1: `python tests/golden/make_golden_v1.py`.

The file is made once and kept for ever: later versions of the package must go on reading it.
Its numbers are quotients of small integers, equal on every machine.
"""

import json
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import torch

from weightspace.dataset.statistics import tensor_statistics
from weightspace.siren import siren
from weightspace.store import Header, InrSet, write_inrs
from weightspace.weights import Weights

FOLDER = Path(__file__).parent
LAYOUT = (2, 3, 2, 1)
POINTS = [[-1.0, -1.0], [0.0, 0.0], [0.25, -0.5], [1.0, 0.75]]
N = 5

HEADER = Header(
    dataset="golden",
    layer_layout=LAYOUT,
    omega_0=2.0,
    output_offset=0.5,
    coords={"shape": [2, 2], "range": [-1.0, 1.0], "order": "C", "axes": "ij"},
    classes=("T-shirt/top", "größer"),
    commit="0123abc",
    config={"steps": 120, "lr": 0.002, "betas": [0.9, 0.999], "target_psnr": None, "π": "ü"},
)


def numbers(*shape: int, start: int) -> np.ndarray:
    """Numbers between -1/2 and 1/2 in no visible order."""
    i = np.arange(np.prod(shape), dtype=np.int64) + start
    return ((i * 7919 % 1013 - 506) / 1013).astype(np.float32).reshape(shape)


def columns(object_ids: list[int], views: list[int], psnr: list[float]) -> dict[str, np.ndarray]:
    n = len(object_ids)
    return {
        "object_id": np.array(object_ids, np.int64),
        "view": np.array(views, np.int32),
        "label": np.array(object_ids, np.int64) % 2,
        "split": np.array(["train" if i < 60_000 else "test" for i in object_ids]),
        "seed": np.full(n, 11, np.int64),
        "psnr": np.array(psnr, np.float32),
        "attempts": np.arange(n, dtype=np.int32) % 2 + 1,
        "steps": np.full(n, 120, np.int32),
    }


def golden_set() -> InrSet:
    layers = list(enumerate(pairwise(LAYOUT)))
    weights = tuple(torch.from_numpy(numbers(N, o, i, start=100 * l)) for l, (i, o) in layers)
    biases = tuple(torch.from_numpy(numbers(N, o, start=50 + 100 * l)) for l, (_, o) in layers)
    w = Weights(weights, biases)
    kept = columns([2, 2, 5, 60_001, 60_001], [0, 1, 1, 0, 1], [40.5, 41.25, 39.0, 38.5, 50.0])
    lost = columns([5], [0], [float("nan")])
    train = tensor_statistics(w[:3])
    statistics = {
        "train": {
            "count": np.array(3, np.int64),
            "psnr_quantiles": np.quantile([40.5, 41.25, 39.0], [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]),
            "mean": np.array(train.mean),
            "std": np.array(train.std),
        }
    }
    return InrSet(HEADER, w, kept, lost, statistics)


def expected(inrs: InrSet) -> dict[str, object]:
    """What a reader must find, in plain numbers."""
    h = inrs.header
    rendered = siren(
        inrs.weights, torch.tensor(POINTS), omega_0=h.omega_0, output_offset=h.output_offset
    )
    return {
        "hdf5": h5py.version.hdf5_version,
        "points": POINTS,
        "rendered": rendered[..., 0].tolist(),
        "object_id": inrs.columns["object_id"].tolist(),
        "view": inrs.columns["view"].tolist(),
        "split": inrs.columns["split"].tolist(),
        "psnr": inrs.columns["psnr"].tolist(),
        "failed": [[5, 0]],
        "mean": inrs.statistics["train"]["mean"].tolist() if inrs.statistics else [],
        "classes": list(h.classes),
        "config": h.config,
    }


def main() -> None:
    path = FOLDER / "v1.h5"
    if path.exists():
        raise SystemExit(f"{path} exists; a golden file is never made again")
    write_inrs(path, golden_set())
    text = json.dumps(expected(golden_set()), indent=1, ensure_ascii=False)
    (FOLDER / "v1.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
