"""SelfMixUp against its definition, and that the copy is brought back to its network."""

import pytest
import torch
from strategies import random_networks

from laws import assert_close, assert_identical, relative_error
from weightspace.augment.compose import compose
from weightspace.augment.exact import Permutation, SignFlip
from weightspace.augment.input_space import Scale
from weightspace.augment.noise import GaussianNoise
from weightspace.augment.self_mixup import SelfMixUp
from weightspace.rng import stream
from weightspace.symmetry.matching import apply_matching, match
from weightspace.weights import lerp


@pytest.mark.parametrize("signed", [False, True])
def test_by_its_definition(signed: bool) -> None:
    w = random_networks((2, 6, 6, 1), 5)
    steps = (Permutation(), SignFlip(), GaussianNoise())
    found = SelfMixUp(steps, signed=signed)(w, generator=stream(0, "test"))
    generator = stream(0, "test")
    copy = compose(steps)(w, generator=generator)
    lam = torch.rand(5, generator=generator, dtype=torch.float64)
    aligned = apply_matching(copy, match(w, copy, signed=signed))
    assert_close(found, lerp(w, aligned, lam))


def test_a_relabelled_copy_is_brought_back_to_its_network() -> None:
    w = random_networks((2, 6, 1), 5)
    steps = (Permutation(), SignFlip())
    assert_close(SelfMixUp(steps)(w, generator=stream(0, "test")), w)
    unsigned = SelfMixUp(steps, signed=False)(w, generator=stream(0, "test"))
    assert relative_error(unsigned, w) > 0.1
    not_at_all = SelfMixUp(steps, sweeps=0)(w, generator=stream(0, "test"))
    assert relative_error(not_at_all, w) > 0.1


def test_lam_is_the_share_of_the_network_itself() -> None:
    w = random_networks((2, 6, 1), 400)
    found = SelfMixUp((Scale(3.0, 3.0),), low=0.6)(w, generator=stream(0, "test"))
    ratio = (found.weights[0] / w.weights[0])[:, 0, 0]  # lam + 3 (1 - lam)
    lam = (3 - ratio) / 2
    assert lam.min() >= 0.6
    assert abs(lam.mean() - 0.8) < 0.02


def test_a_lam_of_zero_gives_the_aligned_copy() -> None:
    w = random_networks((2, 6, 1), 5)
    scaled = Scale(1.1, 1.1)
    found = SelfMixUp((scaled, Permutation()), high=0.0)(w, generator=stream(0, "test"))
    assert_close(found, scaled(w, generator=stream(0, "test")))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="no augmentations"):
        SelfMixUp(())
    with pytest.raises(ValueError, match=r"SelfMixUp low is 0\.9 and high"):
        SelfMixUp(low=0.9, high=0.5)
    w = random_networks((2, 6, 1), 5)
    assert_identical(SelfMixUp(low=1.0)(w, generator=stream(0, "test")), w)
