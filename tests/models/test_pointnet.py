"""Laws of the models of points: sets of points, each on its own, and every number counts."""

import pytest
import torch
from torch import nn

from laws import (
    assert_close,
    assert_no_global_randomness,
    assert_no_mutation,
    randomise_parameters,
    relative_error,
)
from weightspace.models import MODELS, POINT_MODELS
from weightspace.models.build import build_model, model_settings
from weightspace.rng import stream

CHANNELS = {"pointnet": 3, "pointnet_occupancy": 4}
KINDS = list(POINT_MODELS)
VISIBLE = 1e-3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clouds(kind, batch=4, n=50, seed=0):
    """Points in the cube, with the occupancy of a ball where the model reads it."""
    x = 2 * torch.rand(batch, n, 3, generator=generator(seed), dtype=torch.float64) - 1
    inside = torch.where(x.norm(dim=2) < 0.8, 1.0, -1.0).double()
    return x if CHANNELS[kind] == 3 else torch.cat([x, inside[..., None]], dim=2)


def build(kind, seed=0, **settings):
    channels = CHANNELS[kind]
    return build_model(
        kind, point_channels=channels, d_out=3, generator=stream(seed, "model"), **settings
    )


def random_model(kind, **settings):
    """A model in evaluation mode whose norms have seen data."""
    model = randomise_parameters(build(kind, **settings).double(), generator())
    model.train()
    with torch.no_grad():
        model(clouds(kind, batch=8, seed=9))
    return model.eval()


def felt(model, x, moved):
    """How much the outputs of each set change, compared with the largest of them."""
    with torch.no_grad():
        before, after = model(x), model(moved)
    return (after - before).abs().amax(dim=1) / before.abs().max()


# -- a set of points -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [False, True])
def test_the_order_of_the_points_plays_no_role(kind, training):
    # An order of its own for each set; in training the norms see all points of the batch.
    model, x = random_model(kind, dropout=0.0).train(training), clouds(kind)
    order = torch.rand(x.shape[:2], generator=generator(1)).argsort(dim=1)
    shuffled = x.gather(1, order[..., None].expand_as(x))
    assert not torch.equal(shuffled, x)
    assert_close(model(shuffled), model(x))


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_two_sets_cannot_be_exchanged(kind):
    # What the law above looks for, it finds: an order over all sets is another input.
    model, x = random_model(kind), clouds(kind)
    order = torch.randperm(200, generator=generator(1))
    shuffled = x.flatten(0, 1)[order].reshape(x.shape)
    assert (felt(model, x, shuffled) > VISIBLE).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_that_is_listed_twice_says_nothing_new(kind):
    model, x = random_model(kind), clouds(kind)
    assert_close(model(torch.cat([x, x[:, :7]], dim=1)), model(x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 50, 333])
def test_any_number_of_points_is_read(kind, n):
    outputs = random_model(kind)(clouds(kind, n=n))
    assert outputs.shape == (4, 3)
    assert outputs.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_set_is_on_its_own_in_evaluation(kind):
    model, x = random_model(kind), clouds(kind)
    for i in range(4):
        assert_close(model(x)[i : i + 1], model(x[i : i + 1]))
    # ... and not in training, where the norms are of the batch.
    model.train()
    assert relative_error(model(x)[1:3], model(x[1:3])) > VISIBLE


