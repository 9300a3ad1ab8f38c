"""The pairing and the three MixUp schemes against loops over the networks."""

import pytest
import torch
from strategies import random_networks

from laws import assert_close, assert_identical
from weightspace.augment.mixup import AlignedMixUp, DirectMixUp, RandomisedMixUp, draw_pairs
from weightspace.rng import stream
from weightspace.symmetry.matching import apply_matching, match

CPU = torch.device("cpu")


@pytest.mark.parametrize("n", [2, 3, 4, 7, 10])
def test_pairs_go_both_ways(n: int) -> None:
    pairs = draw_pairs(n, generator=stream(n, "test"), device=CPU)
    partner = pairs.partner
    assert_identical(partner[pairs.first], pairs.second)
    mutual = partner[partner] == torch.arange(n)
    assert mutual.sum() == n - n % 2
    assert len(torch.cat([pairs.first, pairs.second]).unique()) == n


def test_direct_mixing_by_a_loop() -> None:
    w, target = random_networks((2, 4, 1), 5), torch.eye(5).double()
    mixed, mixed_target = DirectMixUp()(w, target, generator=stream(0, "test"))
    generator = stream(0, "test")
    partner = draw_pairs(5, generator=generator, device=CPU).partner
    lam = torch.rand(5, generator=generator, dtype=torch.float64)
    for i, j in enumerate(partner.tolist()):
        expected = lam[i] * w.flatten()[i] + (1 - lam[i]) * w.flatten()[j]
        assert_close(mixed.flatten()[i], expected)
        assert_close(mixed_target[i], lam[i] * target[i] + (1 - lam[i]) * target[j])


def test_randomised_mixing_relabels_each_partner_apart() -> None:
    w, target = (
        random_networks((2, 6, 6, 1), 1)[torch.zeros(6, dtype=torch.int64)],
        torch.eye(6).double(),
    )
    mixed, mixed_target = RandomisedMixUp()(w, target, generator=stream(0, "test"))
    lam = mixed_target.diagonal()[:, None]
    others = (mixed.flatten() - lam * w.flatten()) / (1 - lam)
    assert_close(others.sort(1).values, w.flatten().sort(1).values)  # the same numbers ...
    assert len(others.round(decimals=6).unique(dim=0)) == 6  # ... each in an order of its own


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("n", [6, 7])
def test_aligned_mixing_by_a_loop_that_matches_every_partner(n: int, signed: bool) -> None:
    """With one hidden layer a matching is the best there is, whichever side it starts from."""
    w, target = random_networks((2, 6, 1), n), torch.eye(n).double()
    mixed, mixed_target = AlignedMixUp(signed=signed)(w, target, generator=stream(0, "test"))
    for i in range(n):
        lam = mixed_target[i, i]
        j = int((mixed_target[i] - lam * target[i]).argmax())
        a, b = w[i : i + 1], w[j : j + 1]
        other = apply_matching(b, match(a, b, signed=signed))
        assert_close(mixed.flatten()[i], lam * a.flatten()[0] + (1 - lam) * other.flatten()[0])


def test_aligned_mixing_passes_its_settings_on() -> None:
    w, target = random_networks((2, 6, 6, 1), 6), torch.eye(6).double()
    results = [
        mix(w, target, generator=stream(0, "test"))[0].flatten()
        for mix in (AlignedMixUp(), AlignedMixUp(signed=True), AlignedMixUp(sweeps=0))
    ]
    assert not torch.equal(results[0], results[1])
    assert_identical(results[2], DirectMixUp()(w, target, generator=stream(0, "test"))[0].flatten())
