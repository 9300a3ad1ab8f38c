"""Weight matching: what it finds, what it can not be held to, and what it refuses."""

from collections.abc import Iterator
from itertools import pairwise, permutations, product

import pytest
import torch
from bench_matching import match_loop
from hypothesis import given
from strategies import networks, networks_and, random_networks, random_perms, random_signs
from torch import Tensor

from laws import assert_close, assert_identical, assert_pure, assert_same_function
from weightspace.symmetry.matching import Matching, apply_matching, invert_matching, match
from weightspace.weights import Weights

SIGNED = pytest.mark.parametrize("signed", [False, True])


def _objective(a: Weights, b: Weights) -> Tensor:
    return (a.flatten() * b.flatten()).sum(1)


def _drawn(w: Weights, seed: int, *, signed: bool) -> Matching:
    signs = random_signs(w, seed + 1)
    return Matching(
        random_perms(w, seed), signs if signed else tuple(torch.ones_like(s) for s in signs)
    )


def _elements_of_layer(w: Weights, h: int, *, signed: bool) -> Iterator[Matching]:
    """Every element that moves hidden layer h alone, the same for all networks."""
    widths = w.layer_layout[1:-1]
    perms = [torch.arange(n).repeat(len(w), 1) for n in widths]
    signs = [torch.ones(len(w), n, dtype=w.dtype) for n in widths]
    for perm in permutations(range(widths[h])):
        for sign in product((1.0, -1.0) if signed else (1.0,), repeat=widths[h]):
            perms[h] = torch.tensor(perm).repeat(len(w), 1)
            signs[h] = torch.tensor(sign, dtype=w.dtype).repeat(len(w), 1)
            yield Matching(tuple(perms), tuple(signs))


def _best_of_layer(a: Weights, b: Weights, h: int, *, signed: bool) -> Tensor:
    """The largest objective that moving hidden layer h of `b` can reach, by brute force."""
    values = [_objective(a, apply_matching(b, m)) for m in _elements_of_layer(b, h, signed=signed)]
    return torch.stack(values).amax(0)


@SIGNED
def test_one_hidden_layer_reaches_the_best_of_all_elements(signed: bool) -> None:
    a, b = (random_networks((2, 4, 2), 5, seed=s) for s in (0, 1))
    found = _objective(a, apply_matching(b, match(a, b, signed=signed)))
    assert_close(found, _best_of_layer(a, b, 0, signed=signed))


@SIGNED
@pytest.mark.parametrize("layout", [(2, 3, 4, 1), (1, 4, 3, 3, 2)])
def test_no_single_layer_can_improve_the_result(layout: tuple[int, ...], signed: bool) -> None:
    a, b = (random_networks(layout, 6, seed=s) for s in (0, 1))
    aligned = apply_matching(b, match(a, b, signed=signed, sweeps=100))
    for h in range(len(layout) - 2):
        assert_close(_objective(a, aligned), _best_of_layer(a, aligned, h, signed=signed))


@SIGNED
def test_the_objective_never_decreases(signed: bool) -> None:
    a, b = (random_networks((2, 12, 12, 12, 1), 16, seed=s) for s in (0, 1))
    rounds = [
        _objective(a, apply_matching(b, match(a, b, signed=signed, sweeps=n))) for n in range(12)
    ]
    assert_close(rounds[0], _objective(a, b))
    for before, after in pairwise(rounds):
        assert (after >= before - 1e-9).all()
    assert (rounds[1] > rounds[0]).all()
    assert (rounds[2] > rounds[1]).any()


@SIGNED
def test_a_planted_element_is_recovered_with_one_hidden_layer(signed: bool) -> None:
    @given(networks_and(random_perms, random_signs, max_layers=2))
    def law(drawn: tuple[Weights, tuple[Tensor, ...], tuple[Tensor, ...]]) -> None:
        a, perms, signs = drawn
        if not signed:
            signs = tuple(torch.ones_like(s) for s in signs)
        planted = Matching(perms, signs)
        b = apply_matching(a, invert_matching(planted))
        found = match(a, b, signed=signed)
        assert_identical(found.perms, perms)
        assert_identical(found.signs, signs)
        assert_identical(apply_matching(b, found), a)

    law()


def test_a_planted_sign_is_not_recovered_without_signs() -> None:
    a = random_networks((2, 8, 1))
    b = apply_matching(a, _drawn(a, 1, signed=True))
    unsigned = apply_matching(b, match(a, b, signed=False))
    assert (_objective(a, unsigned) < 0.9 * _objective(a, a)).all()


def test_bias_and_outgoing_column_alone_can_tell_neurons_apart() -> None:
    a = random_networks((2, 6, 1))
    for blank in ([1, 1, 0], [1, 0, 1], [0, 1, 1]):  # incoming, outgoing, bias
        incoming, outgoing, bias = (0 if x else 1 for x in blank)
        only = Weights(
            (incoming * a.weights[0], outgoing * a.weights[1]), (bias * a.biases[0], a.biases[1])
        )
        b = apply_matching(only, _drawn(only, 1, signed=False))
        assert_identical(apply_matching(b, match(only, b, signed=False)), only)


