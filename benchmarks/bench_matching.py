"""Pairs per second of `match` against a plain loop over pairs in NumPy and SciPy."""

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

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


def run() -> list[dict]:
    """Measure both, signed and unsigned, one thread, in turns; the rates are medians."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_measure(signed) for signed in (False, True)]
    finally:
        torch.set_num_threads(threads)


def _measure(signed: bool) -> dict:
    a, b = _networks("a"), _networks("b")
    ours, plain = [], []
    for _ in range(REPEATS):
        ours.append(_seconds(lambda: match(a, b, signed=signed)))
        plain.append(_seconds(lambda: match_loop(a, b, signed=signed)))
    layout = "-".join(map(str, LAYOUT))
    return {
        "name": f"match {'permutation + sign' if signed else 'permutation'} ({layout})",
        "rate": BATCH / median(ours),
        "unit": "pairs/s",
        "reference": BATCH / median(plain),
        "ratio": median(plain) / median(ours),
        "limit_fraction": None,
    }


def _networks(name: str) -> Weights:
    return init_siren(LAYOUT, omega_0=30.0, generator=stream(0, "bench", name), batch_size=BATCH)


def _seconds(f: Callable[[], object]) -> float:
    start = perf_counter()
    f()
    return perf_counter() - start
