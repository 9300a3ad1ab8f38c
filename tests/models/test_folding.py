from itertools import pairwise

import pytest
import torch
from hypothesis import given
from strategies import networks, random_networks
from unfolding import unfold

from laws import assert_identical, assert_no_mutation
from weightspace.models.folding import fold, folded_channels


@given(networks(channels=(3,)))
def test_unfold_undoes_fold(w):
    assert_identical(unfold(fold(w), w.layer_layout), w)


@given(networks(channels=None))
def test_folded_shapes_are_the_declared_ones(w):
    x = fold(w)
    channels = folded_channels(w.layer_layout, *w.channels)
    _, *widths, _ = w.layer_layout
    assert [v.shape for v in x.vectors] == [
        (len(w), n, c) for n, c in zip(widths, channels.vectors, strict=True)
    ]
    assert [m.shape for m in x.matrices] == [
        (len(w), above, below, channels.matrix) for below, above in pairwise(widths)
    ]
    assert x.scalars.shape == (len(w), channels.scalars)


def test_each_neuron_keeps_its_own_weights():
    w = random_networks((2, 3, 4, 2), channels=())
    x = fold(w)
    first, second = x.vectors
    for i in range(3):
        expected = torch.cat([w.biases[0][:, i : i + 1], w.weights[0][:, i, :]], dim=1)
        assert_identical(first[:, i], expected)
    for i in range(4):
        expected = torch.cat([w.biases[1][:, i : i + 1], w.weights[2][:, :, i]], dim=1)
        assert_identical(second[:, i], expected)
    assert_identical(x.matrices[0][..., 0], w.weights[1])
    assert_identical(x.scalars, w.biases[2])


def test_one_hidden_layer_holds_everything():
    w = random_networks((2, 5, 3))
    x = fold(w)
    assert x.matrices == ()
    assert [v.shape for v in x.vectors] == [(3, 5, 1 + 2 + 3)]
    assert_identical(x.vectors[0][:, 4, 1:3], w.weights[0][:, 4])
    assert_identical(x.vectors[0][:, 4, 3:], w.weights[1][:, :, 4])


def test_fold_writes_into_nothing():
    assert_no_mutation(fold, random_networks((2, 3, 3, 1), channels=(2,)))


def test_no_hidden_layer_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 1\) has no hidden layer.*at least three"):
        fold(random_networks((2, 1)))


def test_two_channel_axes_are_refused():
    with pytest.raises(ValueError, match=r"at most one channel axis; got \(2, 3\)"):
        fold(random_networks((2, 3, 1), channels=(2, 3)))
