"""Under autocast the models run in half precision, and their gradients are about the same."""

import pytest
import torch
from strategies import random_networks

from laws import relative_error
from weightspace.models import MODELS

LAYOUT = (2, 8, 8, 1)


@pytest.mark.parametrize("kind", ["dws", "graph_transformer"])
def test_gradients_under_autocast_are_about_those_without(kind):
    torch.manual_seed(0)
    model = MODELS[kind](layer_layout=LAYOUT, d_out=3).eval()
    w = random_networks(LAYOUT, 16, dtype=torch.float32)
    found = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = model(w)
        assert out.dtype == (torch.bfloat16 if enabled else torch.float32)
        out.float().square().sum().backward()
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        assert all(p.grad.dtype == torch.float32 for p in model.parameters())
    assert 0 < relative_error(found[1], found[0]) < 0.1
