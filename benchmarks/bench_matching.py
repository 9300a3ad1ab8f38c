"""Pairs per second of `match` against two loops over pairs, and its share of a training step.

One loop is weight matching as it is usually published, one pair at a time with SciPy called
from torch (permutations alone); the other is what `match` does, written plainly in NumPy. All
networks are fitted to pictures.
"""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from timeit import timeit

import numpy as np
import torch
from bench_training import training_step
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from weightspace.augment.mixup import AlignedMixUp
from weightspace.data.fashion_mnist import load_bundled_fashion_mnist
from weightspace.data.signals import image_signals
from weightspace.fit.fitting import fit_sirens
from weightspace.memory import keep_freed_memory
from weightspace.models.dws import DWSNet
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.symmetry.matching import match
from weightspace.weights import Weights

LAYOUT = (2, 32, 32, 1)
BATCH = 256
REPEATS = 5

Arrays = Sequence[np.ndarray]


def match_pair(
    a: tuple[Arrays, Arrays], b: tuple[Arrays, Arrays], *, signed: bool, sweeps: int = 20
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Match one pair as it is written down: solve every layer until a sweep changes none.

    `a` and `b` are (weights, biases) of one network each, in float64.
    """
    (a_weights, a_biases), (b_weights, b_biases) = a, b
    perms = [np.arange(len(x)) for x in b_biases]  # the last one, of the outputs, never moves
    signs = [np.ones(len(x)) for x in b_biases]
    for _ in range(sweeps):
        changed = False
        for h in range(len(b_biases) - 1):
            incoming = b_weights[h]
            if h > 0:
                incoming = incoming[:, perms[h - 1]] * signs[h - 1]
            outgoing = b_weights[h + 1][perms[h + 1]] * signs[h + 1][:, None]
            similarity = a_weights[h] @ incoming.T + a_weights[h + 1].T @ outgoing
            similarity += np.outer(a_biases[h], b_biases[h])
            rows, new = linear_sum_assignment(
                np.abs(similarity) if signed else similarity, maximize=True
            )
            sign = np.where(signed & (similarity[rows, new] < 0), -1.0, 1.0)
            before = (similarity[rows, perms[h]] * signs[h]).sum()
            after = (similarity[rows, new] * sign).sum()
            if after > before + 1e-12 * abs(before):
                perms[h], signs[h], changed = new, sign, True
        if not changed:
            break
    return perms[:-1], signs[:-1]


def match_loop(
    a: Weights, b: Weights, *, signed: bool
) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    """`match` as a loop over pairs; returns perms and signs."""
    a_all, b_all = (
        [
            ([x[i].double().numpy() for x in w.weights], [x[i].double().numpy() for x in w.biases])
            for i in range(len(w))
        ]
        for w in (a, b)
    )
    found = [match_pair(x, y, signed=signed) for x, y in zip(a_all, b_all, strict=True)]
    perms, signs = (
        tuple(torch.from_numpy(np.stack(x)) for x in zip(*part, strict=True))
        for part in zip(*found, strict=True)
    )
    return perms, signs


Network = dict[str, Tensor]


def as_dicts(w: Weights) -> list[Network]:
    """One dict of tensors per network, like a state dict."""
    named = {f"weight{l}": x for l, x in enumerate(w.weights)}
    named |= {f"bias{l}": x for l, x in enumerate(w.biases)}
    return [{name: x[i] for name, x in named.items()} for i in range(len(w))]


def match_published(
    a: Network, b: Network, *, generator: torch.Generator, rounds: int = 100
) -> list[Tensor]:
    """Match one pair as published code does: layers in random order until a round gains nothing.

    Each term of a similarity permutes a tensor along its other axes, and each step scores both
    permutations as matrices. Reference: Ainsworth et al. 2023, Git Re-Basin, algorithm 1.
    """
    layers = len(a) // 2
    of = [None, *range(layers - 1), None]  # the hidden layer that neurons belong to
    axes = {f"weight{l}": (of[l + 1], of[l]) for l in range(layers)}
    axes |= {f"bias{l}": (of[l + 1],) for l in range(layers)}
    perms = [torch.arange(len(a[f"bias{h}"])) for h in range(layers - 1)]
    for _ in range(rounds):
        progress = False
        for h in torch.randperm(layers - 1, generator=generator).tolist():
            n = len(perms[h])
            similarity = torch.zeros(n, n)
            for name, layer_of in axes.items():
                if h in layer_of:
                    axis = layer_of.index(h)
                    moved = b[name]
                    for k, other in enumerate(layer_of):
                        if k != axis and other is not None:
                            moved = moved.index_select(k, perms[other])
                    fixed = a[name].moveaxis(axis, 0).reshape(n, -1)
                    similarity += fixed @ moved.moveaxis(axis, 0).reshape(n, -1).T
            _, columns = linear_sum_assignment(similarity.detach().numpy(), maximize=True)
            new = torch.from_numpy(columns)
            before, after = (
                torch.einsum("ij,ij->i", similarity, torch.eye(n)[p]).sum() for p in (perms[h], new)
            )
            progress |= bool(after > before + 1e-12)
            perms[h] = new
        if not progress:
            break
    return perms


def run() -> list[dict]:
    """Measure everything in turns; the rates are medians. The loops run on one thread."""
    keep_freed_memory()
    before = torch.get_num_threads()
    a, b = _fitted()
    rows = []
    try:
        for threads in sorted({1, before}):
            rows.append(_against_published(a, b, threads))
        rows += [_against_plain(a, b, signed) for signed in (False, True)]
        for threads in sorted({1, before}):
            rows += _against_training(a, threads)
        return rows
    finally:
        torch.set_num_threads(before)


def _against_published(a: Weights, b: Weights, threads: int) -> dict:
    generator, pairs = stream(0, "bench", "order"), list(zip(as_dicts(a), as_dicts(b), strict=True))

    def published() -> None:
        for x, y in pairs:
            match_published(x, y, generator=generator)

    ours, theirs = _in_turns(partial(match, a, b, signed=False), published, threads=(threads, 1))
    return _row(
        f"match permutation, {_threads(threads)}; published procedure, 1", BATCH, ours, theirs
    )


def _against_plain(a: Weights, b: Weights, signed: bool) -> dict:
    ours, plain = _in_turns(*(partial(f, a, b, signed=signed) for f in (match, match_loop)))
    return _row(f"match permutation{' + sign' * signed}; plain loop", BATCH, ours, plain)


def _against_training(w: Weights, threads: int) -> list[dict]:
    """The matchings of a batch, and aligned MixUp, against a step of DWSNet: above 1 / 0.15?"""
    half, target = BATCH // 2, torch.eye(10)[torch.arange(BATCH) % 10]
    generator = stream(0, "bench", "mix")
    step = training_step(DWSNet(layer_layout=LAYOUT, d_out=10), BATCH)
    jobs = {
        "match a batch": partial(match, w[:half], w[half:], signed=True),
        "aligned MixUp": partial(AlignedMixUp(signed=True), w, target, generator=generator),
    }
    return [
        _row(
            f"{name}; step of DWSNet, {_threads(threads)}",
            1,
            *_in_turns(job, step, threads=(threads, threads)),
            unit="batches/s",
        )
        for name, job in jobs.items()
    ]


def _row(name: str, amount: int, ours: float, reference: float, unit: str = "pairs/s") -> dict:
    return {
        "name": f"{name} ({'-'.join(map(str, LAYOUT))})",
        "rate": amount / ours,
        "unit": unit,
        "reference": amount / reference,
        "ratio": reference / ours,
        "limit_fraction": None,
    }


def _in_turns(*jobs: Callable[[], object], threads: Sequence[int] = (1, 1)) -> tuple[float, ...]:
    """The median seconds of each on its number of threads, after one call that compiles."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(1 + REPEATS):
        for found, job, n in zip(seconds, jobs, threads, strict=True):
            torch.set_num_threads(n)
            found.append(timeit(job, number=1))
    return tuple(median(found[1:]) for found in seconds)


def _fitted() -> tuple[Weights, Weights]:
    """Two batches of networks fitted to pictures; matching these takes longer than fresh ones."""
    images = load_bundled_fashion_mnist().images[: 2 * BATCH]
    signals = image_signals(images)
    init = init_siren(
        LAYOUT, omega_0=30.0, generator=stream(0, "bench", "init"), batch_size=2 * BATCH
    )
    settings = {"omega_0": 30.0, "output_offset": 0.5, "steps": 120, "lr": 2e-3}
    w = fit_sirens(signals.values, signals.coords, init=init, backend="cpu", **settings).weights
    return w[:BATCH], w[BATCH:]


def _threads(n: int) -> str:
    return f"{n} thread{'s' * (n > 1)}"
