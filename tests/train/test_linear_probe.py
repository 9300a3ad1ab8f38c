import pytest
import torch

from weightspace.train import linear_probe
from weightspace.train.accuracy import scores
from weightspace.train.linear_probe import (
    LinearProbe,
    UnconvergedError,
    fit_linear_probe,
    probe_objective,
    select_probe,
)


def task(n, *, dim=6, classes=3, seed=0, spread=1.0):
    """Classes around means of their own, in float32."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    means = 2 * torch.eye(classes, dim)
    return means[labels] + spread * torch.randn(n, dim, generator=g), labels


def slopes(probe, x, labels, l2):
    weight, bias = (t.clone().requires_grad_() for t in (probe.weight, probe.bias))
    probe_objective(LinearProbe(weight, bias), x.double(), labels, l2=l2).backward()
    return weight.grad.abs().max().item(), bias.grad.abs().max().item()


@pytest.mark.parametrize("l2", [1e-3, 1e-1, 10.0])
@pytest.mark.parametrize("n", [3, 40])
def test_the_gradient_vanishes_at_the_optimum(n, l2):
    x, labels = task(n)
    probe = fit_linear_probe(x, labels, n_classes=3, l2=l2)
    assert max(slopes(probe, x, labels, l2)) < 2e-6
    # It does not elsewhere: the check has teeth.
    elsewhere = LinearProbe(probe.weight + 0.1, probe.bias)
    assert max(slopes(elsewhere, x, labels, l2)) > 1e-4


def test_the_optimum_obeys_its_equation():
    # l2 W = (1/n) sum (onehot(y) - softmax(logits)) x^T, and the residuals add up to nothing.
    x, labels = task(50)
    l2 = 0.05
    probe = fit_linear_probe(x, labels, n_classes=3, l2=l2)
    x = x.double()
    residual = torch.nn.functional.one_hot(labels, 3).double() - probe(x).softmax(dim=1)
    assert torch.allclose(l2 * probe.weight, residual.T @ x / len(x), atol=5e-6)
    assert residual.mean(dim=0).abs().max() < 5e-6


def test_a_naive_descent_comes_to_the_same_place():
    x, labels = task(20)
    probe = fit_linear_probe(x, labels, n_classes=3, l2=0.1)
    weight, bias = torch.zeros(3, 6).double(), torch.zeros(3).double()
    for _ in range(3000):
        slope = torch.func.grad(
            lambda w, b: probe_objective(LinearProbe(w, b), x.double(), labels, l2=0.1),
            argnums=(0, 1),
        )(weight, bias)
        weight, bias = weight - 0.2 * slope[0], bias - 0.2 * slope[1]
    assert torch.allclose(probe.weight, weight, atol=1e-4)
    assert torch.allclose(probe.bias, bias, atol=1e-4)


def test_a_class_without_a_label_is_never_preferred():
    x, labels = task(30, classes=2)
    probe = fit_linear_probe(x, labels, n_classes=4, l2=0.01)
    assert probe.weight.shape == (4, 6)
    assert set(probe(x).argmax(dim=1).tolist()) == {0, 1}


def test_repeats_exactly():
    x, labels = task(25)
    first, second = (fit_linear_probe(x, labels, n_classes=3, l2=0.01) for _ in range(2))
    assert torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)


def test_the_penalty_is_selected_on_validation():
    # Few noisy examples in many dimensions: the weakest penalty fits the noise.
    (x, labels), (val_x, val_labels) = task(12, dim=40, spread=2), task(300, dim=40, seed=1)
    grid = [1e-4, 1e-2, 1.0, 100.0]
    found = select_probe(x, labels, val_x, val_labels, n_classes=3, l2=grid)
    ranks = {}
    for l2 in grid:
        probe = fit_linear_probe(x, labels, n_classes=3, l2=l2)
        accuracy, loss = scores(probe(val_x), val_labels)
        ranks[l2] = (accuracy, -loss)
    assert found.l2 == max(grid, key=ranks.__getitem__)
    assert found.val_accuracy == ranks[found.l2][0]
    assert len(set(ranks.values())) > 1
    order = select_probe(x, labels, val_x, val_labels, n_classes=3, l2=grid[::-1])
    assert order.l2 == found.l2


def test_logits_have_the_number_type_of_the_embeddings():
    x, labels = task(9)
    probe = fit_linear_probe(x, labels, n_classes=3, l2=1.0)
    assert probe(x).dtype == torch.float32 and probe(x.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.full((3, 2), torch.nan)}, "got 3 embeddings.*all finite"),
        ({"x": torch.zeros(0, 2), "labels": torch.zeros(0).long()}, "got 0 embeddings"),
        ({"l2": 0.0}, "l2 is 0.0; it must be positive"),
    ],
)
def test_what_has_no_optimum_is_refused(change, message):
    given = {"x": torch.zeros(3, 2), "labels": torch.zeros(3).long(), "l2": 1.0} | change
    with pytest.raises(ValueError, match=message):
        fit_linear_probe(given["x"], given["labels"], n_classes=2, l2=given["l2"])


def test_a_fit_that_stops_early_says_so(monkeypatch):
    x, labels = task(40)
    monkeypatch.setattr(linear_probe, "MAX_ITERATIONS", 3)
    with pytest.raises(UnconvergedError, match=r"l2 = 0.001 has a gradient of .* at most 3 iter"):
        fit_linear_probe(x, labels, n_classes=3, l2=1e-3)


def test_an_empty_grid_is_refused():
    x, labels = task(6)
    with pytest.raises(ValueError, match="l2 is empty"):
        select_probe(x, labels, x, labels, n_classes=3, l2=[])
