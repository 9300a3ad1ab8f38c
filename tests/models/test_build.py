import pytest
import torch
from strategies import random_networks

from laws import assert_identical, assert_no_global_randomness
from weightspace.models import MODELS
from weightspace.models.build import build_model, model_settings
from weightspace.rng import stream


def build(kind, seed=0, **settings):
    return build_model(
        kind, layer_layout=(3, 4, 5, 4), d_out=6, generator=stream(seed, "model"), **settings
    )


def parameters(model):
    return tuple(model.state_dict().values())


@pytest.mark.parametrize("kind", MODELS)
def test_the_parameters_are_a_function_of_the_generator(kind):
    assert_identical(parameters(build(kind)), parameters(build(kind)))
    different = zip(build(kind).parameters(), build(kind, seed=1).parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in different)


@pytest.mark.parametrize("kind", MODELS)
def test_no_global_generator_is_used(kind):
    assert_no_global_randomness(lambda: build(kind))


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_reads_networks(kind):
    w = random_networks((3, 4, 5, 4), 2, dtype=torch.float32)
    logits = build(kind).eval()(w)
    assert logits.shape == (2, 6)
    assert logits.isfinite().all()


@pytest.mark.parametrize("kind", MODELS)
def test_settings_reach_the_model(kind):
    assert "depth" in model_settings(kind)
    shallow, deep = (sum(p.numel() for p in build(kind, depth=d).parameters()) for d in (2, 3))
    assert shallow < deep


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("dsw", {}, "unknown model: 'dsw'; did you mean 'dws'"),
        ("dws", {"chanels": 3}, "unknown setting of model 'dws': 'chanels'.*mean 'channels'"),
        ("mlp", {"layer_layouts": 3}, "unknown setting of model 'mlp': 'layer_layouts'"),
        ("dws", {"reduce": "sum"}, "reduce is 'sum'; it must be one of mean, max"),
        ("mlp", {"width": -1}, "width is -1"),
    ],
)
def test_mistakes_have_their_message(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        build(kind, **settings)
