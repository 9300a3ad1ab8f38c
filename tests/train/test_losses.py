import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weightspace.train.losses import one_hot, soft_cross_entropy, symmetric_kl


def test_one_hot_marks_the_label():
    target = one_hot(torch.tensor([2, 0]), 3)
    assert torch.equal(target, torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))


def test_smoothing_spreads_its_share_over_all_classes():
    target = one_hot(torch.tensor([1]), 4, smoothing=0.2)
    torch.testing.assert_close(target, torch.tensor([[0.05, 0.85, 0.05, 0.05]]))


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2.0, math.nan])
def test_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match="smoothing"):
        one_hot(torch.tensor([0]), 3, smoothing=smoothing)


def test_soft_cross_entropy_is_the_equation():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 4, generator=generator)
    target = torch.rand(5, 4, generator=generator).softmax(dim=1)
    total = 0.0
    for row, t in zip(logits.tolist(), target.tolist(), strict=True):
        log_sum = math.log(sum(math.exp(x) for x in row))
        total -= sum(p * (x - log_sum) for x, p in zip(row, t, strict=True))
    assert soft_cross_entropy(logits, target).item() == pytest.approx(total / 5, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_agrees_with_torch_on_labels(smoothing):
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 2, 2, 1, 0, 0])
    expected = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    torch.testing.assert_close(
        soft_cross_entropy(logits, one_hot(labels, 3, smoothing=smoothing)), expected
    )


def test_large_logits_stay_finite():
    loss = soft_cross_entropy(torch.tensor([[1e4, -1e4]]), torch.tensor([[0.0, 1.0]]))
    assert loss.item() == pytest.approx(2e4)


# -- the divergence of two predictions -------------------------------------------------------


def predictions(seed, scale=1.0, classes=4):
    g = torch.Generator().manual_seed(seed)
    return scale * torch.randn(2, 6, classes, generator=g, dtype=torch.float64)


def test_the_divergence_is_the_mean_of_both_directions():
    one, other = predictions(0)
    total = 0.0
    for a, b in zip(one.softmax(1).tolist(), other.softmax(1).tolist(), strict=True):
        total += sum(p * math.log(p / q) for p, q in zip(a, b, strict=True)) / 2
        total += sum(q * math.log(q / p) for p, q in zip(a, b, strict=True)) / 2
    assert symmetric_kl(one, other).item() == pytest.approx(total / 6, rel=1e-12)


@given(st.integers(0, 2**31), st.sampled_from([1e-6, 1.0, 1e4]), st.integers(2, 12))
def test_laws_of_the_divergence(seed, scale, classes):
    one, other = predictions(seed, scale, classes)
    divergence = symmetric_kl(one, other)
    assert 0 < divergence < math.inf
    assert torch.equal(symmetric_kl(other, one), divergence)
    assert symmetric_kl(one, one) == 0
    turned = torch.randperm(classes, generator=torch.Generator().manual_seed(seed))
    same = symmetric_kl(one[:, turned] + 3.0, other[:, turned] - 5.0)
    torch.testing.assert_close(same, divergence, rtol=1e-6, atol=1e-15)
