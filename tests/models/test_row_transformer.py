import pytest
import torch
from strategies import random_networks

from laws import assert_close, assert_no_mutation, randomise_parameters
from weightspace.models.row_transformer import RowTransformer


def model_for(layout, **chosen):
    model = RowTransformer(layer_layout=layout, d_out=3, **chosen).double()
    return randomise_parameters(model, torch.Generator().manual_seed(0)).eval()


@pytest.mark.parametrize("layout", [(2, 1), (2, 5, 1), (3, 4, 4, 5, 4)])
def test_outputs_per_network(layout):
    w = random_networks(layout, 4)
    model = model_for(layout, width=8, depth=2)
    assert model(w).shape == (4, 3)
    assert_close(model(w)[1:2], model(w[1:2]))
    assert_no_mutation(model, w)


def test_there_is_one_token_per_row():
    w = random_networks((2, 5, 4, 1))
    seen = []
    model = model_for(w.layer_layout)
    model.encoder.register_forward_hook(lambda module, args, out: seen.append(args[0]))
    model(w)
    (tokens,) = seen
    assert tokens.shape == (3, 5 + 4 + 1, 64)
    row = torch.cat([w.weights[1][:, 2], w.biases[1][:, 2:3]], dim=1)
    assert_close(tokens[:, 5 + 2], model.rows[1](row) + model.positions[5 + 2])


def test_the_layers_start_different():
    layers = RowTransformer(layer_layout=(2, 3, 1), d_out=3).encoder.layers
    for (name, a), (_, b) in zip(
        layers[0].named_parameters(), layers[1].named_parameters(), strict=True
    ):
        assert a.ndim == 1 or not torch.equal(a, b), name


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"depth": 0}, "depth is 0; it must be a whole number of at least 1"),
        ({"heads": 3}, "width is 64; it must be a multiple of heads, which is 3"),
        ({"dropout": -0.1}, r"dropout is -0.1; it must lie in \[0, 1\)"),
    ],
)
def test_impossible_settings_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        RowTransformer(layer_layout=(2, 3, 1), d_out=3, **chosen)


def test_networks_of_another_layout_are_refused():
    with pytest.raises(ValueError, match=r"layer_layout \(2, 3, 1\); got .* \(2, 4, 1\)"):
        model_for((2, 3, 1))(random_networks((2, 4, 1)))
