"""For each checker of `laws.py`, a known-bad implementation that it refuses."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from strategies import cyclic_perms, random_networks
from torch import Tensor, nn

from laws import (
    assert_close,
    assert_draws_per_network,
    assert_equivariant,
    assert_identical,
    assert_invariant,
    assert_no_global_randomness,
    assert_no_mutation,
    assert_pure,
    assert_same_function,
    assert_sensitive,
    randomise_parameters,
    relative_error,
    uncoupled_permute,
)
from weightspace.rng import stream
from weightspace.symmetry.permutation import permute
from weightspace.weights import Weights

W = random_networks((2, 4, 3, 1))
PERMS = cyclic_perms(W)


def _act(w: Weights) -> Weights:
    return permute(w, PERMS)


def _uncoupled(w: Weights) -> Weights:
    return uncoupled_permute(w, PERMS)


def _hidden_hidden(w: Weights) -> Tensor:
    """An invariant that couples the two hidden layers."""
    inner, outer = w.weights[1], w.weights[2]
    return torch.einsum("bih,boi->bo", torch.tanh(inner @ w.weights[0]).sum(2, keepdim=True), outer)


def test_relative_error_is_relative_and_sees_nan_and_shapes() -> None:
    a = torch.tensor([1.0, 2.0])
    assert relative_error(a, a) == 0
    assert relative_error(1e-9 * a, 2e-9 * a) == pytest.approx(0.5)
    assert relative_error(a, torch.tensor([1.0, float("nan")])) == float("inf")
    assert relative_error(torch.full((2,), float("inf")), a) == float("inf")
    with pytest.raises(AssertionError, match="shapes"):
        relative_error(a, a[:1])


def test_relative_error_looks_at_every_tensor_on_its_own_scale() -> None:
    small = Weights((1e6 * W.weights[0], *W.weights[1:]), W.biases)
    wrong = Weights(small.weights, (*W.biases[:-1], W.biases[-1] + 1e-3))
    assert relative_error(small, wrong) > 1e-4


def test_close_refuses_a_difference_and_identical_the_last_bit() -> None:
    a = torch.ones(3, dtype=torch.float64)
    assert_close(a, a + 1e-12)
    with pytest.raises(AssertionError, match="differ"):
        assert_close(a, a + 1e-7)
    with pytest.raises(AssertionError, match="identical"):
        assert_identical(a, a + 1e-15)


def test_same_function_refuses_an_uncoupled_permutation() -> None:
    assert_same_function(_act(W), W, omega_0=1.0)
    with pytest.raises(AssertionError, match="functions differ"):
        assert_same_function(_uncoupled(W), W, omega_0=1.0)


def _scale_entries(w: Weights) -> Weights:
    """Standardisation by one number per entry: it does not commute with permutations."""
    return w.map(lambda x: x * torch.arange(x[0].numel()).view(x.shape[1:]))


@pytest.mark.parametrize("size", [1.0, 1e-12])
def test_equivariant_refuses_treatment_by_entry_at_any_size(size: float) -> None:
    assert_equivariant(lambda w: w.map(lambda x: size * x), W, _act)
    with pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(lambda w: _scale_entries(w).map(lambda x: size * x), W, _act)
    with pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(lambda w: w.map(lambda x: size * x), W, _act, _uncoupled)


def test_invariant_refuses_a_readout_of_one_neuron() -> None:
    assert_invariant(lambda w: w.biases[0].sum(1), W, _act)
    with pytest.raises(AssertionError, match="not invariant"):
        assert_invariant(lambda w: w.biases[0][:, 0], W, _act)


@pytest.mark.parametrize(
    "numb",
    [
        lambda w: torch.ones(len(w), 1),
        lambda w: w.biases[0].sum(1),
        lambda w: torch.stack([x.flatten(1).square().sum(1) for x in w], 1),
        lambda w: 1e3 + 1e-3 * _hidden_hidden(w),
    ],
    ids=["constant", "sum of biases", "norms", "offset that drowns the rest"],
)
def test_sensitive_refuses_what_does_not_feel_the_coupling(numb: Callable[..., Tensor]) -> None:
    assert_invariant(_hidden_hidden, W, _act)
    assert_sensitive(_hidden_hidden, W, _uncoupled)
    with pytest.raises(AssertionError, match="does not feel"):
        assert_sensitive(numb, W, _uncoupled)


def test_sensitive_looks_at_every_network() -> None:
    def feels_one_network_only(w: Weights) -> Tensor:
        return _hidden_hidden(w) * torch.tensor([[1.0], [0.0], [0.0]])

    with pytest.raises(AssertionError, match="network 1"):
        assert_sensitive(feels_one_network_only, W, _uncoupled)


def test_sensitive_of_an_equivariant_map() -> None:
    def couples(w: Weights) -> Weights:
        return w.map(lambda x: x * w.weights[1].tanh().sum((1, 2)).view(-1, *[1] * (x.ndim - 1)))

    assert_equivariant(couples, W, _act)
    assert_sensitive(couples, W, _uncoupled, _act)
    with pytest.raises(AssertionError, match="does not feel"):
        assert_sensitive(lambda w: w.map(torch.zeros_like), W, _uncoupled, _act)


def test_randomise_parameters_leaves_none_as_initialised() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    nn.init.zeros_(module[0].weight)
    before = [p.clone() for p in module.parameters()]
    assert_no_global_randomness(randomise_parameters, module, stream(0, "teeth"))
    for old, new in zip(before, module.parameters(), strict=True):
        assert (old != new).all()


def _writes(x: Tensor) -> Tensor:
    return x.add_(1)


def _writes_deep_inside(parts: tuple[Weights, Weights]) -> None:
    parts[1].biases[0].zero_()


def test_no_mutation_refuses_a_write() -> None:
    with pytest.raises(AssertionError, match="identical"):
        assert_no_mutation(_writes, torch.zeros(2))
    with pytest.raises(AssertionError, match="identical"):
        assert_no_mutation(_writes_deep_inside, (W, W.map(torch.clone)))


@pytest.mark.parametrize(
    "draw",
    [lambda: torch.rand(1), lambda: np.random.rand(1), random.random],  # noqa: NPY002
    ids=["torch", "numpy", "python"],
)
def test_no_global_randomness_refuses_a_draw(draw: Callable[[], Any]) -> None:
    with pytest.raises(AssertionError, match="global"):
        assert_no_global_randomness(draw)


def test_pure_refuses_what_does_not_repeat() -> None:
    calls: list[int] = []

    def remembers(x: Tensor, *, generator: torch.Generator) -> Tensor:
        calls.append(1)
        return x + len(calls)

    with pytest.raises(AssertionError, match="same seed"):
        assert_pure(remembers, torch.zeros(2))


@pytest.mark.parametrize("per", ["batch", "pair"])
def test_draws_per_network_refuses_one_draw_for_several(per: str) -> None:
    def noise(w: Weights, *, generator: torch.Generator) -> Weights:
        n = 1 if per == "batch" else len(w) // 2
        draw = torch.randn(n, generator=generator, dtype=w.dtype).repeat(len(w) // n)
        return w.map(lambda x: x + draw.view(-1, *[1] * (x.ndim - 1)))

    with pytest.raises(AssertionError, match="different draws"):
        assert_draws_per_network(noise, W)