# -- every number counts ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("octant", range(8))
def test_the_points_of_every_octant_count(kind, octant):
    signs = torch.tensor([1.0 if octant >> axis & 1 else -1.0 for axis in range(3)]).double()
    model, x = random_model(kind), clouds(kind, n=400)
    inside = (x[..., :3] * signs > 0).all(dim=2)
    assert (inside.sum(dim=1) > 20).all()
    moved = x.clone()
    moved[..., :3] += 0.5 * signs * inside[..., None]  # away from the origin
    assert (felt(model, x, moved) > VISIBLE).all()
    # Taken away, by listing a point of another octant in their place: the other points stay, so
    # what is left to see is smaller, but far above the rounding.
    for i in range(len(x)):
        moved[i] = torch.where(inside[i, :, None], x[i][~inside[i]][:1], x[i])
    assert (felt(model, x, moved) > 1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_a_point_counts(kind):
    model, x = random_model(kind), clouds(kind)
    x.requires_grad_()
    model(x).square().sum().backward()
    assert (x.grad.abs().amax(dim=1) > 0).all()
    for channel in range(x.shape[2]):
        moved = x.detach().clone()
        moved[..., channel] *= -1  # mirrored, or the outside for the inside
        assert (felt(model, x.detach(), moved) > VISIBLE).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_axes_are_told_apart(kind):
    model, x = random_model(kind), clouds(kind)
    for axes in ([1, 0, 2], [0, 2, 1], [2, 1, 0]):
        moved = torch.cat([x[..., axes], x[..., 3:]], dim=2)
        assert (felt(model, x, moved) > VISIBLE).all()


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_occupancy_of_a_region_counts(axis, sign):
    model, x = random_model("pointnet_occupancy"), clouds("pointnet_occupancy", n=400)
    region = sign * x[..., axis] > 0
    changed = x.clone()
    changed[..., 3][region] *= -1
    assert (felt(model, x, changed) > VISIBLE).all()


# -- gradients, parameters, purity -----------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_repeat_exactly_with_equal_points(kind):
    # Points listed several times tie for the maximum.
    torch.use_deterministic_algorithms(True)
    try:
        x = clouds(kind).repeat(1, 3, 1).float()
        found = []
        for _ in range(2):
            model = build(kind, dropout=0.0)
            model(x).square().sum().backward()
            found.append([p.grad for p in model.parameters()])
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(map(torch.equal, *found))
    assert all((g != 0).any() for g in found[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_parameters_are_a_function_of_the_generator(kind):
    assert_no_global_randomness(lambda: tuple(build(kind).parameters()))
    first, again, other = (list(build(kind, seed=s).parameters()) for s in (0, 0, 1))
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_are_left_alone(kind):
    assert_no_mutation(random_model(kind), clouds(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_all_that_a_config_may_set(kind):
    names = ("width", "depth", "features", "head_width", "dropout")
    assert tuple(model_settings(kind)) == names
    shallow, deep = (len(list(build(kind, depth=d).parameters())) for d in (1, 2))
    assert shallow < deep
    (dropout,) = (m for m in build(kind, dropout=0.7).modules() if isinstance(m, nn.Dropout))
    assert dropout.p == 0.7


def test_sizes():
    # Maps without bias and two numbers per channel of the norms; the last map has a bias.
    sizes = {kind: sum(p.numel() for p in build(kind).parameters()) for kind in KINDS}
    rest = 64 * 64 + 64 * 256 + 256 * 128 + 2 * (64 + 64 + 256 + 128) + 129 * 3
    assert sizes == {kind: CHANNELS[kind] * 64 + rest for kind in KINDS}


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused(kind):
    channels = CHANNELS[kind]
    for shape in ((2, 50, channels + 1), (2, 0, channels)):
        with pytest.raises(ValueError, match=rf"reads \(batch, points, {channels}\).*got \(2, "):
            build(kind)(torch.zeros(shape))
    with pytest.raises(ValueError, match="depth is 0; it must be a whole number"):
        build(kind, depth=0)
    with pytest.raises(ValueError, match=r"dropout is 1.0; it must lie in \[0, 1\)"):
        build(kind, dropout=1.0)


@pytest.mark.parametrize(("kind", "other"), [("pointnet", 4), ("pointnet_occupancy", 3)])
def test_points_of_the_other_kind_are_refused(kind, other):
    message = rf"of {CHANNELS[kind]} numbers .*the dataset has points of {other}"
    with pytest.raises(ValueError, match=message):
        build_model(kind, point_channels=other, d_out=3, generator=stream(0, "model"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [{"layer_layout": (2, 3, 1)}, {"image_shape": (8, 8, 1)}])
def test_networks_and_images_are_refused(kind, given):
    with pytest.raises(ValueError, match=f"'{kind}' reads points, but no point_channels .*images"):
        build_model(kind, **given, d_out=3, generator=stream(0, "model"))


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_of_networks_refuses_points(kind):
    with pytest.raises(ValueError, match=f"model '{kind}' reads networks, but no layer_layout"):
        build_model(kind, point_channels=3, d_out=3, generator=stream(0, "model"))
