import pytest
import torch
from strategies import cyclic_perms, random_networks

from laws import assert_close, assert_no_mutation, assert_sensitive, randomise_parameters
from weightspace.models.mlp import WeightMLP
from weightspace.symmetry.permutation import permute


def model_for(layout, **settings):
    model = WeightMLP(layer_layout=layout, d_out=3, **settings).double()
    return randomise_parameters(model, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layout", [(2, 1), (2, 5, 1), (3, 4, 4, 5, 4)])
@pytest.mark.parametrize("depth", [1, 3])
def test_outputs_per_network(layout, depth):
    w = random_networks(layout, 4)
    model = model_for(layout, width=7, depth=depth)
    assert model(w).shape == (4, 3)
    assert_close(model(w)[1:2], model(w[1:2]))
    assert sum(isinstance(m, torch.nn.Linear) for m in model.layers) == depth + 1


def test_it_is_not_invariant():
    """The symmetry that the other models have must not come for free."""
    w = random_networks((2, 5, 4, 1))
    perms = cyclic_perms(w)
    assert_sensitive(model_for(w.layer_layout), w, lambda v: permute(v, perms))


def test_it_writes_into_nothing():
    w = random_networks((2, 5, 4, 1))
    assert_no_mutation(model_for(w.layer_layout), w)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="width is 0; it must be a whole number"):
        WeightMLP(layer_layout=(2, 3, 1), d_out=3, width=0)
    with pytest.raises(ValueError, match=r"layer_layout \(2, 3, 1\); got .* \(2, 4, 1\)"):
        WeightMLP(layer_layout=(2, 3, 1), d_out=3)(random_networks((2, 4, 1), dtype=torch.float32))
