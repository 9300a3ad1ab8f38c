import pytest
import torch
from hypothesis import given
from strategies import networks_and, random_networks, random_perms

from laws import (
    assert_close,
    assert_equivariant,
    assert_invariant,
    assert_no_mutation,
    randomise_parameters,
)
from weightspace.models.dws import DWSNet
from weightspace.models.equivariant_linear import REDUCTIONS
from weightspace.models.folding import Folded
from weightspace.symmetry.permutation import permute

LAYOUTS = ((2, 5, 1), (2, 4, 5, 1), (3, 4, 4, 5, 4))


def model_for(layout, **settings):
    sizes = {"channels": 8, "neuron_channels": 16, "network_channels": 16, "head_width": 16}
    model = DWSNet(layer_layout=layout, d_out=3, **(sizes | settings)).double()
    return randomise_parameters(model, torch.Generator().manual_seed(0))


def permute_folded(x: Folded, perms) -> Folded:
    i = torch.arange(len(x.scalars))[:, None]
    return Folded(
        tuple(
            m[i[..., None], q[:, :, None], p[:, None, :]]
            for m, p, q in zip(x.matrices, perms, perms[1:], strict=False)
        ),
        tuple(v[i, p] for v, p in zip(x.vectors, perms, strict=True)),
        x.scalars,
    )


def folded_tensors(model, w):
    x = model.features(w)
    return (*x.matrices, *x.vectors, x.scalars)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("reduce", REDUCTIONS)
@given(case=networks_and(random_perms, min_batch=2))
def test_hidden_neurons_may_come_in_any_order(case, reduce, training):
    w, perms = case
    model = model_for(w.layer_layout, reduce=reduce).train(training)
    assert_invariant(model, w, lambda v: permute(v, perms))


@pytest.mark.parametrize("reduce", REDUCTIONS)
@given(case=networks_and(random_perms))
def test_the_body_is_equivariant(case, reduce):
    w, perms = case
    model = model_for(w.layer_layout, reduce=reduce)

    def action_out(tensors):
        n = len(w.layer_layout) - 2
        x = Folded(tensors[: -n - 1], tensors[-n - 1 : -1], tensors[-1])
        x = permute_folded(x, perms)
        return (*x.matrices, *x.vectors, x.scalars)

    assert_equivariant(
        lambda v: folded_tensors(model, v), w, lambda v: permute(v, perms), action_out
    )


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_every_parameter_and_every_weight_counts(layout, reduce, depth):
    model = model_for(layout, reduce=reduce, depth=depth)
    w = random_networks(layout, 16).map(lambda x: x.requires_grad_())
    model(w).square().sum().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.abs().max() > 0, name
    for x in w:
        assert x.grad is not None and (x.grad.abs().amax(0) > 0).all()


def test_features_keep_their_size_through_many_layers():
    torch.manual_seed(0)
    model = DWSNet(layer_layout=(2, 32, 32, 1), d_out=3, depth=8)
    x = model.features(random_networks((2, 32, 32, 1), 16, dtype=torch.float32))
    for t in (*x.vectors, x.scalars):
        assert 0.1 < t.square().mean().sqrt() < 10


def test_it_learns_a_function_of_the_weights():
    """Fits labels that no linear map of the weights tells: the sign of a product of two."""
    torch.manual_seed(0)
    w = random_networks((2, 6, 6, 1), 64, dtype=torch.float32)
    label = (w.weights[1].mean((1, 2)) * w.biases[2][:, 0] > 0).long()
    model = DWSNet(layer_layout=(2, 6, 6, 1), d_out=2, channels=8)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(w), label).backward()
        optimiser.step()
    assert (model(w).argmax(1) == label).float().mean() > 0.95


def test_a_network_does_not_see_its_batch_in_evaluation():
    w = random_networks((2, 4, 5, 1), 4)
    model = model_for(w.layer_layout).eval()
    assert_close(model(w)[:1], model(w[:1]))


def test_it_writes_into_nothing():
    w = random_networks((2, 4, 5, 1))
    assert_no_mutation(model_for(w.layer_layout).eval(), w)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer_layout": (2, 1)}, "no hidden layer"),
        ({"channels": 0}, "channels is 0; it must be a whole number of at least 1"),
        ({"depth": 0}, "depth is 0"),
        ({"neuron_channels": -1}, "neuron_channels is -1"),
        ({"reduce": "median"}, "reduce is 'median'; it must be one of mean, max"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DWSNet(**({"layer_layout": (2, 3, 1), "d_out": 3} | settings))


def test_networks_of_another_layout_are_refused():
    model = model_for((2, 4, 5, 1))
    with pytest.raises(ValueError, match=r"layer_layout \(2, 4, 5, 1\); got .* \(2, 5, 4, 1\)"):
        model(random_networks((2, 5, 4, 1)))
    with pytest.raises(ValueError, match=r"channel axes \(2,\)"):
        model(random_networks((2, 4, 5, 1), channels=(2,)))
