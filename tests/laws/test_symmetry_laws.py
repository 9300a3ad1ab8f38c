"""The laws of group actions, over every action in `weightspace.symmetry`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from strategies import (
    cyclic_perms,
    networks,
    networks_and,
    random_ks,
    random_networks,
    random_perms,
    random_signs,
)

from laws import (
    VISIBLE,
    assert_close,
    assert_identical,
    assert_pure,
    assert_same_function,
    function_error,
    uncoupled_permute,
)
from weightspace.symmetry.permutation import invert_perms, permute
from weightspace.symmetry.phase import shift_phases
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights

OMEGA_0 = 7.0


@dataclass(frozen=True)
class Group:
    act: Callable[[Weights, Any], Weights]
    draw: Callable[[Weights, int], tuple[torch.Tensor, ...]]
    compose: Callable[[Any, Any], Any]  # of two elements, the first acting first
    invert: Callable[[Any], Any]
    identity: Callable[[Weights], Any]


def _filled(value: int, dtype: torch.dtype) -> Callable[[Weights], Any]:
    return lambda w: tuple(
        torch.full((len(w), n), value, dtype=dtype) for n in w.layer_layout[1:-1]
    )


GROUPS = {
    "permutation": Group(
        permute,
        random_perms,
        lambda p, q: tuple(x.gather(1, y) for x, y in zip(p, q, strict=True)),
        invert_perms,
        lambda w: tuple(torch.arange(n).repeat(len(w), 1) for n in w.layer_layout[1:-1]),
    ),
    "sign": Group(
        flip_signs,
        random_signs,
        lambda p, q: tuple(x * y for x, y in zip(p, q, strict=True)),
        lambda p: p,
        _filled(1, torch.float64),
    ),
    "phase": Group(
        lambda w, ks: shift_phases(w, ks, omega_0=OMEGA_0),
        random_ks,
        lambda p, q: tuple(x + y for x, y in zip(p, q, strict=True)),
        lambda p: tuple(-x for x in p),
        _filled(0, torch.int64),
    ),
}


@pytest.fixture(params=GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]


@pytest.mark.parametrize("name", GROUPS)
def test_function_is_preserved(name: str) -> None:
    group = GROUPS[name]

    @given(networks_and(group.draw, scale=1 / OMEGA_0))
    def law(drawn: tuple[Weights, Any]) -> None:
        w, element = drawn
        assert_same_function(group.act(w, element), w, omega_0=OMEGA_0)

    law()


@pytest.mark.parametrize("name", GROUPS)
def test_identity_inverse_and_composition(name: str) -> None:
    group = GROUPS[name]

    @given(networks_and(group.draw, group.draw, channels=None))
    def law(drawn: tuple[Weights, Any, Any]) -> None:
        w, p, q = drawn
        assert_identical(group.act(w, group.identity(w)), w)
        assert_close(group.act(group.act(w, p), group.invert(p)), w)
        assert_close(group.act(group.act(w, p), q), group.act(w, group.compose(p, q)))

    law()


def test_channels_are_carried_along(group: Group) -> None:
    w = random_networks((2, 4, 3, 2), channels=(3,))
    element = group.draw(w, 1)
    moved = group.act(w, element)
    for c in range(3):
        alone = group.act(w.map(lambda x, c=c: x[..., c]), element)
        assert_identical(moved.map(lambda x, c=c: x[..., c]), alone)


def test_each_network_has_its_own_element(group: Group) -> None:
    w = random_networks((2, 4, 3, 2), batch_size=3)
    element = group.draw(w, 1)
    moved = group.act(w, element)
    for i in range(3):
        one = slice(i, i + 1)
        assert_identical(group.act(w[one], tuple(e[one] for e in element)), moved[one])


def test_something_moves(group: Group) -> None:
    w = random_networks((2, 5, 5, 1))
    assert not torch.equal(group.act(w, group.draw(w, 1)).flatten(), w.flatten())


def test_actions_are_pure(group: Group) -> None:
    w = random_networks((2, 5, 5, 1))
    assert_pure(group.act, w, group.draw(w, 1), seed=None)


def test_a_misfit_element_is_refused(group: Group) -> None:
    w = random_networks((2, 5, 4, 1))
    first, second = group.draw(w, 1)
    for bad in ((first,), (second, first), (first[:2], second[:2])):
        with pytest.raises(ValueError, match=r"need \[\(3, 5\), \(3, 4\)\]"):
            group.act(w, bad)


@given(networks(layout=(2, 3, 4, 1), scale=1 / OMEGA_0))
def test_an_uncoupled_permutation_changes_the_function(w: Weights) -> None:
    wrong = uncoupled_permute(w, cyclic_perms(w))
    assert function_error(wrong, w, omega_0=OMEGA_0) > VISIBLE


def test_a_phase_shift_holds_for_its_own_omega_0_only() -> None:
    w = random_networks((2, 5, 5, 1), scale=1 / OMEGA_0)
    moved = shift_phases(w, random_ks(w, 1), omega_0=30.0)
    assert function_error(moved, w, omega_0=OMEGA_0) > VISIBLE


@pytest.mark.parametrize("omega_0", [0.0, -1.0, float("nan")])
def test_omega_0_must_be_positive(omega_0: float) -> None:
    w = random_networks((2, 3, 1))
    with pytest.raises(ValueError, match="omega_0"):
        shift_phases(w, random_ks(w), omega_0=omega_0)
