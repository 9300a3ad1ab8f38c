"""Samples per second of a training step, against models with one module per block.

A step is forward, soft cross-entropy, backward, clipping and AdamW, all with the step of
`weightspace.train`; the two sides differ in the model alone. Both keep freed memory.
"""

from collections.abc import Callable
from functools import partial
from statistics import median
from timeit import timeit
from typing import Any

import torch
from naive_dws import NaiveDWS
from naive_graph import NaiveGraphTransformer
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from weightspace.memory import keep_freed_memory
from weightspace.models.dws import DWSNet
from weightspace.models.graph_transformer import GraphTransformer
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.train.losses import one_hot, soft_cross_entropy
from weightspace.train.steps import Stepper


def norms_of_torch(**settings: Any) -> DWSNet:
    """DWSNet with norms that the compiled kernel does not take, as they have no momentum."""
    model = DWSNet(batch_norm=True, **settings)
    for norm in model.norms:
        for matrix_norm in norm.matrices:
            matrix_norm.momentum = None
    return model


LAYOUT, CLASSES = (2, 32, 32, 1), 10
# Name, ours, plain, batch size, steps timed of each. Samples per second of the graph transformer
# do not depend on the batch size between 4 and 64 networks.
CASES = [
    ("dws", DWSNet, NaiveDWS, 256, 5),
    (
        "dws with norms",
        partial(DWSNet, batch_norm=True),
        partial(NaiveDWS, batch_norm=True),
        256,
        5,
    ),
    ("dws, kernel of norms", partial(DWSNet, batch_norm=True), norms_of_torch, 64, 20),
    ("dws, kernel of norms", partial(DWSNet, batch_norm=True), norms_of_torch, 256, 5),
    ("graph transformer", GraphTransformer, NaiveGraphTransformer, 32, 3),
]
THREADS = (1, 2)


def run() -> list[dict]:
    """Measure both models on one thread and on two, in turns with the plain ones."""
    keep_freed_memory()
    before = torch.get_num_threads()
    rows = []
    try:
        for threads in THREADS:
            torch.set_num_threads(threads)
            rows += [_measure(threads, *case) for case in CASES]
    finally:
        torch.set_num_threads(before)
    return rows


def training_step(model: nn.Module, batch: int) -> Callable[[], object]:
    """A function that takes one training step."""
    w = init_siren(LAYOUT, omega_0=30.0, generator=stream(0, "bench"), batch_size=batch)
    w = w.map(lambda x: (x - x.mean()) / (x.std() + 1e-6))
    target = one_hot(torch.arange(batch) % CLASSES, CLASSES, smoothing=0.1)
    settings = {"updates": 1000, "lr": 1e-3, "weight_decay": 5e-4, "warmup": 10, "clip_norm": 1.0}
    stepper = Stepper(list(model.train().parameters()), **settings)
    return lambda: stepper.step(soft_cross_entropy(model(w), target), 1)


def matrix_flop(step: Callable[[], object]) -> int:
    """Multiplications and additions of the matrix products of one step."""

    def add_product(out: torch.Size, a: torch.Size, b: torch.Size, **_: object) -> int:
        return 2 * a[0] * a[1] * b[1]

    in_place = {torch.ops.aten.addmm_: add_product}  # the counter does not know it
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        step()
    return counter.get_total_flops()


def _measure(
    threads: int,
    name: str,
    ours: Callable[..., nn.Module],
    plain: Callable[..., nn.Module],
    batch: int,
    repeats: int,
) -> dict:
    steps: list[Callable[[], object]] = [
        training_step(model(layer_layout=LAYOUT, d_out=CLASSES), batch) for model in (ours, plain)
    ]
    flop = matrix_flop(steps[0])
    steps[1]()
    square = torch.rand(1024, 1024, generator=stream(0, "bench", "square"))
    steps.append(partial(torch.matmul, square, square))
    seconds = [[timeit(f, number=1) for f in steps] for _ in range(repeats)]
    of_ours, of_plain, of_product = (median(s) for s in zip(*seconds, strict=True))
    return {
        "name": f"train {name} (batch {batch}, {threads} thread{'s' * (threads > 1)})",
        "rate": batch / of_ours,
        "unit": "samples/s",
        "reference": batch / of_plain,
        "ratio": of_plain / of_ours,
        "limit_fraction": flop / of_ours / (2 * 1024**3 / of_product),
    }
