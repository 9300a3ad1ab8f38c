"""Own points of each network and steps on slices of the points, in both backends."""

from functools import cache
from itertools import cycle, islice

import pytest
import torch
from torch import Tensor

from weightspace.fit import fitting
from weightspace.fit.fitting import FitResult, fit_sirens
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.weights import Weights, cat

# Layout, number of points, points per step: whole slices and points left over, slices of several
# tiles and of one, none a whole number of vectors; more steps than slices.
PROBLEMS = {
    "all points in every step": ((2, 13, 9, 3), 140, None),
    "slices": ((3, 32, 32, 1), 1000, 130),
    "slices of several tiles": ((1, 8, 8, 2), 2500, 900),
    "one point per step": ((3, 4, 4, 1), 5, 1),
    "one slice and a rest": ((2, 6, 5, 1), 50, 33),
}
ON_CPU = ("reference", "cpu")  # test_cuda_backend.py has the third
BATCH, STEPS = 4, 30
SIREN = {"omega_0": 20.0, "output_offset": 0.5}
ADAM = {"lr": 2e-3, "betas": (0.9, 0.99), "eps": 1e-8}


def problem(name: str, batch: int = BATCH) -> tuple[Tensor, Tensor, Weights]:
    """Random points of each network's own, and a wave on them."""
    layout, points, _ = PROBLEMS[name]
    coords = 2 * torch.rand(batch, points, layout[0], generator=stream(0, "points")) - 1
    waves = 2 * torch.randn(batch, layout[0], layout[-1], generator=stream(0, "waves"))
    init = init_siren(layout, omega_0=20.0, generator=stream(0, "init"), batch_size=batch)
    return 0.5 + 0.4 * torch.sin(coords @ waves), coords, init


def fit(signals: Tensor, coords: Tensor, init: Weights, name: str, **more) -> FitResult:
    settings = {"steps": STEPS, "points_per_step": PROBLEMS[name][2], **SIREN, **ADAM, **more}
    return fit_sirens(signals, coords, init=init, **settings)


@cache
def naive(name: str) -> Weights:
    """One network and one slice after the other, by torch.optim.Adam in float64."""
    signals, coords, init = problem(name)
    p, m = PROBLEMS[name][1], PROBLEMS[name][2] or PROBLEMS[name][1]
    slices = [range(first, first + m) for first in range(0, p - m + 1, m)]
    fitted: list[Weights] = []
    for n in range(BATCH):
        one = init[n : n + 1].to(torch.float64).map(lambda x: x.clone().requires_grad_())
        optimiser = torch.optim.Adam(list(one), **ADAM)
        for points in islice(cycle(slices), STEPS):
            optimiser.zero_grad()
            shown = siren(one, coords[n, points].double(), **SIREN)
            (shown[0] - signals[n, points].double()).square().mean().backward()
            optimiser.step()
        fitted.append(one.map(torch.detach))
    return cat(fitted)


def distance(a: Weights, b: Weights) -> float:
    """The greatest difference of any parameter."""
    return (a.flatten().double() - b.flatten().double()).abs().max().item()


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_reference_is_the_naive_loop_over_slices(name):
    signals, coords, init = problem(name)
    double = (signals.double(), coords.double(), init.to(torch.float64))
    result = fit(*double, name, backend="reference")
    torch.testing.assert_close(
        result.weights.flatten(), naive(name).flatten(), rtol=1e-9, atol=1e-11
    )
    assert result.steps.tolist() == [STEPS] * BATCH


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_compiled_backend_is_the_naive_loop_to_rounding(name):
    """Rounding errors grow; so those of the float32 reference are the measure."""
    signals, coords, init = problem(name)
    rounding = distance(fit(signals, coords, init, name, backend="reference").weights, naive(name))
    compiled = fit(signals, coords, init, name, backend="cpu")
    assert distance(compiled.weights, naive(name)) <= 4 * rounding + 2e-6
    assert rounding < 1e-3
    for moved in (1, PROBLEMS[name][2] or 0):  # by a point, by a slice: the comparison sees it
        other = fit(signals.roll(moved, 1), coords, init, name, backend="cpu")
        assert moved == 0 or distance(other.weights, naive(name)) > 4 * rounding + 2e-6


