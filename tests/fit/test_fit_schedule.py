"""The learning rate over the steps of a fit, in both backends."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from weightspace.config.fit import FitConfig
from weightspace.data.coordinates import grid
from weightspace.fit import fitting
from weightspace.fit.fitting import BACKENDS, FitResult, Schedule, fit_sirens
from weightspace.fit.quality import mse_of_psnr
from weightspace.fit.reference import adam_step
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.weights import Weights

ON_CPU = ("reference", "cpu")  # test_cuda_backend.py has the third
LAYOUT, BATCH, STEPS, LR = (2, 16, 16, 1), 5, 24, 4e-3
SIREN = {"omega_0": 20.0, "output_offset": 0.5}
ADAM = {"betas": (0.9, 0.99), "eps": 1e-8}


def cosine(t: int) -> float:
    """The learning rate of step t = 0, 1, ..."""
    return LR * (1 + math.cos(math.pi * t / STEPS)) / 2


def problem() -> tuple[Tensor, Tensor, Weights]:
    """Blobs on 63 points, in a random order that steps on slices of them can use."""
    coords = grid((7, 9))[torch.randperm(63, generator=stream(0, "order"))]
    blobs = torch.rand(BATCH, 1, 2, generator=stream(0, "centres")) - 0.5
    signals = torch.exp(-3 * (coords - blobs).square().sum(-1, keepdim=True))
    init = init_siren(LAYOUT, omega_0=20.0, generator=stream(0, "init"), batch_size=BATCH)
    return signals, coords, init


def fit(**more) -> FitResult:
    signals, coords, init = problem()
    settings = {"steps": STEPS, "lr": LR, **SIREN, **ADAM, **more}
    return fit_sirens(signals, coords, init=init, **settings)


def by_hand(rate=cosine, per_step: int = 63) -> list[Weights]:
    """The networks before each step and after the last, in float64, one step after the other."""
    signals, coords, w = (x.to(torch.float64) for x in problem())
    mean = square = w.map(torch.zeros_like)
    course = [w]
    for t in range(STEPS):
        first = t % (63 // per_step) * per_step
        points = slice(first, first + per_step)
        leaves = w.map(lambda x: x.clone().requires_grad_())
        error = (siren(leaves, coords[points], **SIREN) - signals[:, points]).square()
        gradients = torch.autograd.grad(error.mean((1, 2)).sum(), list(leaves))
        half = len(gradients) // 2
        gradient = Weights(gradients[:half], gradients[half:])
        w, mean, square = adam_step(w, gradient, mean, square, t=t + 1, lr=rate(t), **ADAM)
        course.append(w)
    return course


def distance(a: Weights, b: Weights) -> float:
    """The greatest difference of any parameter."""
    return (a.flatten().double() - b.flatten().double()).abs().max().item()


@pytest.mark.parametrize("per_step", [63, 10])
@pytest.mark.parametrize("backend", ON_CPU)
def test_cosine_is_the_loop_by_hand(backend, per_step):
    result = fit(schedule="cosine", points_per_step=per_step, backend=backend)
    assert distance(result.weights, by_hand(per_step=per_step)[-1]) < 2e-5
    for other in (
        lambda t: cosine(t + 1),
        lambda t: LR * (1 + math.cos(math.pi * t / (STEPS - 1))) / 2,  # it ends at zero
        lambda _: LR,
        lambda t: LR * (1 - t / STEPS),
    ):
        assert distance(result.weights, by_hand(other, per_step)[-1]) > 1e-4


def test_both_backends_agree():
    reference, compiled = (fit(schedule="cosine", backend=name) for name in ("reference", "cpu"))
    assert distance(reference.weights, compiled.weights) < 2e-5
    torch.testing.assert_close(reference.mse, compiled.mse, rtol=1e-3, atol=1e-7)
    assert reference.steps.tolist() == compiled.steps.tolist() == [STEPS] * BATCH


@pytest.mark.parametrize("backend", ON_CPU)
def test_constant_is_the_default(backend):
    stated, default = fit(schedule="constant", backend=backend), fit(backend=backend)
    assert torch.equal(stated.weights.flatten(), default.weights.flatten())
    assert torch.equal(stated.mse, default.mse)
    assert distance(default.weights, by_hand(lambda _: LR)[-1]) < 2e-5


@pytest.mark.parametrize("backend", ON_CPU)
def test_every_chunk_of_networks_begins_with_the_first_rate(monkeypatch, backend):
    whole = fit(schedule="cosine", backend=backend)
    monkeypatch.setattr(fitting, "MOST_POINTS", 2 * 63)
    seen: list[int] = []
    parts = fit(schedule="cosine", backend=backend, progress=lambda done, _: seen.append(done))
    assert seen == [2, 4, 5]
    assert distance(parts.weights, whole.weights) <= (0 if backend == "cpu" else 1e-5)


@pytest.mark.parametrize("backend", ON_CPU)
def test_an_early_stop_does_not_change_the_rates_before_it(backend):
    """So a network that stops is one on the way of the whole schedule, not of a shorter one."""
    signals, coords, _ = problem()
    course = by_hand()
    decibels = 22.0
    result = fit(schedule="cosine", target_psnr=decibels, backend=backend)
    for n, steps in enumerate(result.steps.tolist()):
        there = course[steps][n : n + 1]
        assert distance(result.weights[n : n + 1], there) < 2e-5
        shown = siren(there, coords.double(), **SIREN)[0]
        reached = (shown - signals[n]).square().mean() <= mse_of_psnr(decibels)
        assert reached or steps == STEPS
    assert 0 < result.steps.min() < STEPS


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="schedule is 'linear'; it must be one of constant, cosi"):
        fitting._rates(10, 1e-3, "linear")


def test_the_config_knows_the_same_schedules():
    stated = FitConfig.model_fields["schedule"].annotation
    assert get_args(stated) == get_args(Schedule)
    assert set(get_args(FitConfig.model_fields["backend"].annotation)) == {"auto", *BACKENDS}
