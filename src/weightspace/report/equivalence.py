"""How many times more data a scheme is worth, read off the curve of training without it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.optimize import isotonic_regression

from weightspace.report.collect import CELL, SETTING, ReportError
from weightspace.report.statistics import BASELINE

__all__ = ["FACTORS", "data_factors", "equal_size", "resample"]

FACTORS = ["factor", "factor_low", "factor_high", "factor_least", "factor_most", "pairs"]

CURVE = [key for key in SETTING if key not in ("objects", "updates")]
TIE = 1e-9  # accuracies that differ by less are equal: far below one test object


@dataclass(frozen=True)
class Curves:
    """Whether each test object was classified correctly, at each training-set size.

    `none` and `scheme` have the shape (sizes, seeds, test objects), with the same seeds and
    objects; without predictions there is one "object", whose value is the accuracy.
    """

    none_sizes: np.ndarray
    none: np.ndarray
    sizes: np.ndarray
    scheme: np.ndarray


def data_factors(
    runs: pd.DataFrame,
    correctness: pd.DataFrame | None = None,
    *,
    draws: int = 2000,
    generator: torch.Generator,
) -> pd.DataFrame:
    """How many times more training objects each scheme is worth, at each size.

    A scheme that reaches with n objects the accuracy that "none" reaches with n' objects is
    worth factor = n' / n. Between the sizes that were trained, n' is read off the curve of
    "none", see `equal_size`. The 95 % interval is the percentile interval of a hierarchical
    bootstrap, see `resample`, in which seeds and objects are drawn together for all sizes and
    both schemes. It is missing with one seed, which says nothing about other trainings.

    Outside the sizes at which "none" was trained nothing is extrapolated: the factor is inf
    above `factor_most` (the largest size / n), and 0 below `factor_least` (the smallest
    size / n). The ends of the interval may be inf or 0 in the same way.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns; without it only seeds are drawn.
        draws: the number of bootstrap draws.
        generator: of the draws.

    Returns:
        One row per cell that has a "none" to compare with (same study, dataset, model, views,
        budget): study, cell, factor, factor_low, factor_high (NaN with one seed),
        factor_least, factor_most, and pairs, the number of seeds that all cells of both
        curves have.
    """
    rows = []
    for cells, curves in _pairs_of_curves(runs, correctness):
        seeds = curves.none.shape[1]
        if not seeds:
            raise ReportError(
                f"the cells of {cells[0][-1]} and of {BASELINE} have no seed in common"
            )
        central = _factors(curves, curves.none.mean(axis=(1, 2)), curves.scheme.mean(axis=(1, 2)))
        samples = np.array(
            [_factors(curves, *means) for means in resample(curves, draws, generator)]
            if seeds > 1
            else np.full((1, len(cells)), np.nan)
        )
        # A quantile that is one of the draws: between inf and a number there is nothing.
        low, high = (np.quantile(samples, q, axis=0, method="inverted_cdf") for q in (0.025, 0.975))
        least, most = curves.none_sizes.min(), curves.none_sizes.max()
        for i, (key, n) in enumerate(zip(cells, curves.sizes, strict=True)):
            values = (central[i], low[i], high[i], least / n, most / n, seeds)
            rows.append(dict(zip(CELL, key, strict=True)) | dict(zip(FACTORS, values, strict=True)))
    table = pd.DataFrame(rows, columns=[*CELL, *FACTORS])
    return table.astype(dict.fromkeys(FACTORS, float))  # also of a table without rows


def equal_size(sizes: np.ndarray, curve: np.ndarray, accuracies: np.ndarray) -> np.ndarray:
    """The training-set sizes at which a curve first reaches given accuracies.

    The curve is made non-decreasing by isotonic regression, because a dip of it is noise, and
    is linear in log(size) between the points. Where it is flat the smallest size counts.

    Args:
        sizes: increasing numbers of objects `(n,)`.
        curve: the accuracies at these sizes `(n,)`.
        accuracies: those to reach `(m,)`.

    Returns:
        Sizes `(m,)`; 0 for an accuracy below the curve and inf for one above it.
    """
    heights, x = isotonic_regression(curve).x, np.log2(sizes)
    found = np.empty(len(accuracies))
    for i, accuracy in enumerate(accuracies):
        right = int(np.searchsorted(heights, accuracy - TIE))
        if right == len(heights):
            found[i] = np.inf
        elif right == 0:
            found[i] = sizes[0] if accuracy > heights[0] - TIE else 0.0
        else:
            rise = heights[right] - heights[right - 1]
            share = min((accuracy - heights[right - 1]) / rise, 1.0)
            found[i] = 2.0 ** (x[right - 1] + share * (x[right] - x[right - 1]))
    return found


def resample(
    curves: Curves, draws: int, generator: torch.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw seeds and test objects with replacement; yield the mean accuracies of both curves.

    Of S seeds, S - 1 are drawn: the mean of as many draws varies by s^2 / S, as it should,
    while that of S draws varies by (S - 1) / S of it, too little where seeds are few. Of n
    objects, n are drawn, for which this does not matter.

    Reference: Rao and Wu 1988, section 2 (the bootstrap with n - 1 draws).

    Args:
        curves: of "none" and of a scheme.
        draws: how many.
        generator: of the draws.

    Yields:
        The mean accuracy of "none" and of the scheme at each of their sizes.
    """
    _, seeds, objects = curves.none.shape
    both = np.concatenate([curves.none, curves.scheme])
    for _ in range(draws):
        chosen = torch.randint(seeds, (seeds - 1,), generator=generator).numpy()
        drawn = torch.randint(objects, (objects,), generator=generator).numpy()
        share = np.bincount(drawn, minlength=objects) / objects
        means = (both @ share)[:, chosen].mean(axis=1)  # (cells,)
        yield means[: len(curves.none)], means[len(curves.none) :]


