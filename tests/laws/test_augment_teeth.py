"""Mistakes of published code, and their like, that the laws of augmentations refuse."""

from collections.abc import Callable

import pytest
import torch
from strategies import cyclic_perms, random_networks

from laws import (
    assert_draws_per_entry,
    assert_draws_per_network,
    assert_equivariant,
    assert_independent_networks,
    assert_pure,
    assert_transforms_inputs,
)
from weightspace.augment.noise import GaussianNoise
from weightspace.rng import stream
from weightspace.symmetry.input_transform import transform_inputs
from weightspace.symmetry.permutation import permute
from weightspace.weights import Weights

W = random_networks((2, 6, 5, 1), 4, scale=1 / 30)
IDENTITY = torch.eye(2, dtype=W.dtype).expand(4, 2, 2)
SHIFT = torch.tensor([[0.2, -0.1]], dtype=W.dtype).expand(4, 2)


def _per_network(draw: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return draw.view(-1, *[1] * (x.ndim - 1))


def _right(w: Weights) -> Weights:
    return transform_inputs(w, IDENTITY, SHIFT)


def _as_if_linear(w: Weights) -> Weights:
    """Published: the shift goes through the network as if it had no activations."""
    biases, carried = [], SHIFT
    for weight, bias in zip(w.weights, w.biases, strict=True):
        carried = torch.einsum("boi,bi->bo", weight, carried)
        biases.append(bias + carried)
    return Weights(w.weights, tuple(biases))


def _backwards(w: Weights) -> Weights:
    return transform_inputs(w, IDENTITY, -SHIFT)


def _first_network_for_all(w: Weights) -> Weights:
    bias = w.biases[0] + (w.weights[0][0] @ SHIFT[0])
    return Weights(w.weights, (bias, *w.biases[1:]))


@pytest.mark.parametrize("wrong", [_as_if_linear, _backwards, _first_network_for_all])
def test_transforms_inputs_refuses_a_wrong_translation(wrong: Callable[..., Weights]) -> None:
    assert_transforms_inputs(_right(W), W, IDENTITY, SHIFT, omega_0=30.0)
    with pytest.raises(AssertionError, match="functions of the moved inputs differ"):
        assert_transforms_inputs(wrong(W), W, IDENTITY, SHIFT, omega_0=30.0)


def test_transforms_inputs_refuses_a_transposed_matrix() -> None:
    matrix = torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=W.dtype).expand(4, 2, 2)
    moved = transform_inputs(W, matrix.mT, 0 * SHIFT)
    with pytest.raises(AssertionError, match="differ"):
        assert_transforms_inputs(moved, W, matrix, 0 * SHIFT, omega_0=30.0)


def test_pure_refuses_a_translation_of_the_caller_s_tensors() -> None:
    def translate(w: Weights, *, generator: torch.Generator) -> Weights:
        w.biases[0].add_(0.1)
        return w

    with pytest.raises(AssertionError, match="before and after"):
        assert_pure(translate, W.map(torch.clone))


def _one_angle_per_batch(w: Weights, *, generator: torch.Generator) -> Weights:
    angle = torch.rand((), generator=generator, dtype=w.dtype)
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
    return transform_inputs(w, matrix.expand(len(w), 2, 2), w.weights[0].new_zeros(len(w), 2))


def _one_quantile_per_batch(w: Weights, *, generator: torch.Generator) -> Weights:
    q = torch.rand((), generator=generator, dtype=w.dtype)
    threshold = w.flatten().abs().quantile(q, dim=1)
    return w.map(lambda x: torch.where(x.abs() < _per_network(threshold, x), 0, x))


@pytest.mark.parametrize("wrong", [_one_angle_per_batch, _one_quantile_per_batch])
def test_draws_per_network_refuses_one_draw_per_batch(wrong: Callable[..., Weights]) -> None:
    with pytest.raises(AssertionError, match="different draws"):
        assert_draws_per_network(wrong, W)


def _one_constant_per_tensor(w: Weights, *, generator: torch.Generator) -> Weights:
    """Published: `w + w.std() * scale`, here even with a random factor per network."""

    def add(x: torch.Tensor) -> torch.Tensor:
        draw = torch.randn(len(x), generator=generator, dtype=x.dtype)
        return x + _per_network(0.3 * draw * x.flatten(1).std(1, correction=0), x)

    return w.map(add)


def _one_draw_per_neuron(w: Weights, *, generator: torch.Generator) -> Weights:
    def add(x: torch.Tensor) -> torch.Tensor:
        draw = torch.randn(x.shape[:2], generator=generator, dtype=x.dtype)
        return x + draw.view(*x.shape[:2], *[1] * (x.ndim - 2))

    return w.map(add)


@pytest.mark.parametrize("wrong", [_one_constant_per_tensor, _one_draw_per_neuron])
def test_draws_per_entry_refuses_a_constant(wrong: Callable[..., Weights]) -> None:
    assert_draws_per_entry(GaussianNoise(), W)
    with pytest.raises(AssertionError, match="different amounts"):
        assert_draws_per_entry(wrong, W)


def test_independent_networks_refuses_a_statistic_of_the_batch() -> None:
    def noise(w: Weights, *, generator: torch.Generator) -> Weights:
        draw = torch.randn(len(w), generator=generator, dtype=w.dtype)
        return w.map(lambda x: x + x.std() * _per_network(draw, x))

    assert_independent_networks(GaussianNoise(), W)
    with pytest.raises(AssertionError, match="feels the others"):
        assert_independent_networks(noise, W)


def test_commuting_refuses_a_strength_by_position() -> None:
    def thin(w: Weights) -> Weights:
        kept = torch.rand(W.flatten()[0].shape, generator=stream(0, "test")) > 0.5
        parts = kept.split([x[0].numel() for x in w])
        pairs = iter(parts)
        return w.map(lambda x: x * next(pairs).view(x.shape[1:]))

    with pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(thin, W, lambda v: permute(v, cyclic_perms(v)))
