"""How good the matchings of networks are: distance, function along the path, midpoints."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.data.coordinates import grid
from weightspace.dataset.reference import reference_row
from weightspace.fit.quality import psnr
from weightspace.report.alignment_pairs import (
    ALIGNMENTS,
    PAIR_KINDS,
    align_partners,
    draw_pairs,
)
from weightspace.report.midpoints import Midpoints, draw_midpoints, join_midpoints
from weightspace.report.statistics import mean_over_seeds
from weightspace.rng import stream
from weightspace.siren import siren
from weightspace.store import Header, read_columns, read_header, read_inrs
from weightspace.weights import Weights, lerp

__all__ = ["LAMS", "distances", "matching_quality", "path_quality"]

LAMS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

SHOWN = (0.5, 0.9)  # the midpoint, and the middle of a lam bounded to [0.8, 1]

CUBE = 24  # points on each axis of the cube, where networks were fitted at points of no grid

COLUMNS = ["pairs", "alignment", "quantity", "lam", "mean", "ci95", "n"]

NUMBERS = 2**21  # of the widest layer's outputs at the same time: more leave the cache

Values = Float[Tensor, " pairs"]
Functions = Float[Tensor, "pairs points d_out"]


@dataclass(frozen=True)
class _Pairs:
    """Pairs of networks of one kind: the networks, their classes, and whence they come."""

    kind: str
    a: Weights
    b: Weights
    labels: np.ndarray  # (pairs, 2)
    reference: Weights
    header: Header
    shape: tuple[int, ...]  # of the grid on which functions are compared


def matching_quality(
    inr_path: Path | str,
    *,
    dataset: str | None = None,
    pairs: int = 200,
    examples: int = 1,
    lams: Sequence[float] = LAMS,
    sweeps: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[pd.DataFrame, Midpoints]:
    """Measure how close each alignment brings random pairs of training networks.

    For a pair (a, b), with g b the second network as an alignment leaves it (its function
    stays that of b), the quantities are those of `distances` and of `path_quality`. Functions
    are compared on the grid of the fit, and those of shapes, which have none, on `CUBE` points
    on each axis of the cube. The reference is the one of `align_to_reference`, so
    "reference_..." is what mixing within the dataset it makes meets.

    Args:
        inr_path: an assembled dataset, not aligned; pairs are drawn from its training split.
        dataset: the name for the column dataset; None takes that of the file.
        pairs: how many pairs of each kind.
        examples: how many of them, the first ones drawn, to return as pictures of mixtures
            with the lams `SHOWN`; of shapes there is none.
        lams: the shares of the first network.
        sweeps: the most sweeps of a matching.
        seed: of the pairs and of the random permutations.
        progress: called with the number of alignments measured and in all.

    Returns:
        A table with the columns dataset, pairs (the kind), alignment, quantity, lam (NaN where
        there is none), mean, ci95 (the half-width of the 95 % Student-t interval over pairs) and n
        (pairs), without the kinds that the dataset has no pair of; and the example pictures.

    Raises:
        ValueError: if there are fewer than two training networks, or a count or a lam is out
            of its range, or the header names neither a grid nor a signal of shapes.
        StoreError: if the file cannot be read.
    """
    if pairs < 1 or examples < 0 or not all(0 <= lam <= 1 for lam in lams):
        raise ValueError(
            f"got {pairs} pairs, {examples} examples and lams {tuple(lams)}; "
            f"give at least one pair, no negative number of examples, and lams in [0, 1]"
        )
    kinds = _read_pairs(inr_path, pairs, seed)
    if not kinds:
        raise ValueError(f"{inr_path} has one training network; a pair needs two")
    rows: list[tuple] = []
    midpoints: list[Midpoints] = []
    for done, own in enumerate(kinds):
        generator = stream(seed, "alignment", "randomised", own.kind)
        partners = align_partners(own.a, own.b, own.reference, sweeps=sweeps, generator=generator)
        f_a, f_b = _functions(own.a, own), _functions(own.b, own)
        for i, (alignment, moved) in enumerate(partners.items(), start=1):
            for quantity, lam, values in _quantities(own, moved, f_a, f_b, lams):
                interval = mean_over_seeds(values.tolist())
                numbers = (interval.mean, interval.half_width, interval.size)
                rows.append((own.kind, alignment, quantity, lam, *numbers))
            if progress is not None:
                progress(done * len(ALIGNMENTS) + i, len(kinds) * len(ALIGNMENTS))
        midpoints.append(_examples(own, partners, examples))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.insert(0, "dataset", dataset or kinds[0].header.dataset)
    return table, join_midpoints(midpoints)


def distances(a: Weights, b: Weights) -> dict[str, Values]:
    """|a - b|^2 / ((|a|^2 + |b|^2) / 2), over all weights and biases and for each layer.

    Independent networks of zero mean have 2 on average, equal ones 0. The layers weigh
    differently in the whole: the first of a SIREN has by far the largest entries.

    Returns:
        "distance", and "distance_layer_1" to "distance_layer_L", each over the weights and
        biases of one layer.
    """

    def relative(x: Tensor, y: Tensor) -> Values:
        x, y = x.double(), y.double()
        return (x - y).square().sum(1) / ((x.square().sum(1) + y.square().sum(1)) / 2)

    found = {"distance": relative(a.flatten(), b.flatten())}
    for l in range(len(a.weights)):
        x, y = (torch.cat([w.weights[l].flatten(1), w.biases[l]], 1) for w in (a, b))
        found[f"distance_layer_{l + 1}"] = relative(x, y)
    return found


def path_quality(f_a: Functions, f_b: Functions, mixed: Functions, lam: float) -> dict[str, Values]:
    """Compare the functions of mixed networks with the mixed functions of the networks.

    Args:
        f_a: the functions of the first networks, at the points of a grid.
        f_b: those of the second.
        mixed: those of lam a + (1 - lam) g b.
        lam: the share of the first.

    Returns:
        "function_error": the squared difference between `mixed` and lam f_a + (1 - lam) f_b,
        its mean over points and outputs, divided by the variance of a function over the
        points, which is the mean over all networks and outputs given: 0 is no error, and an
        error of 1 is as large as the signal's own contrast; there is no upper bound. "psnr",
        in dB: of the same two as signals, clipped to [0, 1], the mixture being that of the
        clipped signals; at lam = 0.5 it is the PSNR of the midpoint to the mean signal.
    """
    variance = torch.cat([f_a, f_b]).var(dim=1, correction=0).mean()
    target = lam * f_a + (1 - lam) * f_b
    signal = lam * f_a.clamp(0, 1) + (1 - lam) * f_b.clamp(0, 1)
    return {
        "function_error": (mixed - target).square().mean(dim=(1, 2)) / variance,
        "psnr": psnr((mixed.clamp(0, 1) - signal).square().mean(dim=(1, 2))),
    }


def _read_pairs(inr_path: Path | str, n: int, seed: int) -> list[_Pairs]:
    """Draw the pairs of each kind that there is, and read only their networks."""
    header, columns = read_header(inr_path), read_columns(inr_path)
    shape = _shape(inr_path, header)
    reference = np.array([reference_row(columns)])
    drawn = {
        kind: draw_pairs(columns, kind, n, generator=stream(seed, "alignment", kind))
        for kind in PAIR_KINDS
    }
    needed = np.unique(np.concatenate([reference, *(rows.ravel() for rows in drawn.values())]))
    weights = read_inrs(inr_path, needed).weights

    def networks(rows: np.ndarray) -> Weights:
        return weights[torch.from_numpy(np.searchsorted(needed, rows))]

    return [
        _Pairs(
            kind,
            networks(rows[:, 0]),
            networks(rows[:, 1]),
            columns["label"][rows],
            networks(reference),
            header,
            shape,
        )
        for kind, rows in drawn.items()
        if len(rows)
    ]


def _quantities(
    own: _Pairs, moved: Weights, f_a: Functions, f_b: Functions, lams: Sequence[float]
) -> Iterator[tuple[str, float, Values]]:
    """Yield every quantity of pairs whose second network is `moved`: name, lam, values."""
    for name, values in distances(own.a, moved).items():
        yield name, float("nan"), values
    for lam in lams:
        mixed = _functions(_mixed(own.a, moved, lam), own)
        for name, values in path_quality(f_a, f_b, mixed, lam).items():
            yield name, lam, values


def _mixed(a: Weights, b: Weights, lam: float) -> Weights:
    return lerp(a, b, torch.full((len(a),), lam, dtype=a.dtype))


def _functions(w: Weights, of: _Pairs) -> Functions:
    """The outputs on the grid, some networks at a time."""
    coords, header = grid(of.shape), of.header
    step = max(1, NUMBERS // (len(coords) * max(header.layer_layout)))
    parts = [
        siren(w[i : i + step], coords, omega_0=header.omega_0, output_offset=header.output_offset)
        for i in range(0, max(1, len(w)), step)
    ]
    return torch.cat(parts)


def _shape(inr_path: Path | str, header: Header) -> tuple[int, ...]:
    """The grid of the fit, or one over the cube of shapes."""
    if "shape" in header.coords:
        return tuple(header.coords["shape"])
    if "signal" in header.coords:
        return (CUBE,) * header.layer_layout[0]
    raise ValueError(
        f"{inr_path} has the coords {header.coords}, which name neither the shape of a grid nor "
        f"a signal of shapes (docs/format.md), so there are no points to compare functions at; "
        f"import the networks again and state --shape"
    )


def _examples(own: _Pairs, partners: dict[str, Weights], n: int) -> Midpoints:
    """The first pairs as pictures, each at every lam that is shown; none of shapes."""
    n = n if "shape" in own.header.coords else 0
    a = own.a[:n]
    f_a, f_b = _functions(a, own), _functions(own.b[:n], own)
    names = np.array(own.header.classes or [""] * (own.labels.max() + 1))
    parts = []
    for lam in SHOWN:
        mixed = {k: _functions(_mixed(a, b[:n], lam), own) for k, b in partners.items()}
        about = {"shape": own.shape, "kind": own.kind, "classes": names[own.labels[:n]]}
        parts.append(draw_midpoints(f_a, f_b, mixed, lam=lam, **about))
    return join_midpoints(parts)