def _factors(curves: Curves, none: np.ndarray, scheme: np.ndarray) -> np.ndarray:
    return equal_size(curves.none_sizes, none, scheme) / curves.sizes


def _pairs_of_curves(
    runs: pd.DataFrame, correctness: pd.DataFrame | None
) -> Iterator[tuple[list[tuple], Curves]]:
    """The cells of each scheme, and its curve beside that of "none"."""
    for _, group in runs.groupby(CURVE, sort=False):
        none = group[group["scheme"] == BASELINE]
        if none.empty:
            continue
        for _, own in group[group["scheme"] != BASELINE].groupby("scheme", sort=False):
            yield _pair(none, own, correctness)


def _pair(
    none: pd.DataFrame, own: pd.DataFrame, correctness: pd.DataFrame | None
) -> tuple[list[tuple], Curves]:
    """The curves over the seeds, and with predictions the test objects, that all cells have."""
    both = pd.concat([none, own])
    counts = both.groupby("seed")["cell"].nunique()
    seeds = counts.index[counts == both["cell"].nunique()]
    parts = [part.sort_values("objects", kind="stable") for part in (none, own)]
    cells = [
        list(part[CELL].drop_duplicates().itertuples(index=False, name=None)) for part in parts
    ]
    sizes = [part.drop_duplicates(CELL)["objects"].to_numpy() for part in parts]
    values = _values(both[both["seed"].isin(seeds)], correctness)
    hits = [np.stack([_grid(values, cell, seeds) for cell in own]) for own in cells]
    return cells[1], Curves(sizes[0], hits[0], sizes[1], hits[1])


def _values(runs: pd.DataFrame, correctness: pd.DataFrame | None) -> pd.DataFrame:
    """A row for each cell and seed, a column for each test object."""
    if correctness is None:
        return runs.set_index([*CELL, "seed"])[["test_accuracy"]]
    own = runs[[*CELL, "seed"]].merge(correctness, on=[*CELL, "seed"])
    values = own.pivot(index=[*CELL, "seed"], columns="object_id", values="correct")
    if len(values) < len(runs) or values.isna().any(axis=None):
        raise ReportError(
            f"the cells of {', '.join(runs['cell'].unique())} were tested on different objects, "
            "or predictions are missing; collect them from the same cells as the metrics"
        )
    return values


def _grid(values: pd.DataFrame, cell: tuple, seeds: pd.Index) -> np.ndarray:
    """The values of one cell `(seeds, test objects)`."""
    return values.loc[[(*cell, seed) for seed in seeds]].to_numpy(dtype=float)