@pytest.mark.parametrize("backend", ON_CPU)
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_reported_error_is_that_over_all_points(name, backend):
    signals, coords, init = problem(name)
    result = fit(signals, coords, init, name, backend=backend)
    for n in range(BATCH):
        shown = siren(result.weights[n : n + 1], coords[n], **SIREN)[0]
        mse = (shown - signals[n]).square().mean()
        torch.testing.assert_close(result.mse[n], mse, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("backend", ON_CPU)
def test_points_that_fill_no_slice_serve_the_reported_error_alone(backend):
    signals, coords, init = problem("slices")
    whole = fit(signals, coords, init, "slices", backend=backend)
    poisoned = signals.clone()
    poisoned[:, 7 * 130 :] = torch.nan
    result = fit(poisoned, coords, init, "slices", backend=backend)
    assert torch.equal(result.weights.flatten(), whole.weights.flatten())
    assert result.mse.isnan().all() and whole.mse.isfinite().all()


@pytest.mark.parametrize("backend", ON_CPU)
@pytest.mark.parametrize("points_per_step", [None, 130])
def test_shared_points_are_own_points_that_are_equal(points_per_step, backend):
    signals, coords, init = problem("slices")
    more = {"backend": backend, "points_per_step": points_per_step}
    shared = fit(signals, coords[0], init, "slices", **more)
    own = fit(signals, coords[:1].repeat(BATCH, 1, 1), init, "slices", **more)
    assert distance(own.weights, shared.weights) <= (0 if backend == "cpu" else 1e-5)
    torch.testing.assert_close(own.mse, shared.mse, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_network_does_not_depend_on_its_batch_or_the_threads(name):
    """To the last bit, and alone its own points are shared ones."""
    signals, coords, init = problem(name)
    whole = fit(signals, coords, init, name, backend="cpu").weights.flatten()
    index = torch.tensor([3, 1])
    part = fit(signals[index], coords[index], init[index], name, backend="cpu", threads=1)
    assert torch.equal(part.weights.flatten(), whole[index])
    alone = fit(signals[2:3], coords[2], init[2:3], name, backend="cpu", threads=1)
    assert torch.equal(alone.weights.flatten(), whole[2:3])


@pytest.mark.parametrize("backend", ON_CPU)
def test_all_points_are_one_slice(backend):
    signals, coords, init = problem("slices")
    a, b = (
        fit(signals, coords, init, "slices", points_per_step=m, backend=backend).weights
        for m in (None, 1000)
    )
    assert torch.equal(a.flatten(), b.flatten())


def test_a_point_that_is_not_finite_stays_in_its_network():
    signals, coords, init = problem("slices")
    whole = fit(signals, coords, init, "slices", backend="cpu")
    poisoned = coords.clone()
    poisoned[2, 400] = torch.nan
    result = fit(signals, poisoned, init, "slices", backend="cpu")
    assert result.mse.isfinite().tolist() == [True, True, False, True]
    others = torch.tensor([0, 1, 3])
    assert torch.equal(result.weights[others].flatten(), whole.weights[others].flatten())


@pytest.mark.parametrize("backend", ON_CPU)
def test_each_chunk_of_networks_has_its_own_points(monkeypatch, backend):
    """Long signals are taken fewer at a time."""
    name = "one slice and a rest"
    signals, coords, init = problem(name, batch=10)
    whole = fit(signals, coords, init, name, backend=backend)
    seen: list[int] = []
    monkeypatch.setattr(fitting, "MOST_POINTS", 170)  # three signals of 50 points
    parts = fit(
        *(signals, coords, init, name), backend=backend, progress=lambda done, _: seen.append(done)
    )
    assert seen == [3, 6, 9, 10]
    assert distance(parts.weights, whole.weights) <= (0 if backend == "cpu" else 1e-5)
    torch.testing.assert_close(parts.mse, whole.mse, rtol=1e-5, atol=1e-9)


def test_fitting_does_not_touch_its_arguments():
    signals, coords, init = problem("slices")
    before = [x.clone() for x in (signals, coords, *init)]
    fit(signals, coords, init, "slices", backend="cpu")
    for x, y in zip((signals, coords, *init), before, strict=True):
        assert torch.equal(x, y)
