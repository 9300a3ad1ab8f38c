"""The oracle itself, against torch's own Adam and against fits done one by one."""

import numpy as np
import pytest
import torch
from torch import Tensor

from weightspace.data.coordinates import grid
from weightspace.fit.reference import adam_step, fit_reference, squared_error
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.weights import Weights

LAYOUT = (2, 5, 4, 3)
ADAM = {"betas": (0.9, 0.99), "eps": 1e-6}
SETTINGS = {"lr": 2e-3, **ADAM}
SIREN = {"omega_0": 30.0, "output_offset": 0.5}
ALL = {"points_per_step": 30, "target_mse": None, "threads": None}


def problem(batch: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Weights]:
    coords = grid((6, 5)).to(dtype)
    signals = torch.rand(batch, 30, 3, generator=stream(0, "signal"), dtype=dtype)
    init = init_siren(LAYOUT, omega_0=30.0, generator=stream(0, "init"), batch_size=batch)
    return signals, coords, init.to(dtype)


def torch_adam(signals: Tensor, coords: Tensor, init: Weights, steps: int) -> Weights:
    """A naive fit of all networks of `init` by torch.optim.Adam."""
    leaves = init.map(lambda x: x.clone().requires_grad_())
    optimiser = torch.optim.Adam(list(leaves), **SETTINGS)
    for _ in range(steps):
        optimiser.zero_grad()
        ((siren(leaves, coords, **SIREN) - signals) ** 2).mean().backward()
        optimiser.step()
    return leaves.map(torch.detach)


def test_adam_step_is_that_of_torch():
    w = init_siren(LAYOUT, omega_0=30.0, generator=stream(1), batch_size=3).to(torch.float64)
    leaves = w.map(lambda x: x.clone().requires_grad_())
    optimiser = torch.optim.Adam(list(leaves), **SETTINGS)
    mean = square = w.map(torch.zeros_like)
    generator = stream(2)
    for t in range(1, 21):
        gradient = w.map(lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype))
        for leaf, g in zip(leaves, gradient, strict=True):
            leaf.grad = g.clone()
        optimiser.step()
        w, mean, square = adam_step(w, gradient, mean, square, t=t, **SETTINGS)
        torch.testing.assert_close(w.flatten(), leaves.flatten().detach(), rtol=1e-13, atol=1e-13)


def test_a_batch_is_that_many_independent_fits():
    signals, coords, init = problem(batch=4)
    rates = np.full(20, SETTINGS["lr"])
    fitted, taken = fit_reference(signals, coords, init=init, **SIREN, rates=rates, **ADAM, **ALL)
    assert taken.tolist() == [20] * 4
    for n in range(4):
        one = slice(n, n + 1)
        alone = torch_adam(signals[one], coords, init[one], steps=20)
        torch.testing.assert_close(fitted[one].flatten(), alone.flatten(), rtol=1e-10, atol=1e-12)


def test_fitting_does_not_touch_its_arguments():
    signals, coords, init = problem(batch=2, dtype=torch.float32)
    before = [x.clone() for x in (signals, coords, *init)]
    fit_reference(
        signals,
        coords,
        init=init,
        rates=np.full(3, 0.002),
        **SIREN,
        **ADAM,
        **ALL | {"target_mse": 1e-9},
    )
    for x, y in zip((signals, coords, *init), before, strict=True):
        assert torch.equal(x, y) and not x.requires_grad


def test_squared_error_is_the_mean_over_points_and_outputs():
    signals, coords, init = problem(batch=2)
    outputs = siren(init, coords, **SIREN)
    mse = squared_error(init, signals, coords, **SIREN)
    for n in range(2):
        total = sum((outputs[n, p, d] - signals[n, p, d]) ** 2 for p in range(30) for d in range(3))
        assert mse[n].item() == pytest.approx(float(total) / 90)
