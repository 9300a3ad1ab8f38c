"""Training for predictions that agree on two views of one object."""

from itertools import islice

import pytest
import torch
from torch import nn

from weightspace.augment import MIXES
from weightspace.dataset.statistics import tensor_statistics
from weightspace.rng import stream
from weightspace.train.cell import train_cell
from weightspace.train.losses import one_hot, soft_cross_entropy, symmetric_kl
from weightspace.train.pairs import view_pairs
from weightspace.train.supervised import predict, train_supervised

SETTINGS = {
    "mix": None,
    "updates": 6,
    "batch_size": 8,
    "lr": 0.05,
    "weight_decay": 0.0,
    "warmup": 0,
    "evaluate_every": 1,
}
CELL = {
    "model": {"kind": "mlp", "width": 16, "depth": 1},
    "views": 3,
    "seeds": [0],
    **{k: v for k, v in SETTINGS.items() if k != "mix"},
}


class Linear(nn.Module):
    """Logits linear in all weights; keeps what it gave while training."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.linear = nn.Linear(17, 2)
        self.gave = []

    def forward(self, w):
        logits = self.linear(w.flatten())
        if self.training:
            self.gave.append(logits.detach().clone())
        return logits


class Watched:
    """An augmentation that changes nothing and keeps what it is given."""

    def __init__(self):
        self.given = []

    def __call__(self, w, *, generator):
        self.given.append(w.flatten())
        return w


def fit(model, train, val, *, augment=None, **settings):
    return train_supervised(
        model,
        train,
        val,
        augment=augment,
        statistics=tensor_statistics(train.weights),
        generator=stream(0, "train"),
        **{**SETTINGS, **settings},
    )


def rows_of(dataset, networks):
    """The row in a dataset of each of these flat networks."""
    return (dataset.weights.flatten()[:, None] == networks).all(dim=2).int().argmax(dim=0)


def draw(dataset, count, batch_size, **settings):
    drawn = view_pairs(dataset, batch_size=batch_size, generator=stream(0), **settings)
    return list(islice(drawn, count))


# -- the pairs -------------------------------------------------------------------------------


def test_a_batch_is_two_views_of_each_of_half_as_many_objects(inrs):
    dataset = inrs(12, views=4, first_id=50)
    drawn = draw(dataset, 6, 8)
    for index, networks in drawn:
        one, other = index.chunk(2)
        assert len(index) == len(networks) == 8
        assert torch.equal(dataset.object_ids[one], dataset.object_ids[other])
        assert (dataset.views[one] != dataset.views[other]).all()
        assert torch.equal(networks.flatten(), dataset.weights[index].flatten())
    # Two epochs of the objects, and each is in another order.
    epochs = dataset.object_ids[torch.cat([i[:4] for i, _ in drawn])].view(2, 12)
    assert all(epoch.sort().values.tolist() == list(range(50, 62)) for epoch in epochs)
    assert not torch.equal(*epochs)


def test_batches_that_are_left_out_are_those_at_the_start(inrs):
    dataset = inrs(12, views=4)
    whole, left = draw(dataset, 9, 8), draw(dataset, 2, 8, skip=7)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(whole[7:], left, strict=True))


def test_an_object_with_one_view_is_in_no_pair(inrs):
    dataset = inrs(6, views=2)[torch.arange(1, 12)]
    index = torch.cat([i for i, _ in draw(dataset, 20, 4)])
    assert dataset.object_ids[index].unique().tolist() == [1, 2, 3, 4, 5]


def test_an_update_reads_as_many_networks_as_any_and_both_of_a_pair_are_augmented(inrs):
    train, val = inrs(12, views=3), inrs(6, seed=1)
    for consistency in (0.0, 1.0):
        watched = Watched()
        fit(Linear(), train, val, augment=watched, consistency=consistency)
        assert [len(w) for w in watched.given] == [8] * 6
        ids = train.object_ids[rows_of(train, torch.cat(watched.given))].view(6, 2, 4)
        assert torch.equal(ids[:, 0], ids[:, 1]) == bool(consistency)


# -- the loss --------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_the_loss_is_the_cross_entropy_and_the_weighted_divergence(inrs, weight):
    train, model, watched = inrs(12, views=3), Linear(), Watched()
    rows = fit(model, train, inrs(6, seed=1), augment=watched, consistency=weight).rows
    parts = []
    for row, logits, networks in zip(rows, model.gave, watched.given, strict=True):
        target = one_hot(train.labels[rows_of(train, networks)], 2)
        parts.append((soft_cross_entropy(logits, target), symmetric_kl(logits[:4], logits[4:])))
        assert row["loss"] == pytest.approx((parts[-1][0] + weight * parts[-1][1]).item())
    assert all(divergence > 1e-3 for _, divergence in parts)


def test_a_large_weight_brings_the_predictions_of_views_together(inrs):
    train, val = inrs(20, views=2), inrs(10, seed=1)
    apart = []
    for consistency in (1e-9, 10.0):
        model = Linear()
        fit(model, train, val, consistency=consistency, updates=30, evaluate_every=30)
        logits = predict(model, train, tensor_statistics(train.weights), 8)
        apart.append(symmetric_kl(logits[::2], logits[1::2]).item())
    assert apart[1] < apart[0] / 3


def test_a_weight_of_zero_is_none(splits):
    scheme = {"augment": [{"kind": "gaussian_noise"}], "mix": {"kind": "direct"}}
    found, expected = (
        train_cell(splits, scheme=s, **CELL) for s in ({**scheme, "consistency": 0.0}, scheme)
    )
    assert found.history == expected.history
    assert torch.equal(found.predictions[0].logits, expected.predictions[0].logits)


# -- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"consistency": -1.0}, "consistency is -1.0; it must be at least 0 and finite"),
        ({"consistency": float("nan")}, "consistency is nan"),
        ({"consistency": 1.0, "batch_size": 7}, "batch_size is 7; it must be even, for pairs"),
        ({"consistency": 1.0, "mix": MIXES["direct"]()}, "mixtures are of two objects"),
    ],
)
def test_impossible_settings_are_refused(inrs, settings, message):
    with pytest.raises(ValueError, match=message):
        fit(Linear(), inrs(12, views=2), inrs(6), **settings)


def test_one_view_and_raw_data_are_refused(splits, pictures):
    scheme = {"consistency": 1.0}
    with pytest.raises(ValueError, match="need objects with two views; here each has only one"):
        train_cell(splits, scheme=scheme, **{**CELL, "views": 1})
    with pytest.raises(ValueError, match="pairs networks, but the model reads raw data"):
        train_cell(pictures, scheme=scheme, **{**CELL, "model": {"kind": "pixel_cnn"}, "views": 1})
