"""The laws of augmentations, over everything that the dict lists."""

from typing import Any

import pytest
import torch
from hypothesis import given
from strategies import networks, random_networks, random_perms, random_signs

from laws import (
    assert_draws_per_network,
    assert_equivariant,
    assert_identical,
    assert_independent_networks,
    assert_pure,
    assert_same_function,
    assert_transforms_inputs,
    function_error,
    relative_error,
)
from weightspace.augment import AUGMENTATIONS
from weightspace.augment.build import build_augment
from weightspace.augment.compose import Augmentation
from weightspace.rng import stream
from weightspace.symmetry.permutation import permute
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights

OMEGA_0 = 30.0

# Every augmentation is held to preserve the function, unless it is listed in one of these two.
INPUT_SPACE = {"rotate", "scale", "translate"}
INEXACT = {"gaussian_noise", "dropout", "quantile_dropout", "self_mixup"}
# What it draws does not look at the order and the signs of the neurons.
COMMUTING = [*sorted(INPUT_SPACE), "quantile_dropout"]
# The settings that make it the identity; None where it has no strength.
ZERO: dict[str, dict[str, float] | None] = {
    "rotate": {"max_angle": 0.0},
    "scale": {"low": 1.0, "high": 1.0},
    "translate": {"max_shift": 0.0},
    "gaussian_noise": {"scale": 0.0},
    "dropout": {"probability": 0.0},
    "quantile_dropout": {"max_quantile": 0.0},
    "sign_flip": {"probability": 0.0},
    "phase_shift": {"low": 0, "high": 0},
    "permutation": None,
    "self_mixup": {"low": 1.0, "high": 1.0},
}


def make(name: str, **settings: Any) -> Augmentation:
    return build_augment([{"kind": name, **settings}], omega_0=OMEGA_0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
class TestAugmentation:
    def test_function_is_preserved_by_the_exact_ones(self, name: str) -> None:
        @given(networks(scale=1 / OMEGA_0, min_inputs=2))
        def law(w: Weights) -> None:
            moved = make(name)(w, generator=stream(1, "law"))
            assert_same_function(moved, w, omega_0=OMEGA_0)

        if name not in INEXACT | INPUT_SPACE:
            law()

    def test_function_is_changed_by_the_others(self, name: str) -> None:
        if name in INEXACT | INPUT_SPACE:
            w = random_networks((2, 6, 6, 1), 8, scale=1 / OMEGA_0)
            moved = make(name)(w, generator=stream(1, "law"))
            for i in range(8):
                assert function_error(w[i : i + 1], moved[i : i + 1], omega_0=OMEGA_0) > 1e-7

    @pytest.mark.parametrize("d_in", [2, 3])
    def test_every_network_gets_its_own_draw(self, name: str, d_in: int) -> None:
        # Wide, so that two quantiles seldom leave the same entries.
        assert_draws_per_network(make(name), random_networks((d_in, 32, 32, 1)), copies=4)

    def test_no_network_feels_another(self, name: str) -> None:
        assert_independent_networks(make(name), random_networks((2, 6, 6, 1)))

    def test_purity(self, name: str) -> None:
        assert_pure(make(name), random_networks((2, 8, 8, 1)))

    def test_another_seed_gives_another_draw(self, name: str) -> None:
        w, augment = random_networks((2, 8, 8, 1)), make(name)
        a, b = (augment(w, generator=stream(seed, "law")) for seed in (0, 1))
        assert relative_error(a, b) > 0

    def test_zero_strength_is_the_identity(self, name: str) -> None:
        zero = ZERO[name]
        if zero is not None:
            for d_in in (2, 3):
                w = random_networks((d_in, 8, 8, 1))
                assert_identical(make(name, **zero)(w, generator=stream(0, "law")), w)

    def test_the_type_of_the_numbers_is_kept(self, name: str) -> None:
        w = random_networks((2, 8, 8, 1), dtype=torch.float32)
        moved = make(name)(w, generator=stream(0, "law"))
        assert {x.dtype for x in moved} == {torch.float32}


@pytest.mark.parametrize("name", sorted(INPUT_SPACE))
@pytest.mark.parametrize("layout", [(2, 6, 5, 4, 1), (3, 7, 2), (3, 6, 6, 1)])
def test_the_input_space_ones_move_the_inputs_and_nothing_else(
    name: str, layout: tuple[int, ...]
) -> None:
    w = random_networks(layout, 4, scale=1 / OMEGA_0)
    moved = make(name)(w, generator=stream(0, "law"))
    # The matrix and the shift are read off the first layer; the function must be theirs.
    matrix = torch.linalg.lstsq(w.weights[0], moved.weights[0]).solution
    shift = torch.linalg.lstsq(w.weights[0], (moved.biases[0] - w.biases[0])[..., None]).solution
    assert_transforms_inputs(moved, w, matrix, shift[..., 0], omega_0=OMEGA_0)
    assert_identical(moved.weights[1:], w.weights[1:])
    assert_identical(moved.biases[1:], w.biases[1:])


@pytest.mark.parametrize("name", COMMUTING)
def test_the_order_and_the_signs_of_neurons_do_not_matter(name: str) -> None:
    @given(networks(min_inputs=2))
    def law(w: Weights) -> None:
        def augment(v: Weights) -> Weights:
            return make(name)(v, generator=stream(0, "law"))

        assert_equivariant(augment, w, lambda v: permute(v, random_perms(v, 1)))
        assert_equivariant(augment, w, lambda v: flip_signs(v, random_signs(v, 1)))

    law()


def test_an_aligned_copy_has_the_order_and_the_signs_of_its_network() -> None:
    """With one hidden layer a matching finds its element in whatever order it starts."""
    w = random_networks((2, 6, 1), 5)

    def augment(v: Weights) -> Weights:
        steps = [{"kind": "translate", "max_shift": 0.1}]
        return make("self_mixup", augment=steps)(v, generator=stream(0, "law"))

    assert_equivariant(augment, w, lambda v: permute(v, random_perms(v, 1)))
    assert_equivariant(augment, w, lambda v: flip_signs(v, random_signs(v, 1)))


def test_every_augmentation_states_its_zero() -> None:
    assert ZERO.keys() == AUGMENTATIONS.keys()
    assert AUGMENTATIONS.keys() >= INEXACT | INPUT_SPACE
