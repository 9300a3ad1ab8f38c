"""lam follows low + (high - low) Beta(alpha, beta), and comes from the generator alone."""

import pytest
import torch
from scipy.stats import beta as beta_distribution
from scipy.stats import kstest
from strategies import random_networks

from laws import assert_identical, assert_pure
from weightspace.augment.lam import Lam
from weightspace.rng import stream

W = random_networks((1, 1, 1), 2000)


@pytest.mark.parametrize(
    ("low", "high", "alpha", "beta"),
    [
        (0.0, 1.0, 1.0, 1.0),
        (0.7, 1.0, 1.0, 1.0),
        (0.0, 1.0, 0.3, 0.3),
        (0.0, 1.0, 5.0, 2.0),
        (0.5, 0.9, 1.0, 4.0),
        (0.2, 0.4, 2.0, 1.0),
    ],
)
def test_the_distribution_is_the_one_asked_for(low, high, alpha, beta) -> None:
    settings = Lam(low=low, high=high, alpha=alpha, beta=beta)
    lam = settings.draw_lam(W, generator=stream(0, "test"))
    expected = beta_distribution(alpha, beta, loc=low, scale=high - low)
    assert kstest(lam.numpy(), expected.cdf).pvalue > 0.01
    if alpha != beta:
        exchanged = beta_distribution(beta, alpha, loc=low, scale=high - low)
        assert kstest(lam.numpy(), exchanged.cdf).pvalue < 1e-6


@pytest.mark.parametrize("settings", [Lam(), Lam(alpha=0.01, beta=0.01)])
def test_lam_stays_a_share_in_float32(settings: Lam) -> None:
    lam = settings.draw_lam(W.to(torch.float32), generator=stream(0, "test"))
    assert lam.dtype == torch.float32
    assert lam.isfinite().all()
    assert lam.min() >= 0
    assert lam.max() <= 1


@pytest.mark.parametrize("settings", [Lam(), Lam(alpha=0.4, beta=0.4)])
def test_the_draw_is_pure_and_per_network(settings: Lam) -> None:
    draw = settings.draw_lam
    assert_pure(draw, W)
    lam = draw(W, generator=stream(0, "test"))
    assert len(lam.unique()) == len(W)
    assert not torch.equal(lam, draw(W, generator=stream(1, "test")))


def test_equal_ends_leave_no_choice() -> None:
    settings = Lam(low=0.3, high=0.3, alpha=0.4)
    lam = settings.draw_lam(W, generator=stream(0, "test"))
    assert_identical(lam, torch.full_like(lam, 0.3))
