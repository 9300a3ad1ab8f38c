"""The laws of MixUp, over everything that the dict lists."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from strategies import networks, random_networks, random_perms, random_signs
from torch import Tensor

from laws import (
    assert_close,
    assert_identical,
    assert_pure,
    assert_same_function,
    relative_error,
)
from weightspace.augment import MIXES
from weightspace.augment.build import build_mix
from weightspace.augment.mixup import Mix, draw_pairs
from weightspace.rng import stream
from weightspace.symmetry.permutation import permute
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights, cat

OMEGA_0 = 30.0

CASES: dict[str, dict[str, Any]] = {name: {"kind": name} for name in MIXES}
CASES |= {
    "aligned with signs": {"kind": "aligned", "signed": True},
    "leaky, aligned": {"kind": "leaky", "align": "permutation"},
    "leaky, aligned with signs": {"kind": "leaky", "align": "signed"},
}
IN_BATCH = [name for name, spec in CASES.items() if spec["kind"] != "leaky"]


@dataclass(frozen=True)
class Mixed:
    """What a mix made of a batch: `partner` is a row of `everyone`, the batch and a pool."""

    networks: Weights
    target: Tensor
    lam: Tensor
    partner: Tensor
    everyone: Weights


def make(case: str, w: Weights, **settings: Any) -> tuple[Mix, Tensor, Weights]:
    """The mix, a label of its own for each of the batch and of a pool, and all of these."""
    pool = random_networks(w.layer_layout, len(w), seed=99, scale=1 / OMEGA_0, dtype=w.dtype)
    labels = torch.eye(2 * len(w), dtype=torch.float64)
    spec = {**CASES[case], **settings}
    mix = build_mix(spec, pool=pool, pool_target=labels[len(w) :])
    assert mix is not None
    return mix, labels[: len(w)], cat([w, pool])


def mixed(case: str, w: Weights, *, seed: int = 2, **settings: Any) -> Mixed:
    """Mix `w`, and read lam and the partners off the labels."""
    mix, labels, everyone = make(case, w, **settings)
    v, target = mix(w, labels, generator=stream(seed, "law"))
    lam = target.diagonal()
    return Mixed(v, target, lam, (target - lam[:, None] * labels).argmax(1), everyone)


def _like(lam: Tensor, x: Tensor) -> Tensor:
    return lam.view(-1, *[1] * (x.ndim - 1))


@pytest.mark.parametrize("case", IN_BATCH)
def test_partners_come_from_the_batch_and_are_never_the_network_itself(case: str) -> None:
    for n in (2, 3, 4, 5, 8, 9):
        found = mixed(case, random_networks((2, 4, 3, 1), n), seed=n)
        assert (found.partner != torch.arange(n)).all()
        assert (found.partner < n).all()


@pytest.mark.parametrize("n", [4, 5])
def test_every_other_network_is_as_likely_a_partner(n: int) -> None:
    draws, count, generator = 600, torch.zeros(n, n), stream(0, "law")
    for _ in range(draws):
        pairs = draw_pairs(n, generator=generator, device=torch.device("cpu"))
        count[torch.arange(n), pairs.partner] += 1
    expected = draws / (n - 1)
    off_diagonal = count[~torch.eye(n, dtype=torch.bool)]
    assert (off_diagonal - expected).abs().max() < 4 * expected**0.5


@pytest.mark.parametrize("case", CASES)
class TestMix:
    def test_weights_are_mixed_with_the_partner_by_the_lam_of_the_label(self, case: str) -> None:
        @given(networks(min_batch=2, max_batch=5, scale=1 / OMEGA_0))
        def law(w: Weights) -> None:
            found = mixed(case, w)
            # What was mixed in is (mixed - lam w) / (1 - lam): it has the partner's function.
            other = found.networks.map(
                lambda m, x: (m - _like(found.lam, x) * x) / _like(1 - found.lam, x), w
            )
            assert_same_function(other, found.everyone[found.partner], omega_0=OMEGA_0)

        law()

    def test_labels_sum_to_one(self, case: str) -> None:
        target = mixed(case, random_networks((2, 4, 3, 1), 9)).target
        assert_close(target.sum(1), torch.ones(9).double())
        assert ((target > 0).sum(1) == 2).all()

    def test_lam_is_uniform_and_drawn_per_network(self, case: str) -> None:
        lam = mixed(case, random_networks((1, 2, 1), 1500)).lam
        assert len(lam.unique()) == len(lam)
        assert abs(lam.mean() - 0.5) < 0.03
        assert abs(lam.std() - 12**-0.5) < 0.02

    def test_the_settings_of_lam_are_kept_to(self, case: str) -> None:
        w = random_networks((1, 2, 1), 800)
        lam = mixed(case, w, low=0.6, high=0.8, alpha=2.0, beta=6.0).lam
        assert lam.min() >= 0.6
        assert lam.max() <= 0.8
        assert abs(lam.mean() - (0.6 + 0.2 * 2 / 8)) < 0.005

    def test_lam_of_one_returns_the_first(self, case: str) -> None:
        w = random_networks((2, 4, 3, 1), 5)
        found = mixed(case, w, low=1.0)
        assert_identical(found.networks, w)
        assert_identical(found.target, torch.eye(5, 10).double())

    def test_lam_of_zero_returns_the_partner(self, case: str) -> None:
        w = random_networks((2, 4, 3, 1), 5, scale=1 / OMEGA_0)
        found = mixed(case, w, high=0.0)
        assert_same_function(found.networks, found.everyone[found.partner], omega_0=OMEGA_0)
        assert (found.lam == 0).all()

    def test_a_hard_label_is_that_of_the_larger_share(self, case: str) -> None:
        w = random_networks((2, 4, 3, 1), 50)
        soft, hard = (mixed(case, w, hard_labels=x) for x in (False, True))
        assert_identical(hard.networks, soft.networks)
        owner = torch.where(soft.lam >= 0.5, torch.arange(50), soft.partner)
        assert_identical(hard.target, torch.eye(100).double()[owner])
        assert 10 < (owner == torch.arange(50)).sum() < 40

    def test_of_equal_shares_the_hard_label_is_its_own(self, case: str) -> None:
        w = random_networks((2, 4, 3, 1), 5)
        found = mixed(case, w, low=0.5, high=0.5, hard_labels=True)
        assert_identical(found.target, torch.eye(5, 10).double())

    def test_purity(self, case: str) -> None:
        w = random_networks((2, 6, 6, 1), 6)
        mix, labels, _ = make(case, w)
        assert_pure(mix, w, labels)

    def test_another_seed_gives_another_draw(self, case: str) -> None:
        w = random_networks((2, 6, 6, 1), 6)
        a, b = (mixed(case, w, seed=seed) for seed in (0, 1))
        assert relative_error(a.networks, b.networks) > 0

    def test_number_types_are_kept(self, case: str) -> None:
        found = mixed(case, random_networks((2, 4, 3, 1), 4, dtype=torch.float32))
        assert found.networks.dtype == torch.float32
        assert found.target.dtype == torch.float64

    def test_the_layout_is_kept(self, case: str) -> None:
        w = random_networks((2, 4, 3, 1), 4)
        assert mixed(case, w).networks.layer_layout == w.layer_layout

    def test_impossible_settings_of_lam_are_refused(self, case: str) -> None:
        w = random_networks((2, 4, 1))
        for settings, message in (
            ({"low": -0.1}, "low is -0.1 and high 1.0"),
            ({"high": 1.1}, "low is 0.0 and high 1.1"),
            ({"low": 0.6, "high": 0.5}, "low is 0.6 and high 0.5"),
            ({"alpha": 0.0}, "alpha is 0.0"),
            ({"beta": float("inf")}, "beta is inf"),
        ):
            with pytest.raises(ValueError, match=message):
                make(case, w, **settings)


@pytest.mark.parametrize("case", IN_BATCH)
def test_a_batch_of_one_comes_back_as_it_is(case: str) -> None:
    w = random_networks((2, 4, 3, 1), 1)
    found = mixed(case, w)
    assert_identical(found.networks, w)
    assert_identical(found.target, torch.eye(1, 2).double())


@pytest.mark.parametrize("signed", [False, True])
def test_aligned_mixing_with_a_copy_of_itself_returns_the_network(signed: bool) -> None:
    w = random_networks((2, 6, 2), 1)
    copy = permute(w, random_perms(w, 1))
    if signed:
        copy = flip_signs(copy, random_signs(w, 2))
    both = cat([w, copy])
    assert_close(mixed("aligned", both, signed=signed).networks, both)
    for case in ("direct", "randomised"):
        assert relative_error(mixed(case, both).networks, both) > 0.1


@pytest.mark.parametrize("align", ["permutation", "signed"])
def test_the_leaky_partner_is_aligned_too(align: str) -> None:
    w = random_networks((2, 6, 2), 4)
    pool = permute(w, random_perms(w, 1))
    if align == "signed":
        pool = flip_signs(pool, random_signs(w, 2))
    for i in range(4):
        spec, one = {"kind": "leaky", "align": align}, slice(i, i + 1)
        labels = torch.ones(1, 1)
        mix = build_mix(spec, pool=pool[one], pool_target=labels)
        assert mix is not None
        assert_close(mix(w[one], labels, generator=stream(0, "law"))[0], w[one])


def test_the_closer_the_alignment_the_closer_the_mixture() -> None:
    """Over a batch of one layout, alignment keeps mixtures larger: they cancel less."""
    w = random_networks((2, 16, 16, 1), 32)
    norms = {name: mixed(name, w).networks.flatten().norm(dim=1).mean() for name in IN_BATCH}
    assert norms["direct"] < norms["aligned"] < norms["aligned with signs"]