@SIGNED
def test_a_network_matches_itself_as_it_is(signed: bool) -> None:
    a = random_networks((2, 6, 6, 6, 1))
    found = match(a, a, signed=signed)
    assert all((p == torch.arange(6)).all() for p in found.perms)
    assert all((s == 1).all() for s in found.signs)


@given(networks(scale=1 / 7, min_batch=2))
def test_the_function_stays_the_same(w: Weights) -> None:
    moved = apply_matching(
        w.map(lambda x: x.flip(0)), match(w, w.map(lambda x: x.flip(0)), signed=True)
    )
    assert_same_function(moved, w.map(lambda x: x.flip(0)), omega_0=7.0)


@given(networks_and(random_perms, random_signs, channels=None))
def test_invert_matching_undoes_it(
    drawn: tuple[Weights, tuple[Tensor, ...], tuple[Tensor, ...]],
) -> None:
    w, perms, signs = drawn
    m = Matching(perms, signs)
    assert_identical(apply_matching(apply_matching(w, m), invert_matching(m)), w)
    assert_identical(apply_matching(apply_matching(w, invert_matching(m)), m), w)


@SIGNED
def test_numbers_of_any_size_are_matched_alike(signed: bool) -> None:
    a, b = (random_networks((2, 9, 12, 1), seed=s) for s in (0, 1))
    found = match(a, b, signed=signed)
    for scale in (1e-60, 1e60):
        scaled = match(a.map(lambda x, c=scale: c * x), b, signed=signed)
        assert_identical((*scaled.perms, *scaled.signs), (*found.perms, *found.signs))


@SIGNED
def test_pairs_do_not_feel_each_other(signed: bool) -> None:
    a, b = (random_networks((2, 8, 8, 1), 5, seed=s) for s in (0, 1))
    whole = match(a, b, signed=signed)
    for i in range(5):
        alone = match(a[i : i + 1], b[i : i + 1], signed=signed)
        assert_identical(
            [x[i : i + 1] for x in (*whole.perms, *whole.signs)], (*alone.perms, *alone.signs)
        )


@SIGNED
@pytest.mark.parametrize("layout", [(2, 6, 1), (2, 16, 16, 1), (3, 8, 40, 10, 2)])
def test_a_plain_loop_over_pairs_finds_the_same(layout: tuple[int, ...], signed: bool) -> None:
    a, b = (random_networks(layout, 8, seed=s) for s in (0, 1))
    found = match(a, b, signed=signed)
    perms, signs = match_loop(a, b, signed=signed)
    assert_identical(found.perms, perms)
    assert_identical(found.signs, signs)


def test_the_result_has_the_number_type_of_the_networks() -> None:
    a, b = (random_networks((2, 5, 1), seed=s, dtype=torch.float32) for s in (0, 1))
    found = match(a, b, signed=True)
    assert found.perms[0].dtype == torch.int64
    assert found.signs[0].dtype == torch.float32


def test_float32_networks_that_need_gradients_can_be_matched() -> None:
    a, b = (
        random_networks((2, 5, 4, 1), seed=s, dtype=torch.float32).map(lambda x: x.requires_grad_())
        for s in (0, 1)
    )
    assert_identical(
        match(a, b, signed=True).perms,
        match(a.to(torch.float64), b.to(torch.float64), signed=True).perms,
    )


def test_matching_is_pure() -> None:
    a, b = (random_networks((2, 8, 8, 1), seed=s) for s in (0, 1))
    assert_pure(lambda *ab: [*(m := match(*ab, signed=True)).perms, *m.signs], a, b, seed=None)


def test_no_hidden_layer_leaves_nothing_to_match() -> None:
    w = random_networks((2, 3))
    assert match(w, w, signed=True) == Matching((), ())


def test_what_can_not_be_matched_is_refused() -> None:
    w = random_networks((2, 4, 1))
    broken = w.map(torch.clone)
    broken.biases[0][1, 2] = float("nan")
    for a, b, message in (
        (w, random_networks((2, 5, 1)), r"layer_layout \(2, 4, 1\).*\(2, 5, 1\)"),
        (w, w[:2], "3 networks .* and 2"),
        (
            random_networks((2, 4, 1), channels=(2,)),
            random_networks((2, 4, 1), channels=(2,)),
            "raw",
        ),
        (w, broken, r"networks \[1\] of b hold NaN"),
        (broken, w, r"networks \[1\] of a hold NaN"),
        (w.map(lambda x: x + torch.inf), w, r"networks \[0, 1, 2\] of a hold NaN"),
        (w, w.map(lambda x: 1e200 * x), r"networks \[0, 1, 2\] of b hold .* too large"),
    ):
        with pytest.raises(ValueError, match=message):
            match(a, b, signed=False)
