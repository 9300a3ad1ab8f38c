"""The compiled assignment inside the matching: optimal, whatever the matrix and the threads."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import outputs_of_two
from scipy.optimize import linear_sum_assignment
from strategies import random_networks

from laws import assert_identical
from weightspace.symmetry.matching import match
from weightspace.weights import Weights

RNG = np.random.default_rng(0)


def check_optimal(similarity: np.ndarray) -> None:
    """Networks whose one similarity is the given matrix reach what SciPy reaches on it."""
    s = torch.from_numpy(np.asarray(similarity, np.float64))[None]
    n = s.shape[1]
    rest = torch.zeros(1, 1, n).double(), torch.zeros(1, n).double(), torch.zeros(1, 1).double()
    a, b = (Weights((x, rest[0]), rest[1:]) for x in (s, torch.eye(n)[None].double()))
    for signed in (False, True):
        found = match(a, b, signed=signed)
        perm, sign = found.perms[0][0], found.signs[0][0]
        assert sorted(perm.tolist()) == list(range(n))
        gains = s[0].abs() if signed else s[0]
        best = gains[linear_sum_assignment(gains.numpy(), maximize=True)].sum()
        value = (s[0][torch.arange(n), perm] * sign).sum()
        assert abs(value - best) <= 1e-12 * n * s.abs().max()


def matrices(entries: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    row = lambda n: st.lists(entries, min_size=n, max_size=n)  # noqa: E731
    return st.integers(1, 9).flatmap(
        lambda n: st.lists(row(n), min_size=n, max_size=n).map(np.array)
    )


@given(matrices(st.floats(-1e3, 1e3)))
def test_any_matrix(similarity: np.ndarray) -> None:
    check_optimal(similarity)


@given(matrices(st.integers(-2, 2)))
def test_whole_numbers_with_ties(similarity: np.ndarray) -> None:
    check_optimal(similarity)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 31, 33, 64, 128, 200])
def test_sizes(n: int) -> None:
    check_optimal(RNG.standard_normal((n, n)))
    check_optimal(-RNG.random((n, n)))
    check_optimal(RNG.integers(0, 4, (n, n)))


@pytest.mark.parametrize("n", [5, 32, 130])
def test_adversaries(n: int) -> None:
    i = np.arange(n)
    check_optimal(np.outer(i, i))  # the longest paths
    check_optimal(-np.outer(i, i))
    check_optimal(np.minimum.outer(i, i))
    check_optimal(RNG.standard_normal((n, 2)) @ RNG.standard_normal((2, n)))
    check_optimal(np.zeros((n, n)))
    check_optimal(np.full((n, n), -3.0))
    check_optimal(np.eye(n)[RNG.permutation(n)])
    check_optimal(RNG.standard_normal((n, n)) * 10.0 ** RNG.integers(-12, 13, (n, n)))
    check_optimal(RNG.standard_normal((n, n)) * 1e-100)
    check_optimal(RNG.standard_normal((n, n)) * 1e100)


@pytest.mark.parametrize("signed", [False, True])
def test_the_number_of_threads_changes_nothing(signed: bool) -> None:
    a, b = (random_networks((2, 24, 17, 1), 40, seed=s, dtype=torch.float32) for s in (0, 1))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(match(a, b, signed=signed))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert_identical((*found[0].perms, *found[0].signs), (*other.perms, *other.signs))


MATCH = """
import torch
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.symmetry.matching import match
a, b = (
    init_siren((2, 16, 16, 1), omega_0=30.0, generator=stream(0, name), batch_size=20)
    for name in "ab"
)
found = match(a, b, signed=True)
print([x.tolist() for x in (*found.perms, *found.signs)])
"""


def test_the_process_that_compiles_matches_as_those_that_load_the_compiled_code(tmp_path):
    first, second = outputs_of_two(MATCH, tmp_path)
    assert first == second
