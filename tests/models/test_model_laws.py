"""The laws of models on weights, over everything that `MODELS` names and some of its settings."""

import pytest
import torch
from hypothesis import given, settings
from strategies import cyclic_perms, networks_and, random_networks, random_perms

from laws import (
    VISIBLE,
    assert_close,
    assert_identical,
    assert_invariant,
    assert_no_global_randomness,
    assert_no_mutation,
    assert_sensitive,
    invariance_error,
    randomise_parameters,
    uncoupled_permute,
)
from weightspace.dataset.statistics import Statistics
from weightspace.models import MODELS
from weightspace.models.build import build_model, model_settings
from weightspace.rng import stream
from weightspace.symmetry.permutation import permute
from weightspace.weights import Weights

# The baselines that know no symmetry; all other models are held to it.
BASELINES = ("mlp", "row_transformer")
CASES = {
    **{kind: (kind, {}) for kind in MODELS},
    "dws, max": ("dws", {"reduce": "max"}),
    "dws, batch norm": ("dws", {"batch_norm": True}),
    "dws, batch norm and max": ("dws", {"batch_norm": True, "reduce": "max"}),
    "graph_transformer, probes": ("graph_transformer", {"probes": 3}),
    "graph_transformer, two layers": ("graph_transformer", {"depth": 2}),
}
SYMMETRIC = [name for name, (kind, _) in CASES.items() if kind not in BASELINES]
LAYOUTS = [(2, 5, 1), (3, 4, 5, 2), (2, 4, 4, 5, 3)]


def model_for(name, layout, **more):
    kind, chosen = CASES[name]
    n = 2 * (len(layout) - 1)
    model = build_model(
        kind,
        layer_layout=layout,
        d_out=3,
        generator=stream(0, "law"),
        statistics=Statistics((0.1,) * n, (0.7,) * n),
        omega_0=2.0,
        output_offset=0.5,
        **chosen,
        **more,
    )
    return randomise_parameters(model.double(), torch.Generator().manual_seed(0)).eval()


def centred(model, layout):
    """The logits less their mean over some other networks.

    What is the same for all networks must not drown what tells them apart, neither where the
    outputs have to differ nor where they must not.
    """
    mean = model(random_networks(layout, 16, seed=1)).mean(0)
    return lambda w: model(w) - mean


def nudged(w, index):
    """The networks with every entry of one of their tensors moved."""
    tensors = [x + 0.5 * (i == index) for i, x in enumerate(w)]
    return Weights(tuple(tensors[: len(w.weights)]), tuple(tensors[len(w.weights) :]))


def test_every_model_is_judged():
    assert {kind for kind, _ in CASES.values()} == set(MODELS)
    assert set(BASELINES) < set(MODELS)


@pytest.mark.parametrize("name", SYMMETRIC)
@settings(max_examples=10)
@given(case=networks_and(random_perms, max_layers=4))
def test_hidden_neurons_may_come_in_any_order(name, case):
    w, perms = case
    f = centred(model_for(name, w.layer_layout), w.layer_layout)
    assert_invariant(f, w, lambda v: permute(v, perms))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_it_feels_an_uncoupled_permutation(name, layout):
    w = random_networks(layout)
    perms = cyclic_perms(w)
    f = centred(model_for(name, layout), layout)
    assert_sensitive(f, w, lambda v: uncoupled_permute(v, perms))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", BASELINES)
def test_the_baselines_feel_every_permutation(name, layout):
    """The symmetry that the other models have must not come for free."""
    w = random_networks(layout)
    perms = cyclic_perms(w)
    assert_sensitive(centred(model_for(name, layout), layout), w, lambda v: permute(v, perms))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_it_feels_a_change_of_any_tensor(name, layout):
    w, f = random_networks(layout), centred(model_for(name, layout), layout)
    for index in range(2 * len(w.weights)):
        assert_sensitive(f, w, lambda v, i=index: nudged(v, i))


@pytest.mark.parametrize("name", CASES)
def test_inputs_and_outputs_keep_their_order(name):
    w = random_networks((3, 4, 5, 4))
    f = centred(model_for(name, w.layer_layout), w.layer_layout)

    def turn_inputs(w):
        first, *rest = w.weights
        return Weights((first.roll(1, dims=2), *rest), w.biases)

    def turn_outputs(w):
        (*weights, last), (*biases, bias) = w.weights, w.biases
        return Weights((*weights, last.roll(1, dims=1)), (*biases, bias.roll(1, dims=1)))

    for turn in (turn_inputs, turn_outputs):
        assert invariance_error(f, w, turn) > VISIBLE


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_every_parameter_and_every_weight_counts(name, layout):
    w = random_networks(layout, 16).map(lambda x: x.requires_grad_())
    model = model_for(name, layout)
    model(w).square().sum().backward()
    for parameter, p in model.named_parameters():
        assert p.grad is not None and p.grad.abs().max() > 0, parameter
    for x in w:
        assert x.grad is not None and (x.grad.abs().amax(0) > 0).all()


@pytest.mark.parametrize("name", CASES)
def test_in_evaluation_it_is_a_function_of_each_network_alone(name):
    w = random_networks((3, 4, 5, 2), 4)
    model = model_for(name, w.layer_layout)
    assert_identical(model(w), model(w))
    assert_close(model(w)[1:2], model(w[1:2]))
    assert_no_global_randomness(model, w)
    assert_no_mutation(model, w)
    with torch.inference_mode():
        assert_close(model(w), model_for(name, w.layer_layout)(w))


@pytest.mark.parametrize("kind", [k for k in MODELS if "dropout" in model_settings(k)])
def test_dropout_draws_from_the_global_generator_and_in_training_only(kind):
    w = random_networks((2, 4, 5, 1))
    model = model_for(kind, w.layer_layout, dropout=0.3).train()
    with torch.random.fork_rng(devices=[]):
        first, second, again = (
            model(w) for seed in (0, 1, 0) if torch.default_generator.manual_seed(seed)
        )
    assert_identical(first, again)
    assert not torch.allclose(first, second)
    with_it, without = (model_for(kind, w.layer_layout, dropout=x).eval() for x in (0.3, 0.0))
    assert_close(with_it(w), without(w))
    assert_no_global_randomness(without.train(), w)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_training_step_is_invariant_too(name):
    w = random_networks((2, 4, 5, 1), 6)
    more = {"dropout": 0.0} if "dropout" in model_settings(CASES[name][0]) else {}
    moved = permute(w, random_perms(w))
    gradients = []
    for v in (w, moved):
        model = model_for(name, w.layer_layout, **more).train()
        model(v).square().sum().backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    # Where a norm takes the bias away its gradient is rounding, so all are compared as one.
    a, b = (torch.cat([g.flatten() for g in gs]) for gs in gradients)
    assert_close(a, b)
