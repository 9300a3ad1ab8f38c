"""The Triton backend against the reference: on a GPU, or else through Triton's interpreter.

Triton decides at its first import whether to interpret, so the variable is set while tests are
collected, before any of them runs.
"""

import json
import os
import subprocess
import sys
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from weightspace.fit import cuda, fitting
from weightspace.fit.cuda import fit_cuda, launch_of
from weightspace.fit.fitting import FitResult, fit_sirens
from weightspace.fit.quality import psnr
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.weights import Weights

if find_spec("triton") is None:
    pytest.skip("needs Triton", allow_module_level=True)
ON_GPU = torch.cuda.is_available()
if not ON_GPU:
    os.environ["TRITON_INTERPRET"] = "1"

import triton  # noqa: E402
import triton.language as tl  # noqa: E402

from weightspace.fit.triton_pieces import sine_and_cosine  # noqa: E402

DEVICE = torch.device("cuda" if ON_GPU else "cpu")
STEPS = 50 if ON_GPU else 4
EPS = 1e-5  # at Adam's usual 1e-8 the rounding of the smallest gradients decides their steps
ROOT = Path(__file__).parents[2]
SIREN = {"omega_0": 30.0, "output_offset": 0.5}

# Layout, points, own points of each network: one, two and three hidden layers, each launch
# configuration, widths to pad, several tiles of which the last is partial or not.
PROBLEMS = {
    "the default": ((2, 32, 32, 1), 48, False),
    "one hidden layer": ((2, 16, 1), 37, False),
    "three inputs, own points": ((3, 20, 12, 1), 21, True),
    "wide": ((2, 64, 64, 64, 3), 37, False),
    "wide, two hidden layers": ((2, 50, 64, 2), 21, False),
    "three narrow hidden layers": ((1, 17, 24, 9, 4), 19, True),
}


def problem(
    layout: tuple[int, ...], points: int, own: bool = False, batch: int = 3
) -> tuple[Tensor, Tensor, Weights]:
    """Smooth signals: a few waves of each network's own directions."""
    shape = (batch, points, layout[0]) if own else (points, layout[0])
    coords = 2 * torch.rand(shape, generator=stream(0, "coords")) - 1
    waves = 3 * torch.randn(batch, layout[0], 4, generator=stream(0, "waves"))
    mixing = torch.rand(batch, 4, layout[-1], generator=stream(0, "mixing")) / 4
    signals = (0.5 + 0.5 * torch.sin(coords @ waves)) @ mixing
    init = init_siren(layout, omega_0=30.0, generator=stream(0, "init"), batch_size=batch)
    return signals.to(DEVICE), coords.to(DEVICE), init.to(DEVICE)


def fit(signals: Tensor, coords: Tensor, init: Weights, backend: str = "cuda", **more) -> FitResult:
    settings = {"steps": STEPS, "lr": 2e-3, "eps": EPS, **SIREN, **more}
    return fit_sirens(signals, coords, init=init, backend=backend, **settings)


def distance(a: Weights, b: Weights) -> float:
    """The greatest difference of any parameter."""
    return (a.flatten().double() - b.flatten().double()).abs().max().item()


def reference(signals: Tensor, coords: Tensor, init: Weights, **more) -> tuple[FitResult, float]:
    """The reference in float64, and how far the rounding of float32 drives it away."""
    double = (signals.double(), coords.double(), init.to(torch.float64))
    exact = fit(*double, "reference", **more)
    single = fit(signals, coords, init, "reference", **more)
    return exact, distance(single.weights, exact.weights)


@cache
def reference_of(name: str) -> tuple[FitResult, float]:
    return reference(*problem(*PROBLEMS[name]))


def assert_same_fit(found: FitResult, exact: FitResult, rounding: float) -> None:
    assert distance(found.weights, exact.weights) <= 4 * rounding + 2e-6
    assert rounding < 1e-3
    torch.testing.assert_close(found.mse.double(), exact.mse, rtol=1e-3, atol=1e-9)
    assert torch.equal(found.steps, exact.steps)


@pytest.fixture
def precision(request, monkeypatch):
    monkeypatch.setitem(fitting.BACKENDS, "cuda", partial(fit_cuda, precision=request.param))


@pytest.mark.parametrize("precision", ["tf32x3", "ieee"], indirect=True)
@pytest.mark.parametrize("name", PROBLEMS)
def test_agrees_with_the_reference_to_rounding(name, precision):
    signals, coords, init = problem(*PROBLEMS[name])
    found = fit(signals, coords, init)
    assert distance(found.weights, init) > 5e-3
    assert_same_fit(found, *reference_of(name))


@pytest.mark.parametrize(
    "changed", [{"lr": 2.004e-3}, {"betas": (0.9, 0.995)}, {"eps": 1.5e-5}, {"omega_0": 30.01}]
)
def test_the_comparison_sees_small_differences(changed):
    exact, rounding = reference_of("the default")
    other = fit(*problem(*PROBLEMS["the default"]), **changed)
    assert distance(other.weights, exact.weights) > 4 * rounding + 2e-6


