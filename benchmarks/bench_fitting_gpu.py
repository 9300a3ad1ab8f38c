"""INR-steps per second of the GPU backend, against the reference on the same GPU.

Without a GPU there are no rows. The limit is the rate of float32 matrix products that torch
reaches in the same run, with tensor cores (tf32) for the row of that name and without else.
"""

from functools import partial
from itertools import pairwise
from statistics import median
from time import perf_counter

import numpy as np
import torch

from weightspace.fit.cuda import Precision, fit_cuda
from weightspace.fit.reference import fit_reference
from weightspace.rng import stream
from weightspace.siren import init_siren

# layout, points, networks, networks for the reference, which keeps all neurons in memory
PROBLEMS = [
    ((2, 32, 32, 1), 784, 10_000, 2000),
    ((2, 64, 64, 64, 3), 1024, 4000, 500),
    ((3, 32, 32, 1), 2048, 4000, 500),
]
PRECISIONS: tuple[Precision, ...] = ("tf32x3", "ieee", "tf32")
STEPS = {"cuda": 50, "reference": 20}
REPEATS = 3


def run() -> list[dict]:
    """Measure all problems; each repeat takes every variant in turn."""
    if not torch.cuda.is_available():
        return []
    return [row for problem in PROBLEMS for row in _measure(*problem)]


def _measure(layout: tuple[int, ...], points: int, networks: int, fewer: int) -> list[dict]:
    variants = {name: partial(fit_cuda, precision=name) for name in PRECISIONS}
    data = _problem(layout, points, networks)
    part = [x[:fewer] for x in data]
    jobs = {name: partial(_fit, fit, *data, steps=STEPS["cuda"]) for name, fit in variants.items()}
    jobs["reference"] = partial(_fit, fit_reference, *part, steps=STEPS["reference"])
    jobs |= {f"matmul {tf32}": partial(_product, tf32=tf32) for tf32 in (False, True)}
    for job in jobs.values():
        job()  # compile
    seconds = {name: [] for name in jobs}
    for _ in range(REPEATS):
        for name, job in jobs.items():
            seconds[name].append(_seconds(job))
    rate = {name: networks * STEPS["cuda"] / median(seconds[name]) for name in variants}
    rate["reference"] = fewer * STEPS["reference"] / median(seconds["reference"])
    title = f"{'-'.join(map(str, layout))} x {points}, GPU"
    rows = []
    for name, value in rate.items():
        limit = 2 * 8192**3 / median(seconds[f"matmul {name == 'tf32'}"])
        ours = name != "reference"
        rows.append(
            {
                "name": f"fit {'cuda ' * ours}{name} ({title})",
                "rate": value,
                "unit": "INR-steps/s",
                "reference": rate["reference"] if ours else None,
                "ratio": value / rate["reference"] if ours else None,
                "limit_fraction": value * _flop_per_step(layout, points) / limit,
            }
        )
    return rows


def _problem(layout: tuple[int, ...], points: int, networks: int):
    signals = torch.rand(networks, points, layout[-1], generator=stream(0, "bench", "signals"))
    init = init_siren(layout, omega_0=30.0, generator=stream(0, "bench"), batch_size=networks)
    return signals.cuda(), init.to("cuda")


def _fit(fit, signals, init, *, steps: int) -> None:
    points, d_in = signals.shape[1], init.layer_layout[0]
    coords = 2 * torch.rand(points, d_in, generator=stream(0, "bench", "coords")) - 1
    settings = {"omega_0": 30.0, "output_offset": 0.5, "rates": np.full(steps, 2e-3)}
    settings |= {"betas": (0.9, 0.999), "eps": 1e-8, "target_mse": None, "threads": None}
    fit(signals, coords.cuda(), init=init, points_per_step=points, **settings)


def _product(*, tf32: bool) -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        square = torch.rand(8192, 8192, device="cuda")
        torch.mm(square, square)
    finally:
        torch.set_float32_matmul_precision(before)


def _flop_per_step(layout: tuple[int, ...], points: int) -> int:
    """As in bench_fitting: products of weights and points there and back, sines left out."""
    weights = [a * b for a, b in pairwise(layout)]
    return points * (6 * sum(weights) - 2 * weights[0] + 2 * sum(layout[1:]))


def _seconds(job) -> float:
    torch.cuda.synchronize()
    start = perf_counter()
    job()
    torch.cuda.synchronize()
    return perf_counter() - start
