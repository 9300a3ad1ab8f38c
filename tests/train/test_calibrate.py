import pytest
import torch
from torch import nn

from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import tensor_statistics
from weightspace.models.build import build_model
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.train.calibrate import calibrate_norms
from weightspace.train.supervised import predict


@pytest.fixture
def dataset():
    w = init_siren((2, 5, 4, 1), omega_0=30.0, generator=stream(0, "w"), batch_size=23)
    ids = torch.arange(23)
    return InrDataset(
        weights=w,
        labels=ids % 3,
        object_ids=ids,
        views=torch.zeros_like(ids),
        n_classes=3,
        omega_0=30.0,
        output_offset=0.5,
    )


@pytest.fixture
def model():
    return build_model(
        "dws", layer_layout=(2, 5, 4, 1), d_out=3, generator=stream(0, "model"), channels=2
    )


def norm_of(model):
    return next(m for m in model.modules() if isinstance(m, nn.BatchNorm1d))


def test_the_statistics_are_those_of_the_dataset(model, dataset):
    norm, seen = norm_of(model), []
    norm.running_mean += 100.0  # as if it had been trained on something else
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    calibrate_norms(model, dataset, tensor_statistics(dataset.weights), 23)
    torch.testing.assert_close(norm.running_mean, seen[0].mean(0))
    torch.testing.assert_close(norm.running_var, seen[0].var(0))


def test_predictions_no_longer_depend_on_what_the_norm_saw_before(model, dataset):
    statistics = tensor_statistics(dataset.weights)
    logits = []
    for shift in (0.0, 100.0):
        norm_of(model).running_mean += shift
        calibrate_norms(model, dataset, statistics, 8)
        logits.append(predict(model, dataset, statistics, 8))
    assert torch.equal(*logits)


@pytest.mark.parametrize("training", [True, False])
def test_modes_momenta_and_parameters_are_left_alone(model, dataset, training):
    model.train(training)
    before = {k: v.clone() for k, v in model.named_parameters()}
    # 23 networks in chunks of at least 11: no chunk has one network alone.
    calibrate_norms(model, dataset, tensor_statistics(dataset.weights), 11)
    assert all(m.training is training for m in model.modules())
    assert norm_of(model).momentum == 0.1
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is None


def test_norms_of_images_are_calibrated_too(images):
    pictures, seen = images(20), []
    model = build_model(
        "pixel_cnn", **pictures.input_settings, d_out=2, generator=stream(0, "model"), depth=1
    )
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    norm.running_mean += 100.0
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    calibrate_norms(model, pictures, tensor_statistics(pictures.images), 20)
    torch.testing.assert_close(norm.running_mean, seen[0].mean((0, 2, 3)))
    assert len(seen) == 1


def test_a_model_without_batch_norm_is_not_evaluated(dataset):
    class Untouchable(nn.Module):
        def forward(self, w):
            raise AssertionError

    calibrate_norms(Untouchable(), dataset, tensor_statistics(dataset.weights), 8)
