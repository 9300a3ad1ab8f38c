import pytest
import torch
from strategies import random_networks

from laws import assert_close, assert_no_mutation
from weightspace.dataset.statistics import Statistics, standardise, tensor_statistics
from weightspace.models.probes import ProbeFeatures, activations, unstandardise
from weightspace.siren import siren

LAYOUT = (2, 3, 4, 2)
OMEGA_0, OFFSET = 3.0, 0.5


def features_for(statistics, probes=5):
    return ProbeFeatures(
        LAYOUT,
        probes=probes,
        d_node=6,
        statistics=statistics,
        omega_0=OMEGA_0,
        output_offset=OFFSET,
    ).double()


def test_activations_are_those_of_the_siren():
    w = random_networks(LAYOUT)
    coords = torch.rand(7, 2, dtype=torch.float64)
    values = activations(w, coords, omega_0=OMEGA_0, output_offset=OFFSET)
    assert values.shape == (3, 3 + 4 + 2, 7)
    outputs = siren(w, coords, omega_0=OMEGA_0, output_offset=OFFSET)
    assert_close(values[:, -2:], outputs.transpose(1, 2))
    # By hand, of the first hidden layer of the last network.
    hidden = torch.sin(OMEGA_0 * (coords @ w.weights[0][-1].t() + w.biases[0][-1]))
    assert_close(values[-1, :3], hidden.t())


def test_unstandardise_undoes_standardise():
    w = random_networks(LAYOUT).map(lambda x: 0.2 * x + 0.7)
    statistics = tensor_statistics(w)
    assert_close(unstandardise(standardise(w, statistics), statistics), w)


def test_features_are_of_the_raw_networks():
    w = random_networks(LAYOUT).map(lambda x: 0.2 * x + 0.7)
    statistics = tensor_statistics(w)
    features = features_for(statistics)
    values = activations(w, features.points, omega_0=OMEGA_0, output_offset=OFFSET)
    assert_close(features(standardise(w, statistics)), features.linear(values))
    assert_no_mutation(features, w)


def test_points_start_inside_the_picture_and_are_learnt():
    features = features_for(Statistics((0.0,) * 6, (1.0,) * 6), probes=100)
    assert features.points.abs().max() <= 1
    assert features.points.min() < -0.9 and features.points.max() > 0.9
    features(random_networks(LAYOUT)).square().sum().backward()
    assert (features.points.grad != 0).all()


def test_what_probes_need_must_be_given():
    with pytest.raises(ValueError, match=r"probes is 5, but statistics is None.*give statistics"):
        features_for(None)
