"""What the backends promise: early stop, quality, progress, and refusals with a message."""

import math

import pytest
import torch
from torch import Tensor

from weightspace.data.coordinates import grid
from weightspace.fit.fitting import FitResult, check_problem, fit_sirens
from weightspace.fit.quality import mse_of_psnr, psnr
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.weights import Weights

ON_CPU = ("reference", "cpu")  # test_cuda_backend.py has the third
LAYOUT = (2, 16, 16, 1)


def problem(batch: int = 4) -> tuple[Tensor, Tensor, Weights]:
    coords = grid((7, 9))
    blobs = torch.rand(batch, 1, 2, generator=stream(0, "centres")) - 0.5
    distance = (coords - blobs).square().sum(-1, keepdim=True)
    signals = torch.exp(-3 * distance)
    init = init_siren(LAYOUT, omega_0=20.0, generator=stream(0, "init"), batch_size=batch)
    return signals, coords, init


def fit(signals: Tensor, coords: Tensor, init: Weights, **more) -> FitResult:
    settings = {"omega_0": 20.0, "output_offset": 0.5, "steps": 8, "lr": 2e-3, **more}
    return fit_sirens(signals, coords, init=init, **settings)


@pytest.mark.parametrize("backend", ON_CPU)
def test_a_fit_shows_its_signal(backend):
    signals, coords, init = problem()
    result = fit(signals, coords, init, steps=60, backend=backend)
    shown = siren(result.weights, coords, omega_0=20.0, output_offset=0.5)
    mse = (shown - signals).square().mean((1, 2))
    torch.testing.assert_close(result.mse, mse, rtol=1e-4, atol=1e-9)
    assert psnr(mse).min() > 30
    assert result.steps.dtype == torch.int64


@pytest.mark.parametrize("backend", ON_CPU)
def test_a_network_stops_at_the_start_of_the_first_step_that_finds_the_target(backend):
    signals, coords, init = problem()
    errors = [fit(signals, coords, init, steps=k, backend=backend).mse for k in range(1, 13)]
    history = torch.stack(errors)  # (steps taken, batch)
    # A target in the middle of a large gap between errors, so that rounding cannot move it.
    values = history.flatten().sort().values
    middle = len(values) // 2
    gap = middle - 5 + (values[middle - 5 : middle + 5].diff() / values[middle]).argmax()
    target = (values[gap] * values[gap + 1]).sqrt().item()
    decibels = -10 * math.log10(target)
    result = fit(signals, coords, init, steps=12, target_psnr=decibels, backend=backend)
    for n in range(4):
        reached = torch.nonzero(history[:-1, n] <= target).flatten()
        expected = int(reached[0]) + 1 if len(reached) else 12
        assert result.steps[n] == expected
        there = fit(signals, coords, init, steps=expected, backend=backend)
        torch.testing.assert_close(
            result.weights[n : n + 1].flatten(),
            there.weights[n : n + 1].flatten(),
            rtol=0,
            atol=0 if backend == "cpu" else 1e-5,
        )
    assert result.steps.unique().numel() > 1


@pytest.mark.parametrize("backend", ON_CPU)
def test_a_network_that_starts_at_the_target_takes_no_step(backend):
    signals, coords, init = problem()
    result = fit(signals, coords, init, target_psnr=-20.0, backend=backend)
    assert result.steps.tolist() == [0] * 4
    assert torch.equal(result.weights.flatten(), init.flatten())


@pytest.mark.parametrize("backend", ON_CPU)
def test_nan_never_counts_as_reached(backend):
    signals, coords, init = problem()
    signals[1] = math.nan
    result = fit(signals, coords, init, target_psnr=-20.0, backend=backend)
    assert result.steps.tolist() == [0, 8, 0, 0]
    assert result.mse.isnan().tolist() == [False, True, False, False]


