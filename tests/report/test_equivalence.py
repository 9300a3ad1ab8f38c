"""The factor "worth x times more data", against curves whose factor is known."""

import math

import numpy as np
import pandas as pd
import pytest

from weightspace.report.collect import ReportError, collect_correctness, collect_runs
from weightspace.report.equivalence import Curves, data_factors, equal_size, resample
from weightspace.report.equivalence_table import (
    equivalence_points,
    equivalence_table,
    factor_words,
)
from weightspace.rng import stream

SIZES = (100, 200, 400, 800, 1600)
IDENTITY = {
    "study": "s",
    "dataset": "mnist",
    "inputs": "weights",
    "model": "dws",
    "views": 1,
    "budget": 1,
    "updates": 10,
    "n_classes": 10,
    "majority_accuracy": 0.1,
    "best_update": 5,
    "val_accuracy": 0.5,
}


def _curve(scheme, accuracy, sizes=SIZES, seeds=(0, 1, 2)):
    """Runs of a scheme whose test accuracy is `accuracy(objects, seed)`."""
    rows = [
        {"cell": f"{scheme}-{n}", "scheme": scheme, "objects": n, "train_inrs": n, "seed": seed}
        | dict.fromkeys(("test_accuracy", "test_balanced_accuracy"), accuracy(n, seed))
        for n in sizes
        for seed in seeds
    ]
    return pd.DataFrame(rows).assign(**IDENTITY)


def _line(n, seed=0):
    return 0.1 + 0.05 * math.log2(n / 100) + 0.002 * seed


def _factors(runs, **settings):
    settings = {"generator": stream(0, "test"), "draws": 200} | settings
    return data_factors(runs, **settings).set_index("cell")


@pytest.mark.parametrize("shift", [4.0, 2.0, 1.0, 0.5, 3.0])
def test_a_curve_shifted_in_size_is_worth_that_factor(shift):
    runs = pd.concat([_curve("none", _line), _curve("mix", lambda n, s: _line(shift * n, s))])
    table = _factors(runs)
    for n in SIZES:
        row = table.loc[f"mix-{n}"]
        if min(SIZES) <= shift * n <= max(SIZES):
            # seeds move both curves alike, so the paired interval has no width
            assert row[["factor", "factor_low", "factor_high"]].tolist() == pytest.approx(
                [shift] * 3, rel=1e-6
            )
        else:
            assert row["factor"] == (math.inf if shift > 1 else 0.0)
        assert (row["factor_least"], row["factor_most"]) == (100 / n, 1600 / n)
    assert "none-100" not in table.index


def test_between_the_sizes_the_curve_is_linear_in_the_logarithm():
    runs = pd.concat([_curve("none", _line, sizes=(100, 1600)), _curve("mix", lambda n, s: 0.2)])
    assert _factors(runs).loc["mix-100", "factor"] == pytest.approx(4.0 * 2 ** (-0.002 / 0.05))


def test_a_scheme_is_compared_with_sizes_it_was_not_trained_at():
    none = _curve("none", _line)
    runs = pd.concat([none, _curve("mix", lambda n, s: _line(2 * n, s), sizes=(300,))])
    assert _factors(runs).loc["mix-300", "factor"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("curve", "accuracy", "expected"),
    [
        ([0.3, 0.4, 0.5], 0.3, 100.0),  # equal to the first
        ([0.3, 0.4, 0.5], 0.5, 400.0),  # equal to the last
        ([0.3, 0.4, 0.5], 0.2999, 0.0),
        ([0.3, 0.4, 0.5], 0.5001, math.inf),
        ([0.3, 0.4, 0.4], 0.4, 200.0),  # flat: the smallest size that reaches it
        ([0.3, 0.3, 0.5], 0.3, 100.0),
        ([0.3, 0.5, 0.4], 0.45, 200.0),  # a dip is pooled to 0.45, 0.45
        ([0.3, 0.5, 0.4], 0.46, math.inf),
        ([0.3, 0.4, 0.5], 0.1 + 0.2, 100.0),  # a tie but for rounding
        ([0.5, 0.4, 0.3], 0.4, 100.0),  # falls throughout: one flat line
    ],
)
def test_size_at_which_a_curve_reaches_an_accuracy(curve, accuracy, expected):
    got = equal_size(np.array([100, 200, 400]), np.array(curve), np.array([accuracy]))
    assert got[0] == pytest.approx(expected)


def test_one_size_can_only_be_censored():
    got = equal_size(np.array([100]), np.array([0.4]), np.array([0.3, 0.4, 0.5]))
    assert got.tolist() == [0.0, 100.0, math.inf]


def test_one_seed_gives_no_interval():
    one = {"seeds": (0,)}
    runs = pd.concat(
        [_curve("none", _line, **one), _curve("mix", lambda n, s: _line(2 * n), **one)]
    )
    row = _factors(runs).loc["mix-200"]
    assert row["factor"] == pytest.approx(2.0) and row["pairs"] == 1
    assert math.isnan(row["factor_low"]) and math.isnan(row["factor_high"])
    words = equivalence_table(equivalence_points(runs, generator=stream(0, "t"))).words
    assert "2.00 [-]" in words["worth × data [95 %]"].tolist()


