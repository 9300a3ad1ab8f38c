"""What each augmentation draws, in numbers, and how they are put together."""

from math import pi

import pytest
import torch
from strategies import random_networks, random_perms

from laws import (
    assert_close,
    assert_draws_per_entry,
    assert_identical,
    assert_pure,
    assert_same_function,
    function_error,
)
from weightspace.augment import AUGMENTATIONS
from weightspace.augment.build import build_augment
from weightspace.augment.compose import compose
from weightspace.augment.exact import Permutation, PhaseShift, SignFlip
from weightspace.augment.noise import GaussianNoise
from weightspace.rng import stream
from weightspace.symmetry.permutation import permute
from weightspace.weights import Weights


def test_every_permutation_is_as_likely() -> None:
    w = random_networks((1, 3, 1), 1)[torch.zeros(6000, dtype=torch.int64)]
    moved = Permutation()(w, generator=stream(0, "test"))
    _, counts = moved.flatten().unique(dim=0, return_counts=True)
    assert len(counts) == 6
    assert (counts - 1000).abs().max() < 4 * 1000**0.5


def test_hidden_layers_are_permuted_apart() -> None:
    w = random_networks((1, 8, 8, 1), 1)
    perms = Permutation()(
        w.map(
            lambda x: (
                torch.arange(x.shape[1]).expand(x.shape[:2]) if x.ndim == 2 else torch.zeros_like(x)
            )
        ),
        generator=stream(0, "test"),
    ).biases
    assert not torch.equal(perms[0], perms[1])


@pytest.mark.parametrize("probability", [0.1, 0.5, 1.0])
def test_neurons_are_negated_with_the_given_probability(probability: float) -> None:
    w = random_networks((1, 8, 8, 1), 2000)
    moved = SignFlip(probability)(w, generator=stream(0, "test"))
    for before, after in zip(w.biases[:-1], moved.biases[:-1], strict=True):
        flipped = (after == -before).double()
        assert ((after == before) | (flipped == 1)).all()
        assert (
            abs(flipped.mean() - probability)
            <= 4 * (probability * (1 - probability) / 16000) ** 0.5
        )


def _half_turns(w: Weights, moved: Weights, omega_0: float) -> torch.Tensor:
    """How far each hidden bias was moved, in units of pi / omega_0."""
    pairs = zip(w.biases[:-1], moved.biases[:-1], strict=True)
    return torch.cat([(after - before) for before, after in pairs], 1) * omega_0 / pi


@pytest.mark.parametrize("omega_0", [7.0, 30.0])
def test_every_number_of_half_turns_is_as_likely(omega_0: float) -> None:
    w = random_networks((1, 8, 8, 1), 500)
    turns = _half_turns(w, PhaseShift(omega_0)(w, generator=stream(0, "test")), omega_0)
    assert_close(turns, turns.round())
    values, counts = turns.round().unique(return_counts=True)
    assert values.tolist() == [-4, -3, -2, -1, 0, 1, 2, 3]
    assert (counts - 1000).abs().max() < 4 * 1000**0.5


def test_the_half_turns_are_those_between_the_given_ends() -> None:
    w = random_networks((1, 8, 8, 1), 50)
    moved = PhaseShift(7.0, low=2, high=3)(w, generator=stream(0, "test"))
    assert _half_turns(w, moved, 7.0).round().unique().tolist() == [2, 3]


def test_phases_of_another_frequency_change_the_function() -> None:
    w = random_networks((2, 8, 8, 1), scale=1 / 7)
    moved = PhaseShift(30.0)(w, generator=stream(0, "test"))
    assert_same_function(moved, w, omega_0=30.0)
    assert function_error(moved, w, omega_0=7.0) > 0.1


def test_noise_is_in_proportion_to_its_tensor_and_network() -> None:
    sizes = torch.tensor([1e-3, 1.0, 50.0])
    w = random_networks((40, 30, 50, 1), 3).map(lambda x: x * sizes.view(-1, *[1] * (x.ndim - 1)))
    noisy = GaussianNoise(0.5)(w, generator=stream(0, "test"))
    for before, after in zip(w, noisy, strict=True):
        if before[0].numel() > 1:
            ratio = (after - before).flatten(1).std(1) / before.flatten(1).std(1)
            allowed = 5 * 0.5 / (2 * before[0].numel()) ** 0.5
            assert (ratio - 0.5).abs().max() < allowed


def test_noise_differs_from_entry_to_entry_and_has_no_mean() -> None:
    w = random_networks((40, 50, 50, 2), 1)
    assert_draws_per_entry(GaussianNoise(), w)
    noise = (GaussianNoise()(w, generator=stream(0, "test")).weights[1] - w.weights[1]).flatten()
    assert abs(noise.mean()) < 4 * 0.32 / 50


def test_noise_does_not_look_at_the_order_of_neurons() -> None:
    w = random_networks((2, 5, 4, 1))

    def noise(v: Weights) -> Weights:
        return GaussianNoise()(v, generator=stream(0, "test")).map(torch.sub, v)

    assert_close(noise(permute(w, random_perms(w, 1))), noise(w))


def test_a_tensor_of_one_entry_gets_no_noise() -> None:
    w = random_networks((2, 5, 1))
    noisy = GaussianNoise()(w, generator=stream(0, "test"))
    assert_identical(noisy.biases[1], w.biases[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SignFlip(1.5), "probability is 1.5"),
        (lambda: SignFlip(float("nan")), "probability"),
        (lambda: PhaseShift(0.0), "omega_0 is 0.0"),
        (lambda: PhaseShift(30.0, low=2, high=1), "low is 2 and high 1"),
        (lambda: GaussianNoise(-1.0), "scale is -1.0"),
        (lambda: GaussianNoise(float("nan")), "scale"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_composing_none_is_the_identity() -> None:
    w = random_networks((2, 5, 1))
    assert compose([])(w, generator=stream(0, "test")) is w


def test_composition_applies_each_in_order_from_one_generator() -> None:
    w = random_networks((2, 5, 5, 1))
    steps = [GaussianNoise(), SignFlip(), Permutation()]
    generator = stream(0, "test")
    expected = w
    for step in steps:
        expected = step(expected, generator=generator)
    assert_identical(compose(steps)(w, generator=stream(0, "test")), expected)
    other = compose(steps[::-1])(w, generator=stream(0, "test"))
    assert not torch.equal(other.flatten(), expected.flatten())


def test_the_composition_of_all_is_pure_and_equal_to_its_like() -> None:
    every, again = (build_augment([{"kind": k} for k in AUGMENTATIONS], omega_0=5.0) for _ in "ab")
    assert_pure(every, random_networks((2, 5, 5, 1)))
    assert every == again
