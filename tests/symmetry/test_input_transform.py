"""Moving the inputs: siren(transform_inputs(w, A, t), x) == siren(w, A x + t), and no less."""

import pytest
import torch
from hypothesis import given
from strategies import SEEDS, networks, random_networks
from torch import Tensor

from laws import (
    assert_close,
    assert_equivariant,
    assert_identical,
    assert_pure,
    assert_transforms_inputs,
)
from weightspace.symmetry.input_transform import transform_inputs
from weightspace.symmetry.permutation import permute
from weightspace.weights import Weights

OMEGA_0 = 30.0


def affine(w: Weights, seed: int = 0) -> tuple[Tensor, Tensor]:
    """One matrix and one shift per network, nothing special about either."""
    g = torch.Generator().manual_seed(seed)
    d_in = w.layer_layout[0]
    return (
        torch.randn(len(w), d_in, d_in, generator=g, dtype=w.dtype),
        torch.randn(len(w), d_in, generator=g, dtype=w.dtype),
    )


@given(networks(scale=1 / OMEGA_0), SEEDS)
def test_the_function_is_that_of_the_moved_inputs(w: Weights, seed: int) -> None:
    matrix, shift = affine(w, seed)
    moved = transform_inputs(w, matrix, shift)
    assert_transforms_inputs(moved, w, matrix, shift, omega_0=OMEGA_0)


@pytest.mark.parametrize("d_in", [1, 2, 3])
def test_by_a_loop_over_networks(d_in: int) -> None:
    w = random_networks((d_in, 5, 4, 2))
    matrix, shift = affine(w)
    moved = transform_inputs(w, matrix, shift)
    for b in range(len(w)):
        assert_close(moved.weights[0][b], w.weights[0][b] @ matrix[b])
        assert_close(moved.biases[0][b], w.biases[0][b] + w.weights[0][b] @ shift[b])


def test_only_the_first_layer_is_touched() -> None:
    w = random_networks((2, 5, 4, 3, 1))
    moved = transform_inputs(w, *affine(w))
    assert_identical(moved.weights[1:], w.weights[1:])
    assert_identical(moved.biases[1:], w.biases[1:])


def test_identity_and_composition() -> None:
    w = random_networks((3, 5, 4, 1))
    (a, s), (b, t) = affine(w, 1), affine(w, 2)
    identity = torch.eye(3, dtype=w.dtype).expand(len(w), 3, 3)
    assert_identical(transform_inputs(w, identity, torch.zeros_like(s)), w)
    twice = transform_inputs(transform_inputs(w, a, s), b, t)  # f(A (B x + t) + s)
    once = transform_inputs(w, a @ b, torch.einsum("bij,bj->bi", a, t) + s)
    assert_close(twice, once)


def test_channels_are_carried_along() -> None:
    w = random_networks((2, 4, 3, 2), channels=(3, 2))
    matrix, shift = affine(w.map(lambda x: x[..., 0, 0]))
    moved = transform_inputs(w, matrix, shift)
    for c in range(3):
        alone = transform_inputs(w.map(lambda x, c=c: x[..., c, 1]), matrix, shift)
        assert_close(moved.map(lambda x, c=c: x[..., c, 1]), alone)


def test_it_commutes_with_relabelling() -> None:
    w = random_networks((2, 5, 4, 1))
    perms = tuple(torch.arange(n).roll(1).expand(len(w), n) for n in (5, 4))
    assert_equivariant(lambda v: transform_inputs(v, *affine(w)), w, lambda v: permute(v, perms))


def test_it_is_pure() -> None:
    w = random_networks((2, 5, 4, 1))
    assert_pure(transform_inputs, w, *affine(w), seed=None)


def test_the_number_type_of_the_networks_is_kept() -> None:
    w = random_networks((2, 4, 1), dtype=torch.float32)
    matrix, shift = affine(w)
    assert transform_inputs(w, matrix.double(), shift.double()).dtype == torch.float32


def test_misfits_are_refused() -> None:
    w = random_networks((2, 5, 1))
    fitting = affine(w)
    for matrix, shift in (
        affine(random_networks((3, 5, 1))),
        affine(random_networks((2, 5, 1), 1)),
    ):
        with pytest.raises(ValueError, match=r"need \(3, 2, 2\) and \(3, 2\): one of each"):
            transform_inputs(w, matrix, shift)
    transform_inputs(w, *fitting)
