"""What the two dropouts set to zero, and what they leave."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, uniform
from strategies import random_networks

from laws import assert_close, assert_identical
from weightspace.augment.dropout import Dropout, QuantileDropout
from weightspace.rng import stream


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_entries_are_zeroed_with_the_probability_and_kept_ones_rescaled(probability: float) -> None:
    w = random_networks((2, 20, 20, 3), 30)
    before, after = (v.flatten() for v in (w, Dropout(probability)(w, generator=stream(0, "test"))))
    zero = after == 0
    spread = (probability * (1 - probability) / before.numel()) ** 0.5
    assert abs(zero.double().mean() - probability) < 4 * spread
    assert_close(after[~zero], before[~zero] / (1 - probability))


def test_every_entry_keeps_its_mean() -> None:
    w = random_networks((2, 4, 1), 1)
    many = w[torch.zeros(4000, dtype=torch.int64)]
    mean = Dropout(0.3)(many, generator=stream(0, "test")).flatten().mean(0)
    expected = w.flatten()[0]
    assert ((mean - expected).abs() < 4 * expected.abs() * (0.3 / 0.7 / 4000) ** 0.5).all()


def test_every_tensor_is_thinned_biases_too() -> None:
    w = random_networks((20, 20, 20, 20), 5)
    for x in Dropout(0.5)(w, generator=stream(0, "test")):
        assert 0.3 < (x == 0).double().mean() < 0.7


def test_quantiles_by_a_loop_over_networks() -> None:
    w = random_networks((2, 9, 8, 1), 40)
    moved = QuantileDropout(0.7)(w, generator=stream(0, "test"))
    q = 0.7 * torch.rand(40, generator=stream(0, "test"), dtype=torch.float64)
    for before, after, share in zip(w.flatten(), moved.flatten(), q, strict=True):
        threshold = np.quantile(before.abs().numpy(), share.item())
        assert_identical(after, torch.where(before.abs() < threshold, 0, before))


@pytest.mark.parametrize("max_quantile", [0.1, 1.0])
def test_the_share_of_zeros_is_uniform(max_quantile: float) -> None:
    w = random_networks((2, 32, 32, 1), 400)
    moved = QuantileDropout(max_quantile)(w, generator=stream(0, "test")).flatten()
    share = (moved == 0).double().mean(1)
    assert share.max() <= max_quantile
    assert kstest(share.numpy(), uniform(0, max_quantile).cdf).pvalue > 0.01


def test_the_threshold_is_one_for_all_tensors_of_a_network() -> None:
    w = random_networks((2, 9, 8, 1), 40)
    small_biases = w.map(lambda x: 1e-3 * x if x.ndim == 2 else x.sign() + x)
    moved = QuantileDropout()(small_biases, generator=stream(0, "test"))
    assert any((b == 0).any() for b in moved.biases)
    assert not any((x == 0).any() for x in moved.weights)


def test_a_network_of_one_entry_per_tensor_can_be_thinned() -> None:
    w = random_networks((1, 1, 1), 20)
    moved = QuantileDropout(1.0)(w, generator=stream(0, "test"))
    assert ((moved.flatten() == 0).sum(1) < 4).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dropout(1.0), "probability is 1.0"),
        (lambda: Dropout(-0.1), "probability is -0.1"),
        (lambda: Dropout(float("nan")), "probability"),
        (lambda: QuantileDropout(1.1), "max_quantile is 1.1"),
        (lambda: QuantileDropout(float("nan")), "max_quantile"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