def test_slices_of_the_points_and_a_schedule():
    """Three slices of 13 points, the last 2 points in none."""
    arguments = problem((2, 20, 16, 1), 41)
    more = {"points_per_step": 13, "schedule": "cosine"}
    assert_same_fit(fit(*arguments, **more), *reference(*arguments, **more))


def stopping() -> tuple[tuple[Tensor, Tensor, Weights], dict[str, float]]:
    """Networks ever farther from their signals, and a target that they reach one by one."""
    signals, coords, init = problem((2, 16, 16, 1), 24)
    outputs = torch.full_like(signals, 0.5) + 0.01 * signals
    levels = torch.tensor([0.0, 0.03, 0.08], device=DEVICE)[:, None, None]
    quiet = Weights((*init.weights[:-1], 0 * init.weights[-1]), init.biases)
    return (outputs + levels, coords, quiet), {"target_psnr": 37.0, "steps": 14}


def test_each_network_stops_at_its_target():
    arguments, more = stopping()
    found = fit(*arguments, **more)
    assert found.steps[0] == 0 < found.steps[1] < found.steps[2] < 14
    assert_same_fit(found, *reference(*arguments, **more))


def test_cutting_a_fit_into_launches_changes_nothing(monkeypatch):
    cases = [stopping(), (problem((2, 20, 16, 1), 41), {"points_per_step": 13, "steps": 5})]
    whole = [fit(*arguments, **more) for arguments, more in cases]
    monkeypatch.setattr(cuda, "MOST_FLOP", 0)  # one step per launch
    for (arguments, more), expected in zip(cases, whole, strict=True):
        found = fit(*arguments, **more)
        assert torch.equal(found.weights.flatten(), expected.weights.flatten())
        assert torch.equal(found.steps, expected.steps)


def test_a_network_does_not_depend_on_its_batch():
    for own in (False, True):
        signals, coords, init = problem((2, 16, 16, 1), 21, own)
        whole = fit(signals, coords, init)
        for chosen in ([1], [2, 0]):
            index = torch.tensor(chosen, device=DEVICE)
            part = fit(signals[index], coords[index] if own else coords, init[index])
            assert torch.equal(part.weights.flatten(), whole.weights.flatten()[index])


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # of NumPy
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_numbers_show_and_stay_in_their_network(bad):
    signals, coords, init = problem((2, 10, 11, 1), 21)
    whole = fit(signals, coords, init)
    poisoned = signals.clone()
    poisoned[1, 7] = bad
    result = fit(poisoned, coords, init, target_psnr=300.0)
    assert result.mse.isfinite().tolist() == [True, False, True]
    assert result.weights[1:2].flatten().isnan().any()
    assert result.steps.tolist() == [STEPS] * 3
    others = torch.tensor([0, 2], device=DEVICE)
    assert torch.equal(result.weights[others].flatten(), whole.weights[others].flatten())


def test_fitting_does_not_touch_its_arguments():
    signals, coords, init = problem((2, 8, 1), 20)
    before = [x.clone() for x in (signals, coords, *init)]
    fit(signals, coords, init)
    for x, y in zip((signals, coords, *init), before, strict=True):
        assert torch.equal(x, y)


@triton.jit
def _evaluate(z, sine, cosine, half_turns, half_turns_rest, N: tl.constexpr):
    at = tl.program_id(0) * N + tl.arange(0, N)
    s, c = sine_and_cosine(tl.load(z + at), half_turns, half_turns_rest)
    tl.store(sine + at, s)
    tl.store(cosine + at, c)


@pytest.mark.parametrize("omega_0", [1.0, 30.0, 47.3])
def test_sine_and_cosine_are_right_to_rounding(omega_0):
    """Fused operations reduce the argument exactly; the interpreter has none."""
    reach = 1000 if ON_GPU else 30
    x = torch.cat([torch.linspace(-reach, reach, 2**15), torch.linspace(-4, 4, 2**15)])
    z = (x / omega_0).to(DEVICE)
    z[0] = 0.0  # padded neurons stay at zero only if this sine is exact
    sine, cosine = torch.empty_like(z), torch.empty_like(z)
    half_turns = float(np.float32(omega_0 / np.pi))
    _evaluate[(16,)](z, sine, cosine, half_turns, omega_0 / np.pi - half_turns, N=4096)
    argument = omega_0 * z.double()
    tolerance = 3e-7 if ON_GPU else 3e-6
    assert (sine - argument.sin()).abs().max() < tolerance
    assert (cosine - argument.cos()).abs().max() < tolerance
    assert sine[0] == 0 and cosine[0] == 1


