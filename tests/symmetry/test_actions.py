"""The group actions against naive loops over neurons, written from their definitions."""

from math import pi

import pytest
import torch
from strategies import LAYOUTS, random_ks, random_networks, random_perms, random_signs
from torch import Tensor

from laws import assert_close, assert_identical
from weightspace.symmetry.permutation import permute
from weightspace.symmetry.phase import shift_phases
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights


def _copies(w: Weights) -> tuple[list[Tensor], list[Tensor]]:
    return [x.clone() for x in w.weights], [x.clone() for x in w.biases]


def _permute_by_loops(w: Weights, perms: tuple[Tensor, ...]) -> Weights:
    for h, perm in enumerate(perms):
        weights, biases = _copies(w)
        for b in range(len(w)):
            for i, source in enumerate(perm[b].tolist()):
                weights[h][b, i] = w.weights[h][b, source]
                biases[h][b, i] = w.biases[h][b, source]
                weights[h + 1][b, :, i] = w.weights[h + 1][b, :, source]
        w = Weights(tuple(weights), tuple(biases))
    return w


def _flip_by_loops(w: Weights, signs: tuple[Tensor, ...]) -> Weights:
    weights, biases = _copies(w)
    for h, sign in enumerate(signs):
        for b in range(len(w)):
            for i in range(sign.shape[1]):
                if sign[b, i] < 0:
                    weights[h][b, i] = -weights[h][b, i]
                    biases[h][b, i] = -biases[h][b, i]
                    weights[h + 1][b, :, i] = -weights[h + 1][b, :, i]
    return Weights(tuple(weights), tuple(biases))


def _shift_by_loops(w: Weights, ks: tuple[Tensor, ...], omega_0: float) -> Weights:
    weights, biases = _copies(w)
    for h, k in enumerate(ks):
        for b in range(len(w)):
            for i, turns in enumerate(k[b].tolist()):
                biases[h][b, i] += turns * pi / omega_0
                weights[h + 1][b, :, i] *= (-1) ** turns
    return Weights(tuple(weights), tuple(biases))


@pytest.mark.parametrize("layout", [*LAYOUTS, (2, 1), (2, 1, 1)])
def test_actions_agree_with_the_loops(layout: tuple[int, ...]) -> None:
    w = random_networks(layout)
    perms, signs, ks = (draw(w, 1) for draw in (random_perms, random_signs, random_ks))
    assert_identical(permute(w, perms), _permute_by_loops(w, perms))
    assert_identical(flip_signs(w, signs), _flip_by_loops(w, signs))
    assert_close(shift_phases(w, ks, omega_0=7.0), _shift_by_loops(w, ks, 7.0))


def test_permuted_tensors_lie_in_memory_as_the_first_did() -> None:
    w = random_networks((2, 5, 4, 1))
    assert all(x.is_contiguous() for x in permute(w, random_perms(w, 1)))


def test_integer_features_can_be_permuted() -> None:
    w = random_networks((2, 5, 4, 1)).map(lambda x: (10 * x).long())
    perms = random_perms(w, 1)
    assert_identical(permute(w, perms), _permute_by_loops(w, perms))


def test_gradients_flow_through_an_action() -> None:
    w = random_networks((2, 3, 1)).map(lambda x: x.requires_grad_())
    permute(w, random_perms(w, 1)).flatten().sum().backward()
    assert all(torch.equal(x.grad, torch.ones_like(x)) for x in w)
