"""Sets of INRs of any layout and size, as a fixture that makes them."""

import numpy as np
import pytest
import torch
from strategies import random_networks

from weightspace.store import Header, InrSet, empty_columns

HEADER = {
    "dataset": "some_pictures",
    "layer_layout": (2, 3, 1),
    "omega_0": 30.0,
    "output_offset": 0.5,
    "coords": {"shape": [4, 4], "range": [-1.0, 1.0], "order": "C", "axes": "ij"},
    "classes": ("shirt", "größer"),
    "commit": "abc123",
    "config": {"lr": 0.001, "steps": 120, "betas": [0.9, 0.999], "target_psnr": None},
}


def columns_of(n, first_id=0):
    """One entry for each view of objects of two views."""
    rows = np.arange(n)
    return {
        "object_id": (first_id + rows // 2).astype(np.int64),
        "view": (rows % 2).astype(np.int32),
        "label": (rows // 2 % 2).astype(np.int64),
        "split": np.array([("train", "val", "test")[i // 2 % 3] for i in rows], dtype=np.str_),
        "seed": np.full(n, 7, np.int64),
        "psnr": (40 + rows / 8).astype(np.float32),
        "attempts": np.ones(n, np.int32),
        "steps": np.full(n, 120, np.int32),
    }


def make_inr_set(n=5, *, n_failures=0, seed=0, statistics=None, **header):
    header = Header(**{**HEADER, **header})
    layout = header.layer_layout
    networks = random_networks(layout, max(n, 1), seed=seed, dtype=torch.float32)[:n]
    failures = columns_of(n_failures, first_id=10_000) if n_failures else empty_columns()
    return InrSet(header, networks, columns_of(n), failures, statistics)


@pytest.fixture(scope="session")
def make():
    return make_inr_set