@pytest.mark.parametrize(
    ("layout", "dtype", "reason"),
    [
        ((2, 65, 1), torch.float32, "up to width 64"),
        ((2, 8, 8, 8, 8, 1), torch.float32, "1 to 3 hidden layers"),
        ((2, 3), torch.float32, "1 to 3 hidden layers"),
        ((5, 8, 1), torch.float32, "at most 4 inputs"),
        ((2, 8, 1), torch.float64, "torch.float64"),
    ],
)
def test_what_it_cannot_fit_is_refused_by_name(layout, dtype, reason):
    signals, coords, init = problem(layout, 9)
    arguments = signals.to(dtype), coords.to(dtype), init.to(dtype)
    with pytest.raises(ValueError, match=reason):
        fit(*arguments)
    if ON_GPU:
        assert fit(*arguments, backend="auto").mse.isfinite().all()


def test_launches_hold_every_hidden_width():
    for width in range(1, 65):
        for hidden in (1, 2, 3):
            launch = launch_of((2, *[width] * hidden, 1))
            assert max(16, width) <= launch.width < max(17, 2 * width)
            assert launch.tile % 16 == 0


@pytest.mark.skipif(not ON_GPU, reason="needs a GPU")
def test_auto_takes_it_on_a_gpu():
    arguments = problem((2, 32, 32, 1), 100)
    chosen, found = fit(*arguments, backend="auto"), fit(*arguments)
    assert torch.equal(chosen.weights.flatten(), found.weights.flatten())


@pytest.mark.skipif(not ON_GPU, reason="needs a GPU: 500 steps")
@pytest.mark.parametrize("precision", ["tf32x3", "ieee", "tf32"], indirect=True)
def test_full_fits_reach_what_those_of_the_reference_reach(precision):
    arguments = problem((2, 32, 32, 1), 784, batch=256)
    expected, found = (
        psnr(fit(*arguments, backend, steps=500).mse) for backend in ("reference", "cuda")
    )
    assert expected.isfinite().all() and expected.mean() > 35
    quantiles = torch.tensor([0.1, 0.5, 0.9], device=DEVICE)
    difference = found.quantile(quantiles) - expected.quantile(quantiles)
    assert difference.abs().max() < 0.5  # decibels; two runs of the reference differ as much


def run_here(program: str, **environment: str) -> str:
    """What another process prints, with Triton's compiler and not its interpreter."""
    inherited = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**inherited, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_package_imports_triton_only_when_it_fits_on_a_gpu():
    run_here("import sys, weightspace.fit.views; assert 'triton' not in sys.modules")


def test_all_sizes_run_the_same_code():
    """Else a step could round otherwise in another launch. The driver here has no GPU."""
    program = """
import numpy as np, torch, triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction
from weightspace.fit import cuda
from weightspace.siren import init_siren

class Driver:
    get_current_device = get_current_stream = lambda self, *_: 0
    get_current_target = lambda self: GPUTarget("cuda", 90, 32)

compiled = []
def compile_alone(kernel, grid):
    return lambda *a, **k: compiled.append(kernel.run(*a, grid=grid, warmup=True, **k))

triton.runtime.driver.set_active(Driver())
JITFunction.__getitem__ = compile_alone
cuda.MOST_FLOP = 0  # one step per launch
init = init_siren((2, 16, 1), omega_0=30.0, generator=torch.Generator(), batch_size=3)
settings = {"omega_0": 30.0, "output_offset": 0.5, "betas": (0.9, 0.999), "eps": 1e-8}
settings |= {"target_mse": None, "threads": None, "rates": np.full(3, 2e-3)}
for first, points in ((0, 48), (1, 47), (2, 1)):
    part, signals = init[slice(first, None)], torch.rand(3, 48, 1)[first:]
    for coords in (torch.rand(48, 2), torch.rand(3, 48, 2)[first:]):
        cuda.fit_cuda(signals, coords, init=part, points_per_step=points, **settings)
print(len(compiled), len({kernel.hash for kernel in compiled}))
"""
    assert run_here(program).split() == ["18", "1"]


def test_compiles_for_a_hopper_gpu_and_fits_into_it(tmp_path):
    """No GPU is needed: Triton brings its assembler."""
    program = """
import json
from benchmarks.triton_static import CASES, row
print(json.dumps([row(*CASES[k]) for k in (0, 5)]))
"""
    rows = json.loads(run_here(program, TRITON_CACHE_DIR=str(tmp_path)))
    for found in rows:
        assert found["shared bytes"] <= 227 * 1024
    default = rows[0]
    assert default["layout"] == "2-32-32-1" and default["precision"] == "tf32x3"
    # 8 programs share a multiprocessor, and 10,000 fits of 500 steps a second leave each step
    # 132 * 4 * 1.75e9 / 5e6 = 185,000 issue slots: docs/performance.md.
    assert 8 * (default["shared bytes"] + 1024) <= 228 * 1024
    assert default["spilled bytes"] < 200
    assert default["of a step"] < 90_000
