"""The compiled backend against the reference, to float32 rounding, on many layouts."""

import math
import os
import subprocess
import sys
from functools import cache

import numba
import numpy as np
import pytest
import torch
from processes import outputs_of_two
from torch import Tensor

from weightspace.data.coordinates import grid
from weightspace.fit.blocks import ROWS, SOURCE
from weightspace.fit.cpu import MAX_TILE, tile_size
from weightspace.fit.fitting import FitResult, fit_sirens
from weightspace.fit.kernel import fit_networks, sine_and_slope
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.threads import thread_count
from weightspace.weights import Weights

# Layout, grid: one, two and three hidden layers, 1 to 4 inputs and outputs, widths that fill
# neither a block nor a vector, points that leave the last tile partial or make several tiles.
PROBLEMS = {
    "the default": ((2, 32, 32, 1), (28, 28)),
    "one hidden layer": ((2, 13, 1), (9, 7)),
    "three inputs, four outputs, three hidden layers": ((3, 17, 24, 9, 4), (4, 5, 7)),
    "one input, several partial tiles": ((1, 8, 8, 2), (1111,)),
    "wide": ((2, 67, 50, 3), (11, 13)),
    "two points": ((1, 4, 4, 1), (2,)),
    "a single input and output, one vector": ((1, 16, 16, 1), (200,)),
}
SIREN = {"omega_0": 30.0, "output_offset": 0.5}


def problem(layout: tuple[int, ...], shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Weights]:
    """Five smooth signals, like pictures: a few waves of each network's own directions."""
    coords = grid(shape)
    waves = 3 * torch.randn(5, layout[0], 4, generator=stream(0, "waves"))
    mixing = torch.rand(5, 4, layout[-1], generator=stream(0, "mixing")) / 4
    signals = (0.5 + 0.5 * torch.sin(coords @ waves)) @ mixing
    init = init_siren(layout, omega_0=30.0, generator=stream(0, "init"), batch_size=5)
    return signals, coords, init


def fit(signals: Tensor, coords: Tensor, init: Weights, backend: str, **more) -> FitResult:
    settings = {"steps": 50, "lr": 2e-3, **SIREN, **more}
    return fit_sirens(signals, coords, init=init, backend=backend, **settings)


def distance(a: Weights, b: Weights) -> float:
    """The greatest difference of any parameter."""
    return (a.flatten().double() - b.flatten().double()).abs().max().item()


@cache
def reference(name: str) -> tuple[FitResult, FitResult, float]:
    """The reference in float64 and in float32, and how far rounding drives the second away."""
    signals, coords, init = problem(*PROBLEMS[name])
    exact = fit(signals.double(), coords.double(), init.to(torch.float64), "reference")
    single = fit(signals, coords, init, "reference")
    return exact, single, distance(single.weights, exact.weights)


@pytest.mark.parametrize("name", PROBLEMS)
def test_agrees_with_the_reference_to_rounding(name):
    """The rounding errors of 50 steps grow; so the float32 reference's own are the measure."""
    signals, coords, init = problem(*PROBLEMS[name])
    exact, single, rounding = reference(name)
    compiled = fit(signals, coords, init, "cpu")
    assert distance(compiled.weights, init) > 1e-2
    assert distance(compiled.weights, exact.weights) <= 4 * rounding + 2e-6
    assert rounding < 1e-3
    torch.testing.assert_close(compiled.mse, single.mse, rtol=1e-3, atol=1e-9)
    assert compiled.steps.tolist() == [50] * 5


@pytest.mark.parametrize(
    "changed", [{"lr": 2.002e-3}, {"betas": (0.9, 0.9985)}, {"eps": 1e-6}, {"omega_0": 30.001}]
)
def test_the_comparison_sees_small_differences(changed):
    exact, _, rounding = reference("the default")
    other = fit(*problem(*PROBLEMS["the default"]), "cpu", **changed)
    assert distance(other.weights, exact.weights) > 4 * rounding + 2e-6


@pytest.mark.parametrize("omega_0", [1.0, 30.0, 47.3])
def test_sine_and_slope_are_right_to_rounding(omega_0):
    """A few last places of 1, however large the argument: fused operations reduce it exactly."""
    x = np.concatenate([np.linspace(-1000, 1000, 40_001), np.linspace(-4, 4, 40_001)])
    z = (x / omega_0).astype(np.float32)
    argument = omega_0 * z.astype(np.float64)
    sine, slope = z.copy(), np.empty_like(z)
    sine_and_slope(sine, slope, omega_0)
    assert np.abs(sine - np.sin(argument)).max() < 6e-7
    assert np.abs(slope / omega_0 - np.cos(argument)).max() < 1e-6


def test_sine_of_zero_is_zero():
    """Padded neurons stay at zero only if this is exact."""
    z, slope = np.zeros(16, np.float32), np.empty(16, np.float32)
    sine_and_slope(z, slope, 30.0)
    assert (z == 0).all() and (slope == 30).all()


