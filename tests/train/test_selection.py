from functools import partial
from itertools import product

import numpy as np
import pytest
import torch

from weightspace.dataset.inr_dataset import load_inr_dataset
from weightspace.inr_set import COLUMNS
from weightspace.store import Header, InrSet, write_inrs
from weightspace.train.selection import needed, select_training, subset
from weightspace.weights import cat


def file_of(splits):
    """The columns of a file that holds `splits`, one after the other."""
    return {
        "split": np.repeat(list(splits), [len(d) for d in splits.values()]),
        "object_id": np.concatenate([d.object_ids.numpy() for d in splits.values()]),
        "view": np.concatenate([d.views.numpy() for d in splits.values()]),
    }


@pytest.mark.parametrize(
    ("views", "train_views", "pool", "objects"),
    [*product([1, 2], [None, 3, 4], [False, True], [None, 6])],
)
def test_a_cell_gets_from_the_needed_networks_what_it_gets_from_all(
    splits, views, train_views, pool, objects
):
    # The fits of object 3 failed but for view 2: it still counts among the objects.
    full = splits["train"]
    splits["train"] = full[(full.object_ids != 3) | (full.views == 2)]
    keep = needed(file_of(splits), views=views, train_views=train_views, pool=pool)
    parts = np.split(keep, np.cumsum([len(d) for d in splits.values()])[:-1])
    kept = {
        name: d[torch.from_numpy(mask)]
        for (name, d), mask in zip(splits.items(), parts, strict=True)
    }
    a, b = (
        select_training(d["train"], views=views, objects=objects, train_views=train_views)
        for d in (splits, kept)
    )
    pairs = [(a.train, b.train), (a.internal, b.internal)]
    pairs += [(a.pool(), b.pool())] if pool else []
    pairs += [(splits[name].select(views=1), kept[name]) for name in ("val", "test")]
    for one, other in pairs:
        assert torch.equal(one.inputs.flatten(), other.inputs.flatten())
        assert torch.equal(one.object_ids, other.object_ids)
    assert torch.equal(splits["train"].object_ids.unique(), kept["train"].object_ids.unique())
    if not pool and train_views == 4:
        assert len(kept["train"]) == 15 * views + 1


def test_a_subset_has_no_example_twice_and_keeps_the_order(inrs):
    dataset = inrs(20)
    drawn = subset(dataset, 7, generator=torch.Generator().manual_seed(0)).object_ids.tolist()
    assert drawn == sorted(set(drawn)) and len(drawn) == 7
    generator = torch.Generator().manual_seed(0)
    assert len(subset(dataset, 30, generator=generator)) == 20


def test_a_file_gives_the_needed_networks_alone(splits, tmp_path):
    columns = file_of(splits)
    n = len(columns["view"])
    numbers = {name: np.ones(n, dtype) for name, dtype in COLUMNS.items() if name != "split"}
    labels = torch.cat([d.labels for d in splits.values()]).numpy()
    columns = numbers | columns | {"label": labels, "view": columns["view"].astype(np.int32)}
    header = Header(
        dataset="made_up",
        layer_layout=(2, 3, 2),
        omega_0=30.0,
        output_offset=0.5,
        coords={},
        classes=("a", "b"),
        commit="0",
        config={},
    )
    weights = cat([d.weights for d in splits.values()])
    write_inrs(tmp_path / "a.h5", InrSet(header, weights, columns))
    settings = {"views": 2, "train_views": 3, "pool": False}
    found = load_inr_dataset(tmp_path / "a.h5", keep=partial(needed, **settings))
    assert {name: set(d.views.tolist()) for name, d in found.items()} == {
        "train": {0, 1, 3},
        "val": {0},
        "test": {0},
    }
    for name, d in found.items():
        full = splits[name]
        expected = full[torch.isin(full.views, d.views)]
        assert torch.equal(d.weights.flatten(), expected.weights.flatten())
        assert torch.equal(d.labels, expected.labels)
