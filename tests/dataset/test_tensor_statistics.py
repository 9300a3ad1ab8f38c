"""One mean and deviation per tensor, as a loop finds them; constants are left unscaled."""

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies import networks, networks_and, random_networks, random_perms
from torch.overrides import TorchFunctionMode

from weightspace.dataset import statistics as statistics_module
from weightspace.dataset.statistics import Statistics, standardise, tensor_statistics
from weightspace.symmetry.permutation import permute
from weightspace.weights import Weights

PIXELS = torch.arange(3 * 4 * 5 * 3, dtype=torch.uint8).reshape(3, 4, 5, 3)


@given(networks(min_batch=2, dtype=torch.float32))
def test_statistics_are_those_of_numpy(w):
    statistics = tensor_statistics(w)
    for x, mean, std in zip(w, statistics.mean, statistics.std, strict=True):
        values = x.double().numpy()
        assert mean == pytest.approx(values.mean(), rel=1e-6, abs=1e-7)
        assert std == pytest.approx(values.std(), rel=1e-5)


@pytest.mark.parametrize("chunk", [1, 20, 64])
@pytest.mark.parametrize("x", [random_networks((2, 7, 3), 50, seed=3, dtype=torch.float32), PIXELS])
def test_however_few_at_a_time_the_numbers_are_those_of_the_formula(x, chunk, monkeypatch):
    monkeypatch.setattr(statistics_module, "_CHUNK", chunk)
    found = tensor_statistics(x)
    for t, mean, std in zip([x] if x is PIXELS else x, found.mean, found.std, strict=True):
        values = t.double()
        assert mean == pytest.approx(values.mean().item(), rel=1e-12, abs=1e-12)
        assert std == pytest.approx(
            (values - values.mean()).square().mean().item() ** 0.5, rel=1e-6
        )


def test_chosen_rows_are_as_the_networks_of_these_rows():
    w = random_networks((2, 7, 3), 50, seed=3, dtype=torch.float32)
    rows = torch.arange(0, 50, 3)
    assert tensor_statistics(w, rows) == tensor_statistics(w[rows])
    with pytest.raises(ValueError, match="at least one network"):
        tensor_statistics(w, rows[:0])


class Largest(TorchFunctionMode):
    """Notes the most entries that anything computed from a tensor has."""

    entries = 0

    def __torch_function__(self, f, types, args=(), kwargs=None):
        found = f(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.entries = max(self.entries, found.numel())
        return found


@pytest.mark.parametrize("rows", [None, torch.arange(1, 400)])
def test_no_large_tensor_is_copied(rows, monkeypatch):
    monkeypatch.setattr(statistics_module, "_CHUNK", 100)
    w = random_networks((2, 10, 1), 400, dtype=torch.float32)
    with Largest() as largest:
        tensor_statistics(w, rows)
    assert 80 <= largest.entries <= 100
    with Largest() as largest:  # the watch sees a copy
        w.weights[0].double()
    assert largest.entries == 8000


@given(networks(min_batch=2, channels=None))
def test_standardised_networks_have_mean_0_and_deviation_1(w):
    for x in standardise(w, tensor_statistics(w)):
        assert x.mean().item() == pytest.approx(0, abs=1e-6)
        assert x.std(correction=0).item() == pytest.approx(1, abs=1e-6)


@given(networks_and(random_perms, min_batch=2))
def test_standardising_commutes_with_permutations(case):
    w, perms = case
    statistics = tensor_statistics(w)
    a = permute(standardise(w, statistics), perms)
    b = standardise(permute(w, perms), statistics)
    assert torch.equal(a.flatten(), b.flatten())


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1e-20, 3e7])
def test_a_constant_tensor_becomes_zero(value):
    w = random_networks((2, 3, 1), 5, dtype=torch.float32)
    w = Weights(w.weights, (w.biases[0], torch.full_like(w.biases[1], value)))
    statistics = tensor_statistics(w)
    assert statistics.std[3] == 1.0
    result = standardise(w, statistics)
    torch.testing.assert_close(result.biases[1], torch.zeros(5, 1))
    assert all(x.isfinite().all() for x in result)


def test_one_entry_is_constant():
    w = random_networks((1, 1), 1, dtype=torch.float32)
    statistics = tensor_statistics(w)
    assert statistics.std == (1.0, 1.0)
    assert standardise(w, statistics).flatten().abs().max() == 0


def test_a_small_deviation_is_kept():
    w = random_networks((2, 3, 1), 50, scale=1e-12, dtype=torch.float32)
    assert max(tensor_statistics(w).std) < 2e-12


def test_numbers_are_plain_and_equal_for_equal_networks():
    w = random_networks((2, 3, 1), 4, dtype=torch.float32)
    a, b = tensor_statistics(w), tensor_statistics(w.map(torch.clone))
    assert a == b
    assert all(type(x) is float for x in (*a.mean, *a.std))
    assert standardise(w, a).dtype == torch.float32


def test_nothing_is_written_into_the_networks():
    w = random_networks((2, 3, 1), 4)
    before = w.flatten().clone()
    standardise(w, tensor_statistics(w))
    assert torch.equal(w.flatten(), before)


def test_order_is_all_weights_then_all_biases():
    w = random_networks((2, 3, 1), 40)
    moved = Weights(w.weights, tuple(b + 100 * (l + 1) for l, b in enumerate(w.biases)))
    assert np.allclose(tensor_statistics(moved).mean, [0, 0, 100, 200], atol=1)


def test_bad_arguments():
    w = random_networks((2, 3, 1), 4)
    with pytest.raises(ValueError, match="at least one network"):
        tensor_statistics(w[:0])
    with pytest.raises(ValueError, match=r"1 means and 1 deviations.*\(2, 3, 1\) need 4"):
        standardise(w, Statistics((0.0,), (1.0,)))