def test_only_seeds_that_all_cells_have_are_paired():
    mix = _curve("mix", lambda n, s: _line(2 * n, s))
    lost = mix[~((mix["objects"] == 400) & (mix["seed"] == 1))]
    table = _factors(pd.concat([_curve("none", _line), lost]))
    assert set(table["pairs"]) == {2}
    assert table.loc["mix-100", "factor"] == pytest.approx(2.0)
    other = _curve("mix", lambda n, s: _line(n), seeds=(7, 8))
    with pytest.raises(ReportError, match="have no seed in common"):
        _factors(pd.concat([_curve("none", _line), other]))


def test_settings_are_not_mixed():
    # another model, dataset, views or budget has its own curve of "none", or no factor
    runs = pd.concat([_curve("none", _line), _curve("mix", lambda n, s: _line(2 * n, s))])
    for key, other in (("model", "mlp"), ("dataset", "cifar10"), ("views", 4), ("budget", 3)):
        apart = runs.assign(**{key: runs[key].where(runs["scheme"] == "none", other)})
        assert _factors(apart).empty, key


def test_interval_is_censored_where_draws_leave_the_measured_sizes():
    noise = {0: -0.04, 1: 0.0, 2: 0.04}
    none = _curve("none", _line)
    mix = _curve("mix", lambda n, s: _line(4 * n) + noise[s])
    table = _factors(pd.concat([none, mix]))
    at_400 = table.loc["mix-400"]
    assert at_400["factor_high"] == math.inf and 1 < at_400["factor_low"] < 4
    at_100 = table.loc["mix-100"]
    assert at_100["factor_low"] < 4 < at_100["factor_high"] < math.inf
    row = at_400.to_dict() | {"factor": 4.0, "factor_low": 0.0}
    assert factor_words(row) == "4.00 [<0.25, >4.00]"


def test_seed_interval_has_the_variance_of_the_mean():
    # S - 1 draws of S seeds: the mean varies by s^2 / S, also with few seeds
    values = np.array([0.30, 0.34, 0.41])
    curves = Curves(np.array([1]), values[None, :, None], np.array([1]), values[None, :, None])
    draws = np.array([none[0] for none, _ in resample(curves, 20_000, stream(0, "test"))])
    assert draws.std() == pytest.approx(values.std(ddof=1) / np.sqrt(3), rel=0.03)
    assert draws.mean() == pytest.approx(values.mean(), abs=1e-3)


def test_test_objects_are_drawn_together_for_both_curves():
    hits = (np.random.default_rng(0).random((1, 2, 400)) < 0.4).astype(float)
    curves = Curves(np.array([1]), hits, np.array([1]), hits[:, ::-1])
    draws = np.array([[a[0], b[0]] for a, b in resample(curves, 3000, stream(0, "test"))])
    same = Curves(np.array([1]), hits[:, :1].repeat(2, 1), np.array([1]), hits[:, :1].repeat(2, 1))
    pairs = np.array([[a[0], b[0]] for a, b in resample(same, 3000, stream(0, "test"))])
    assert (pairs[:, 0] == pairs[:, 1]).all()
    p = hits[0, 0].mean()
    assert pairs[:, 0].std() == pytest.approx(np.sqrt(p * (1 - p) / 400), rel=0.05)
    assert draws.std(axis=0).min() > pairs.std(axis=0).max() * 0.9


def test_intervals_are_a_function_of_the_stream(make_files):
    files = _files(make_files)
    runs = collect_runs(files.metrics)
    correctness = collect_correctness(files.metrics, files.predictions)
    one, two = (
        data_factors(runs, correctness, draws=100, generator=stream(0, "x")) for _ in range(2)
    )
    pd.testing.assert_frame_equal(one, two)
    seeds_only = data_factors(runs, draws=100, generator=stream(0, "x"))
    pd.testing.assert_series_equal(one["factor"], seeds_only["factor"])
    wider = (one["factor_low"] <= seeds_only["factor_low"]) & (
        one["factor_high"] >= seeds_only["factor_high"]
    )
    assert wider.mean() > 0.8


def _files(make_files):
    sizes = (375, 1500, 6000)
    parts = [
        make_files(
            models=("dws",), cells=[("none", 1), ("mixup_direct", 1), ("mixup_leaky", 1)], objects=n
        )
        for n in sizes
    ]
    return parts[0] + parts[1] + parts[2]


def test_points_hold_every_cell_in_order_of_size(make_files):
    files = _files(make_files)
    runs = collect_runs(files.metrics)
    correctness = collect_correctness(files.metrics, files.predictions)
    points = equivalence_points(runs, correctness, draws=50, generator=stream(0, "x"))
    assert points["scheme"].tolist() == [s for s in runs["scheme"].unique() for _ in range(3)]
    assert points["objects"].tolist() == [375, 1500, 6000] * 3
    assert points[points["scheme"] == "none"]["factor"].isna().all()
    assert points[points["scheme"] != "none"]["factor"].notna().all()
    words = equivalence_table(points).words["worth × data [95 %]"]
    assert words.tolist()[:3] == ["-"] * 3 and words.iloc[-1].startswith(">1.00 [")


def test_other_test_objects_are_refused(make_files):
    files = _files(make_files)
    runs = collect_runs(files.metrics)
    correctness = collect_correctness(files.metrics, files.predictions)
    with pytest.raises(ReportError, match="tested on different objects"):
        _factors(runs, correctness=correctness[1:])
