"""Seeds can train together: `vmap` over parameters gives the gradients of each model alone."""

import pytest
import torch
from strategies import random_networks

from laws import assert_close, randomise_parameters
from weightspace.models import MODELS
from weightspace.weights import Weights

LAYOUT = (2, 4, 5, 1)
CASES = {
    "dws": {"channels": 3},
    "graph_transformer": {"depth": 3, "dropout": 0.0},
}


def models_of(kind, n):
    models = [MODELS[kind](layer_layout=LAYOUT, d_out=3, **CASES[kind]) for _ in range(n)]
    for seed, model in enumerate(models):
        randomise_parameters(model.double(), torch.Generator().manual_seed(seed)).eval()
    return models


@pytest.mark.parametrize("own_inputs", [False, True])
@pytest.mark.parametrize("kind", CASES)
def test_gradients_of_models_together_are_those_of_each(kind, own_inputs):
    models = models_of(kind, 3)
    inputs = [random_networks(LAYOUT, 2, seed=i * own_inputs) for i in range(3)]

    def loss(parameters, buffers, tensors):
        w = Weights(tensors[: len(tensors) // 2], tensors[len(tensors) // 2 :])
        found = torch.func.functional_call(models[0], (parameters, buffers), (w,))
        return found.square().sum()

    tensors = tuple(torch.stack(x) for x in zip(*inputs, strict=True))
    if not own_inputs:
        tensors = tuple(x[0] for x in tensors)
    together = torch.vmap(torch.func.grad(loss), in_dims=(0, 0, 0 if own_inputs else None))
    found = together(*torch.func.stack_module_state(models), tensors)
    for i, (model, w) in enumerate(zip(models, inputs, strict=True)):
        model(w).square().sum().backward()
        for name, p in model.named_parameters():
            assert_close(found[name][i], p.grad)
