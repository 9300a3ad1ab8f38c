"""INR-steps per second of both fitting backends, and the share of the machine's matmul rate.

One INR-step is one Adam step of one network on all points of its signal.
"""

from functools import partial
from itertools import pairwise
from math import prod
from statistics import median
from timeit import timeit

import torch

from weightspace.data.coordinates import grid
from weightspace.fit.fitting import fit_sirens
from weightspace.rng import stream
from weightspace.siren import init_siren

# layout, shape of the signal, networks (as many as the reference fits at once), threads (None: all)
PROBLEMS = [
    ((2, 32, 32, 1), (28, 28), 64, 1),
    ((2, 32, 32, 1), (28, 28), 64, None),
    ((2, 64, 64, 64, 3), (32, 32), 64, 1),
    ((2, 64, 64, 64, 3), (32, 32), 64, None),
    ((3, 32, 32, 1), (8, 8, 8), 64, 1),
    ((3, 32, 32, 1), (8, 8, 8), 64, None),
]
STEPS = {"reference": 8, "cpu": 32}
REPEATS = 5


def run() -> list[dict]:
    """Measure both backends and a matrix product in turns, on one thread and on all.

    Other work on the machine slows torch's small parallel loops more than ours, so the ratio on
    one thread is the one to trust unless the machine is idle.
    """
    before = torch.get_num_threads()
    rows = []
    try:
        for layout, shape, batch, threads in PROBLEMS:
            torch.set_num_threads(threads or before)
            rows += _measure(layout, shape, batch)
    finally:
        torch.set_num_threads(before)
    return rows


def flop_per_step(layout: tuple[int, ...], points: int) -> int:
    """Multiplications and additions of one INR-step, sines and Adam left out.

    Outputs, gradients of the weights and gradients of the inputs (those of the first layer are
    not needed) each cost two per weight and point; each bias costs one on the way there and
    one on the way back.
    """
    weights = [a * b for a, b in pairwise(layout)]
    return points * (6 * sum(weights) - 2 * weights[0] + 2 * sum(layout[1:]))


def _measure(layout: tuple[int, ...], shape: tuple[int, ...], batch: int) -> list[dict]:
    points = prod(shape)
    signals = torch.rand(batch, points, layout[-1], generator=stream(0, "bench", "signals"))
    init = init_siren(layout, omega_0=30.0, generator=stream(0, "bench"), batch_size=batch)
    square = torch.rand(1024, 1024, generator=stream(0, "bench", "square"))

    def fit(backend: str, steps: int) -> None:
        settings = {"omega_0": 30.0, "output_offset": 0.5, "steps": steps, "lr": 2e-3}
        fit_sirens(signals, grid(shape), init=init, backend=backend, **settings)

    seconds: dict[str, list[float]] = {name: [] for name in (*STEPS, "product")}
    for backend in STEPS:
        fit(backend, 1)  # compile, start the threads
    for _ in range(REPEATS):
        for backend, steps in STEPS.items():
            seconds[backend].append(timeit(partial(fit, backend, steps), number=1))
        seconds["product"].append(timeit(lambda: square @ square, number=1))
    limit = 2 * 1024**3 / median(seconds["product"])
    rate = {name: batch * steps / median(seconds[name]) for name, steps in STEPS.items()}
    threads = torch.get_num_threads()
    problem = f"{'-'.join(map(str, layout))} x {points}, {threads} thread{'s' * (threads > 1)}"
    return [
        {
            "name": f"fit {backend} ({problem})",
            "rate": rate[backend],
            "unit": "INR-steps/s",
            "reference": None if backend == "reference" else rate["reference"],
            "ratio": None if backend == "reference" else rate[backend] / rate["reference"],
            "limit_fraction": rate[backend] * flop_per_step(layout, points) / limit,
        }
        for backend in STEPS
    ]
