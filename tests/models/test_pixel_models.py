import pytest
import torch

from laws import assert_close, assert_identical, assert_no_mutation, randomise_parameters
from weightspace.models import MODELS, PIXEL_MODELS
from weightspace.models.build import build_model, model_settings
from weightspace.rng import stream

SHAPES = [(28, 28, 1), (32, 32, 3), (9, 11, 2)]


def pictures(shape, n=4, seed=0, dtype=torch.float64):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def build(kind, shape=(9, 11, 2), seed=0, **settings):
    generator = stream(seed, "model")
    return build_model(kind, image_shape=shape, d_out=3, generator=generator, **settings)


def random_model(kind, shape=(9, 11, 2), **settings):
    model = build(kind, shape, **settings).double().eval()
    return randomise_parameters(model, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", PIXEL_MODELS)
def test_outputs_per_image(kind, shape):
    model, x = random_model(kind, shape), pictures(shape)
    assert model(x).shape == (4, 3)
    assert_close(model(x)[1:2], model(x[1:2]))
    assert_no_mutation(model, x)


@pytest.mark.parametrize("kind", PIXEL_MODELS)
def test_every_pixel_of_every_channel_counts(kind):
    # Even sizes: of an odd size, the pooling leaves out the last row.
    x = pictures((8, 12, 2), n=1).requires_grad_()
    random_model(kind, (8, 12, 2), depth=2)(x).square().sum().backward()
    assert (x.grad != 0).all()


@pytest.mark.parametrize("kind", PIXEL_MODELS)
def test_channels_rows_and_columns_are_told_apart(kind):
    model, x = random_model(kind, (8, 8, 2), depth=2), pictures((8, 8, 2))
    for other in (x.flip(1), x.flip(2), x.flip(3), x.transpose(1, 2)):
        difference = (model(other) - model(x)).abs().amax(1)
        assert (difference > 1e-3 * model(x).abs().max()).all()


def test_the_convolution_knows_neighbours_and_the_mlp_does_not():
    # Relabelled pixels of all images are nothing new to an MLP with relabelled inputs.
    shape, order = (8, 8, 1), torch.randperm(64, generator=torch.Generator().manual_seed(1))
    x = pictures(shape)
    shuffled = x.flatten(1)[:, order].reshape(x.shape)
    mlp, cnn = random_model("pixel_mlp", shape), random_model("pixel_cnn", shape)
    relabelled = random_model("pixel_mlp", shape)
    with torch.no_grad():
        relabelled.layers[0].weight.copy_(mlp.layers[0].weight[:, order])
    assert_close(relabelled(shuffled), mlp(x))
    features = cnn.blocks[0](x.permute(0, 3, 1, 2))
    moved = cnn.blocks[0](x.roll(2, 1).permute(0, 3, 1, 2))
    # Moved by one pooling window: equal away from the borders.
    assert_close(moved[:, :, 2:-1], features[:, :, 1:-2])


@pytest.mark.parametrize("kind", PIXEL_MODELS)
def test_the_parameters_are_a_function_of_the_generator(kind):
    state = torch.random.get_rng_state()
    first, again, other = (build(kind, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert_identical(tuple(first.parameters()), tuple(again.parameters()))
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kind", PIXEL_MODELS)
def test_settings_are_all_that_a_config_may_set(kind):
    settings = model_settings(kind)
    assert "depth" in settings
    assert not {"d_out", "image_shape"} & set(settings)
    shallow, deep = (len(list(build(kind, depth=d).parameters())) for d in (1, 2))
    assert shallow < deep


def test_sizes_on_28_pixels():
    sizes = {
        kind: sum(p.numel() for p in build(kind, (28, 28, 1)).parameters()) for kind in PIXEL_MODELS
    }
    # 3x3 kernels 1 -> 32 -> 64 -> 128, two numbers per channel of the norms, 3 x 3 x 128 left.
    cnn = 9 * (32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128) + (9 * 128 + 1) * 3
    mlp = (784 + 1) * 256 + (256 + 1) * 256 + (256 + 1) * 3
    assert sizes == {"pixel_cnn": cnn, "pixel_mlp": mlp}


@pytest.mark.parametrize("kind", PIXEL_MODELS)
def test_bad_input_is_refused(kind):
    with pytest.raises(ValueError, match=r"images of shape \(9, 11, 2\); got .* \(9, 10, 2\)"):
        build(kind)(pictures((9, 10, 2), dtype=torch.float32))
    with pytest.raises(ValueError, match="depth is 0; it must be a whole number"):
        build(kind, depth=0)
    with pytest.raises(ValueError, match=f"model '{kind}' reads images, but no image_shape"):
        build_model(kind, layer_layout=(2, 3, 1), d_out=3, generator=stream(0, "model"))


def test_images_too_small_are_refused():
    with pytest.raises(ValueError, match="depth is 4, but 9 x 11 pixels cannot be halved 4"):
        build("pixel_cnn", depth=4)


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_of_networks_refuses_images(kind):
    with pytest.raises(ValueError, match=f"model '{kind}' reads networks, but no layer_layout"):
        build_model(kind, image_shape=(8, 8, 1), d_out=3, generator=stream(0, "model"))