def test_a_network_does_not_depend_on_its_batch_or_the_threads():
    signals, coords, init = problem((2, 10, 11, 1), (12, 13))
    whole = fit(signals, coords, init, "cpu")
    for chosen in ([3], [4, 0, 2]):
        index = torch.tensor(chosen)
        part = fit(signals[index], coords, init[index], "cpu", threads=1)
        assert torch.equal(part.weights.flatten(), whole.weights.flatten()[index])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_numbers_show_and_stay_in_their_network(bad):
    signals, coords, init = problem((2, 10, 11, 1), (12, 13))
    whole = fit(signals, coords, init, "cpu")
    poisoned = signals.clone()
    poisoned[2, 7] = bad
    result = fit(poisoned, coords, init, "cpu")
    assert result.mse.isfinite().tolist() == [True, True, False, True, True]
    assert result.weights[2:3].flatten().isnan().any()
    others = torch.tensor([0, 1, 3, 4])
    assert torch.equal(result.weights[others].flatten(), whole.weights[others].flatten())


def test_a_diverging_fit_is_not_finite():
    signals, coords, init = problem((2, 8, 1), (8, 8))
    assert not fit(signals, coords, init, "cpu", lr=1e30).mse.isfinite().any()


def test_fitting_does_not_touch_its_arguments():
    signals, coords, init = problem((2, 8, 1), (8, 8))
    before = [x.clone() for x in (signals, coords, *init)]
    fit(signals, coords, init, "cpu", threads=1)
    for x, y in zip((signals, coords, *init), before, strict=True):
        assert torch.equal(x, y)


def test_fitting_leaves_the_numbers_of_threads_alone():
    """Numba's first parallel loop sets OpenMP's number for torch; only a new process has one."""
    program = """
import numba, torch
from weightspace.threads import numba_threads
torch.set_num_threads(1)
assert torch.get_num_threads() == 1
with numba_threads(numba.config.NUMBA_NUM_THREADS):
    assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
assert torch.get_num_threads() == 1
with numba_threads(1):
    assert numba.get_num_threads() == 1
assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_threads_are_those_asked_for_or_those_of_torch():
    most = numba.config.NUMBA_NUM_THREADS
    assert thread_count(1) == 1
    assert thread_count(10_000) == most
    assert thread_count(None) == min(torch.get_num_threads(), most)


@pytest.mark.parametrize("points", [1, 7, 8, 9, 127, 128, 129, 784, 1024, 100_000])
def test_tiles_are_whole_blocks_and_waste_little(points):
    tile = tile_size(points)
    tiles = math.ceil(points / tile)
    assert tile % ROWS == 0 and ROWS <= tile <= MAX_TILE
    assert 0 <= tiles * tile - points < tiles * ROWS


@pytest.mark.parametrize("features", [{}, {"avx": True}], ids=["4 lanes", "8 lanes"])
def test_registers_of_other_machines_fit_the_same(features, tmp_path):
    """Widths that are whole vectors of such a machine, and no whole blocks of rows."""
    program = f"""
from unittest.mock import patch
import torch
with patch("llvmlite.binding.get_host_cpu_features", return_value={features}):
    import weightspace.fit.blocks
from weightspace.fit.fitting import fit_sirens
from weightspace.rng import stream
from weightspace.siren import init_siren
coords = torch.rand(60, 2, generator=stream(0, "coords"))
signals = torch.rand(3, 60, 1, generator=stream(0, "signals"))
init = init_siren((2, 12, 20, 1), omega_0=30.0, generator=stream(0, "init"), batch_size=3)
settings = {{"omega_0": 30.0, "output_offset": 0.5, "steps": 20, "lr": 0.002}}
cpu, reference = (
    fit_sirens(signals, coords, init=init, backend=backend, **settings).weights.flatten()
    for backend in ("cpu", "reference")
)
print((cpu - reference).abs().max().item())
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", program]
    assert float(subprocess.check_output(command, env=environment)) < 1e-4


def test_a_network_without_hidden_layer_goes_to_the_reference():
    signals, coords, init = problem((2, 3), (5, 5))
    assert fit(signals, coords, init, "auto").mse.isfinite().all()
    with pytest.raises(ValueError, match="it fits networks with a hidden layer"):
        fit(signals, coords, init, "cpu")


def test_the_compiled_code_on_disk_is_known_by_the_blocks_it_is_made_of():
    """Numba looks at the file of the function, and at what the function encloses."""
    closed_over = fit_networks.py_func.__closure__
    assert SOURCE in [cell.cell_contents for cell in closed_over]


FIT = """
import hashlib, torch
from weightspace.fit.fitting import fit_sirens
from weightspace.rng import stream
from weightspace.siren import init_siren
coords = torch.rand(60, 2, generator=stream(0, "coords"))
signals = torch.rand(3, 60, 1, generator=stream(0, "signals"))
init = init_siren((2, 8, 8, 1), omega_0=30.0, generator=stream(0, "init"), batch_size=3)
settings = {"omega_0": 30.0, "output_offset": 0.5, "steps": 20, "lr": 0.002, "backend": "cpu"}
fitted = fit_sirens(signals, coords, init=init, **settings).weights.flatten()
print(hashlib.md5(fitted.numpy().tobytes()).hexdigest())
"""


def test_the_process_that_compiles_fits_as_those_that_load_the_compiled_code(tmp_path):
    first, second = outputs_of_two(FIT, tmp_path)
    assert first == second
