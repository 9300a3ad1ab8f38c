"""The laws of augmentations and of MixUp, over everything that the dicts list."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from strategies import networks, random_networks, random_perms, random_signs
from torch import Tensor

from laws import (
    assert_close,
    assert_draws_per_network,
    assert_identical,
    assert_pure,
    assert_same_function,
    relative_error,
)
from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.augment.mixup import draw_pairs
from weightspace.rng import stream
from weightspace.siren import siren
from weightspace.symmetry.permutation import permute
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights, cat

OMEGA_0 = 30.0

# Every augmentation is held to preserve the function, unless it is listed here.
INEXACT = {"gaussian_noise"}
# The settings that make it the identity; None where it has no strength.
ZERO: dict[str, dict[str, float] | None] = {
    "permutation": None,
    "sign_flip": {"probability": 0.0},
    "gaussian_noise": {"scale": 0.0},
}
ALL_MIXES: dict[str, Any] = {name: mix() for name, mix in MIXES.items()}
ALL_MIXES["aligned with signs"] = MIXES["aligned"](signed=True)


def _one_hot(w: Weights) -> Tensor:
    """One class per network, so that a mixed target tells the partner and lam."""
    return torch.eye(len(w), dtype=w.dtype)


def _reveal(target: Tensor) -> tuple[Tensor, Tensor]:
    """The lam and the partner of each network, from targets that were `_one_hot`."""
    lam = target.diagonal()
    return lam, (target - torch.diag(lam)).argmax(1)


@pytest.mark.parametrize("name", AUGMENTATIONS)
class TestAugmentation:
    def test_function_is_preserved_by_the_exact_ones(self, name: str) -> None:
        @given(networks(scale=1 / OMEGA_0))
        def law(w: Weights) -> None:
            moved = AUGMENTATIONS[name]()(w, generator=stream(1, "law"))
            assert_same_function(moved, w, omega_0=OMEGA_0)

        if name in INEXACT:
            with pytest.raises(AssertionError, match="functions differ"):
                law()
        else:
            law()

    def test_every_network_gets_its_own_draw(self, name: str) -> None:
        assert_draws_per_network(AUGMENTATIONS[name](), random_networks((2, 8, 8, 1)), copies=8)

    def test_purity(self, name: str) -> None:
        assert_pure(AUGMENTATIONS[name](), random_networks((2, 8, 8, 1)))

    def test_another_seed_gives_another_draw(self, name: str) -> None:
        w, augment = random_networks((2, 8, 8, 1)), AUGMENTATIONS[name]()
        a, b = (augment(w, generator=stream(seed, "law")) for seed in (0, 1))
        assert relative_error(a, b) > 0

    def test_zero_strength_is_the_identity(self, name: str) -> None:
        zero = ZERO[name]
        if zero is not None:
            w = random_networks((2, 8, 8, 1))
            assert_identical(AUGMENTATIONS[name](**zero)(w, generator=stream(0, "law")), w)

    def test_the_type_of_the_numbers_is_kept(self, name: str) -> None:
        w = random_networks((2, 8, 8, 1), dtype=torch.float32)
        assert AUGMENTATIONS[name]()(w, generator=stream(0, "law")).dtype == torch.float32


@pytest.fixture(params=ALL_MIXES)
def mix(request: pytest.FixtureRequest) -> Callable[..., tuple[Weights, Tensor]]:
    return ALL_MIXES[request.param]


def test_partners_come_from_the_batch_and_are_never_the_network_itself(mix: Any) -> None:
    for n in (2, 3, 4, 5, 8, 9):
        w = random_networks((2, 4, 3, 1), n)
        _, target = mix(w, _one_hot(w), generator=stream(n, "law"))
        lam, partner = _reveal(target)
        assert (partner != torch.arange(n)).all()
        assert_close(lam + target.gather(1, partner[:, None])[:, 0], torch.ones(n).double())


@pytest.mark.parametrize("n", [4, 5])
def test_every_other_network_is_as_likely_a_partner(n: int) -> None:
    draws, count, generator = 600, torch.zeros(n, n), stream(0, "law")
    for _ in range(draws):
        pairs = draw_pairs(n, generator=generator, device=torch.device("cpu"))
        count[torch.arange(n), pairs.partner] += 1
    expected = draws / (n - 1)
    off_diagonal = count[~torch.eye(n, dtype=torch.bool)]
    assert (off_diagonal - expected).abs().max() < 4 * expected**0.5


def test_weights_are_mixed_with_the_partner_by_the_lam_of_the_target(mix: Any) -> None:
    @given(networks(min_batch=2, max_batch=5, scale=1 / OMEGA_0))
    def law(w: Weights) -> None:
        mixed, target = mix(w, _one_hot(w), generator=stream(2, "law"))
        lam, partner = _reveal(target)
        # What was mixed in is (mixed - lam w) / (1 - lam): a network with the partner's function.
        other = mixed.map(
            lambda m, x: (m - _like(lam, x) * x) / _like(1 - lam, x),
            w,
        )
        assert_same_function(other, w[partner], omega_0=OMEGA_0)

    law()


def _like(lam: Tensor, x: Tensor) -> Tensor:
    return lam.view(-1, *[1] * (x.ndim - 1))


def test_lam_is_uniform_and_drawn_per_network(mix: Any) -> None:
    w = random_networks((1, 2, 1), 1500)
    lam, _ = _reveal(mix(w, _one_hot(w), generator=stream(0, "law"))[1])
    assert len(lam.unique()) == len(lam)
    assert abs(lam.mean() - 0.5) < 0.03
    assert abs(lam.std() - 12**-0.5) < 0.02


@pytest.mark.parametrize("name", MIXES)
def test_lam_of_one_returns_the_first(name: str) -> None:
    w = random_networks((2, 4, 3, 1), 5)
    mixed, target = MIXES[name](lam_min=1.0)(w, _one_hot(w), generator=stream(0, "law"))
    assert_identical(mixed, w)
    assert_identical(target, _one_hot(w))


@pytest.mark.parametrize("name", MIXES)
def test_lam_min_bounds_the_share(name: str) -> None:
    w = random_networks((2, 4, 1), 200)
    lam, _ = _reveal(MIXES[name](lam_min=0.8)(w, _one_hot(w), generator=stream(0, "law"))[1])
    assert lam.min() >= 0.8
    assert lam.max() > 0.98
    for lam_min in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"lam_min is {lam_min}"):
            MIXES[name](lam_min=lam_min)


def test_mixing_is_pure(mix: Any) -> None:
    w = random_networks((2, 6, 6, 1), 6)
    assert_pure(mix, w, _one_hot(w))


def test_a_batch_of_one_comes_back_as_it_is(mix: Any) -> None:
    w = random_networks((2, 4, 3, 1), 1)
    mixed, target = mix(w, _one_hot(w), generator=stream(0, "law"))
    assert_identical(mixed, w)
    assert_identical(target, _one_hot(w))


def test_number_types_are_kept(mix: Any) -> None:
    w = random_networks((2, 4, 3, 1), 4, dtype=torch.float32)
    mixed, target = mix(w, torch.eye(4).double(), generator=stream(0, "law"))
    assert mixed.dtype == torch.float32
    assert target.dtype == torch.float64


@pytest.mark.parametrize("signed", [False, True])
def test_aligned_mixing_with_a_copy_of_itself_returns_the_network(signed: bool) -> None:
    w = random_networks((2, 6, 2), 1)
    copy = permute(w, random_perms(w, 1))
    if signed:
        copy = flip_signs(copy, random_signs(w, 2))
    both = cat([w, copy])
    aligned = MIXES["aligned"](signed=signed)
    mixed, _ = aligned(both, _one_hot(both), generator=stream(0, "law"))
    assert_close(mixed, both)
    for other in (MIXES["direct"](), MIXES["randomised"]()):
        assert (
            relative_error(other(both, _one_hot(both), generator=stream(0, "law"))[0], both) > 0.1
        )


def test_the_closer_the_alignment_the_closer_the_mixture() -> None:
    """Over a batch of one layout, alignment keeps mixtures larger: they cancel less."""
    w = random_networks((2, 16, 16, 1), 32)
    norms = {}
    for name, mix in ALL_MIXES.items():
        mixed, _ = mix(w, _one_hot(w), generator=stream(0, "law"))
        norms[name] = mixed.flatten().norm(dim=1).mean()
    assert norms["direct"] < norms["aligned"] < norms["aligned with signs"]


def test_every_augmentation_states_its_zero() -> None:
    assert ZERO.keys() == AUGMENTATIONS.keys()
    assert AUGMENTATIONS.keys() >= INEXACT


def test_mixtures_are_networks_of_the_same_layout(mix: Any) -> None:
    w = random_networks((2, 4, 3, 1), 4)
    mixed, _ = mix(w, _one_hot(w), generator=stream(0, "law"))
    coords = torch.zeros(1, 2, dtype=w.dtype)
    assert siren(mixed, coords, omega_0=OMEGA_0).shape == (4, 1, 1)