def test_progress_and_chunks_cover_every_network_once():
    signals, coords, init = problem(batch=150)
    seen: list[tuple[int, int]] = []
    result = fit(signals, coords, init, steps=2, progress=lambda *now: seen.append(now))
    done = [d for d, _ in seen]
    assert len(seen) > 1 and done == sorted(set(done)) and seen[-1] == (150, 150)
    assert len(result.weights) == len(result.mse) == len(result.steps) == 150
    alone = fit(signals[149:], coords, init[slice(149, None)], steps=2)
    assert torch.equal(alone.weights.flatten(), result.weights.flatten()[149:])


def test_auto_takes_the_compiled_backend_in_its_domain_alone():
    signals, coords, init = problem()
    compiled = fit(signals, coords, init, backend="cpu").weights.flatten()
    assert torch.equal(fit(signals, coords, init).weights.flatten(), compiled)
    double = (signals.double(), coords.double(), init.to(torch.float64))
    exact = fit(*double, backend="reference").weights.flatten()
    assert torch.equal(fit(*double).weights.flatten(), exact)


def test_psnr_and_its_inverse():
    assert psnr(torch.tensor([1.0, 0.01, 0.0])).tolist() == [0.0, 20.0, 120.0]
    assert psnr(torch.tensor(math.nan)).isnan()
    assert psnr(torch.tensor(mse_of_psnr(37.5))).item() == pytest.approx(37.5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"threads": 0}, "threads is 0"),
        ({"lr": 0.0}, r"lr is 0\.0; it must be positive"),
        ({"lr": math.nan}, "lr is nan"),
        ({"eps": 0.0}, "eps is 0"),
        ({"omega_0": -30.0}, "omega_0 is -30"),
        ({"betas": (0.9, 1.0)}, r"betas are \(0\.9, 1\.0\)"),
        ({"points_per_step": 0}, "points_per_step is 0; it must lie between 1 and the 63 points"),
        ({"points_per_step": 64}, "points_per_step is 64; it must lie between 1 and the 63"),
        (
            {"points_per_step": 63, "target_psnr": 30.0},
            r"points_per_step is 63 and target_psnr is 30\.0.*set one of the two to None",
        ),
        ({"backend": "referense"}, r"\['cpu', 'cuda', 'reference'\]; did you mean 'reference'"),
        ({"backend": "qqq"}, "unknown backend 'qqq'"),
    ],
)
def test_impossible_settings_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        fit(*problem(), **changed)


def test_the_compiled_backend_refuses_what_it_cannot_fit():
    signals, coords, init = problem()
    double = (signals.double(), coords.double(), init.to(torch.float64))
    with pytest.raises(ValueError, match=r"got torch\.float64 on cpu; convert them, or choose"):
        fit(*double, backend="cpu")


def test_problems_that_do_not_fit_together_are_refused():
    signals, coords, init = problem()
    own = coords.expand(4, -1, -1)
    for bad, message in (
        ((signals[:3], coords, init), r"signals have shape \(3, 63, 1\).* need \(4, 63, 1\)"),
        ((signals[:, :60], coords, init), r"need \(4, 63, 1\)"),
        ((signals.expand(-1, -1, 3), coords, init), r"need \(4, 63, 1\)"),
        ((signals, coords[:, :1], init), r"expected at least one network and coords \(points, 2\)"),
        (
            (signals, own[:3], init),
            r"shape \(3, 63, 2\).* all or \(4, points, 2\), own ones of each",
        ),
        ((signals, own[..., :1], init), r"shape \(4, 63, 1\); expected"),
        ((signals, own[:, :60], init), r"on 60 points need \(4, 60, 1\)"),
        ((signals, own[None], init), r"shape \(1, 4, 63, 2\); expected"),
        ((signals, coords[:, 0], init), r"shape \(63,\); expected"),
        ((signals[:, :0], own[:, :0], init), r"shape \(4, 0, 2\); expected"),
        ((signals[:0], coords, init[slice(0, 0)]), "got 0 networks"),
        ((signals.double(), coords, init), "one floating-point type on one device"),
        ((signals, coords, init.map(lambda x: x[..., None])), r"channel axes \(1,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            check_problem(*bad)
