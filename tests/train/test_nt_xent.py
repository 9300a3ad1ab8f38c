import math

import pytest
import torch

from weightspace.train.nt_xent import nt_xent, pair_accuracy


def embeddings(n, dim, seed=0):
    g = torch.Generator().manual_seed(seed)
    return (torch.randn(n, dim, generator=g, dtype=torch.float64) for _ in range(2))


def oracle(z_a, z_b, temperature):
    """Chen et al. 2020, section 2.1, word by word: pairs are (2k - 1, 2k), counted from 1."""
    n = len(z_a)
    z = [z_k for pair in zip(z_a.tolist(), z_b.tolist(), strict=True) for z_k in pair]

    def s(i, j):
        dot = sum(a * b for a, b in zip(z[i - 1], z[j - 1], strict=True))
        return dot / (math.hypot(*z[i - 1]) * math.hypot(*z[j - 1]))

    def loss(i, j):
        others = sum(math.exp(s(i, k) / temperature) for k in range(1, 2 * n + 1) if k != i)
        return -math.log(math.exp(s(i, j) / temperature) / others)

    total = sum(loss(2 * k - 1, 2 * k) + loss(2 * k, 2 * k - 1) for k in range(1, n + 1))
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 3.0])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_is_the_equation_of_the_paper(n, temperature):
    z_a, z_b = embeddings(n, 4, seed=n)
    expected = oracle(z_a, z_b, temperature)
    assert nt_xent(z_a, z_b, temperature=temperature).item() == pytest.approx(expected, rel=1e-12)


def test_does_not_see_lengths_nor_the_order_of_the_pairs():
    z_a, z_b = embeddings(5, 3)
    loss = nt_xent(z_a, z_b, temperature=0.5)
    lengths = torch.rand(5, 1, generator=torch.Generator().manual_seed(1)).double() + 0.1
    order = torch.tensor([3, 1, 4, 0, 2])
    for other in (
        nt_xent(lengths * z_a, z_b, temperature=0.5),
        nt_xent(z_b, z_a, temperature=0.5),
        nt_xent(z_a[order], z_b[order], temperature=0.5),
    ):
        assert torch.allclose(other, loss, rtol=1e-12)
    assert not torch.allclose(nt_xent(z_a[order], z_b, temperature=0.5), loss, rtol=1e-3)


def test_equal_embeddings_cost_what_guessing_costs():
    z = torch.ones(4, 3, dtype=torch.float64)
    assert nt_xent(z, z, temperature=0.1).item() == pytest.approx(math.log(7), rel=1e-12)


def test_falls_along_its_gradient():
    z_a, z_b = (z.requires_grad_() for z in embeddings(6, 4))
    loss = nt_xent(z_a, z_b, temperature=0.5)
    loss.backward()
    with torch.no_grad():
        after = nt_xent(z_a - 0.1 * z_a.grad, z_b - 0.1 * z_b.grad, temperature=0.5)
    assert after < loss


def test_pair_accuracy_counts_who_finds_the_partner():
    z_a = torch.eye(4)
    assert pair_accuracy(z_a, z_a).item() == 1.0
    # The partners of the first two pairs are exchanged: four of eight embeddings are wrong.
    assert pair_accuracy(z_a, z_a[torch.tensor([1, 0, 2, 3])]).item() == 0.5


def test_equal_embeddings_score_no_better_than_a_guess():
    assert pair_accuracy(torch.ones(4, 3), torch.ones(4, 3)).item() == 1 / 8


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    z = torch.eye(3)
    with pytest.raises(ValueError, match=r"temperature is .*; it must be positive"):
        nt_xent(z, z, temperature=temperature)


def test_a_single_pair_is_refused():
    z = torch.ones(1, 3)
    with pytest.raises(ValueError, match=r"got 1 pair\(s\); it needs at least 2"):
        nt_xent(z, z, temperature=0.5)
