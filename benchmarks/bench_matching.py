"""Pairs per second of `match` against two loops over pairs, and its share of a training step.

One loop is weight matching as it is usually published, one pair at a time with SciPy called
from torch (permutations alone); the other is what `match` does, written plainly in NumPy.
"""

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import cross_entropy

from weightspace.augment.mixup import AlignedMixUp
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
    before = torch.get_num_threads()
    rows = []
    try:
        torch.set_num_threads(1)
        rows += [_against_published(), *(_against_plain(signed) for signed in (False, True))]
        for threads in sorted({1, before}):
            torch.set_num_threads(threads)
            rows.append(_against_training(threads))
        return rows
    finally:
        torch.set_num_threads(before)


def _against_published() -> dict:
    a, b = _networks("a"), _networks("b")
    generator, pairs = stream(0, "bench", "order"), list(zip(as_dicts(a), as_dicts(b), strict=True))

    def published() -> None:
        for x, y in pairs:
            match_published(x, y, generator=generator)

    ours, theirs = _in_turns(lambda: match(a, b, signed=False), published)
    return _row("match permutation, published procedure", "pairs/s", BATCH, ours, theirs)


def _against_plain(signed: bool) -> dict:
    a, b = _networks("a"), _networks("b")
    ours, plain = _in_turns(
        lambda: match(a, b, signed=signed), lambda: match_loop(a, b, signed=signed)
    )
    name = f"match permutation{' + sign' if signed else ''}, plain loop"
    return _row(name, "pairs/s", BATCH, ours, plain)


def _against_training(threads: int) -> dict:
    """Aligned MixUp of a batch against a step of DWSNet: the ratio should be above 1 / 0.15."""
    w = _networks("a")
    target = torch.eye(10)[torch.arange(BATCH) % 10]
    mix, generator = AlignedMixUp(signed=True), stream(0, "bench", "mix")
    model = DWSNet(layer_layout=LAYOUT, d_out=10)
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(w), target).backward()
        optimizer.step()

    ours, training = _in_turns(lambda: mix(w, target, generator=generator), step)
    name = f"aligned MixUp, step of DWSNet, {threads} thread{'s' * (threads > 1)}"
    return _row(name, "batches/s", 1, ours, training)


def _row(name: str, unit: str, amount: int, ours: float, reference: float) -> dict:
    return {
        "name": f"{name} ({'-'.join(map(str, LAYOUT))})",
        "rate": amount / ours,
        "unit": unit,
        "reference": amount / reference,
        "ratio": reference / ours,
        "limit_fraction": None,
    }


def _in_turns(f: Callable[[], object], g: Callable[[], object]) -> tuple[float, float]:
    """The median seconds of each, after one call that compiles."""
    f()
    g()
    seconds = [(_seconds(f), _seconds(g)) for _ in range(REPEATS)]
    return tuple(map(median, zip(*seconds, strict=True)))


def _networks(name: str) -> Weights:
    return init_siren(LAYOUT, omega_0=30.0, generator=stream(0, "bench", name), batch_size=BATCH)


def _seconds(f: Callable[[], object]) -> float:
    start = perf_counter()
    f()
    return perf_counter() - start
