import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from weightspace.report.collect import ReportError, collect_correctness, collect_runs
from weightspace.report.statistics import (
    chance_level,
    comparison,
    mean_over_objects,
    mean_over_seeds,
    paired_test,
    summary,
)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_t_interval_is_scipys(n):
    x = np.random.default_rng(n).normal(0.4, 0.02, n)
    got = mean_over_seeds(x)
    low, high = stats.t.interval(0.95, n - 1, loc=x.mean(), scale=stats.sem(x))
    assert got.size == n
    assert got.mean - got.half_width == pytest.approx(low, rel=1e-10)
    assert got.mean + got.half_width == pytest.approx(high, rel=1e-10)


def test_known_numbers():
    # t_{0.975, 1} = 12.7062; s = 0.02 / sqrt 2, so the half-width is 12.7062 x 0.01
    two = mean_over_seeds([0.40, 0.42])
    assert (two.mean, two.half_width) == pytest.approx((0.41, 0.127062), rel=1e-5)


def test_one_seed_has_no_interval_and_none_has_no_mean():
    one = mean_over_seeds([0.4])
    assert one.mean == 0.4 and math.isnan(one.half_width) and one.size == 1
    none = mean_over_seeds([])
    assert math.isnan(none.mean) and math.isnan(none.half_width) and none.size == 0


def test_objects_count_once_whatever_their_seeds_and_views():
    rng = np.random.default_rng(0)
    hits = rng.random(400) < 0.3
    once = pd.DataFrame({"seed": 0, "object_id": range(400), "correct": hits.astype(float)})
    twice = pd.concat([once, once.assign(seed=1)])
    expected = 1.959964 * math.sqrt(hits.mean() * (1 - hits.mean()) / 399)
    assert mean_over_objects(once).half_width == pytest.approx(expected, rel=1e-5)
    assert mean_over_objects(twice) == mean_over_objects(once)
    assert math.isnan(mean_over_objects(once[:1]).half_width)


def test_objects_interval_covers_at_its_level():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        hits = (rng.random(200) < 0.4).astype(float)
        got = mean_over_objects(pd.DataFrame({"object_id": range(200), "correct": hits}))
        covered += abs(got.mean - 0.4) < got.half_width
    assert 0.92 < covered / 400 < 0.98


def noisy(runs):
    """The runs with differences that are not the same for every seed."""
    noise = np.random.default_rng(0).normal(0, 0.01, len(runs))
    return runs.assign(test_accuracy=runs["test_accuracy"] + noise)


def _naive(runs, cell):
    """Mean and paired differences of one cell from a plain loop over the rows."""
    rows = runs.to_dict("records")
    own = [r for r in rows if r["cell"] == cell]
    differences = []
    for r in own:
        for o in rows:
            same = all(r[k] == o[k] for k in ("dataset", "model", "views", "objects", "seed"))
            if same and o["scheme"] == "none" and r["scheme"] != "none":
                differences.append(r["test_accuracy"] - o["test_accuracy"])
    return [r["test_accuracy"] for r in own], differences


def test_comparison_is_the_naive_loop(make_files):
    runs = noisy(collect_runs(make_files().metrics))
    table = comparison(runs)
    assert len(table) == 18
    for row in table.to_dict("records"):
        accuracies, differences = _naive(runs, row["cell"])
        assert row["test_accuracy"] == pytest.approx(np.mean(accuracies))
        assert row["seeds"] == 3 and row["pairs"] == len(differences)
        if row["scheme"] == "none":
            assert math.isnan(row["difference"]) and math.isnan(row["difference_ci95"])
        else:
            half_width = stats.t.ppf(0.975, 2) * stats.sem(differences)
            assert row["difference"] == pytest.approx(np.mean(differences))
            assert row["difference_ci95"] == pytest.approx(half_width)
            p = stats.ttest_1samp(differences, 0).pvalue
            assert row["difference_p"] == pytest.approx(p)
            assert (p < 0.05) == (abs(row["difference"]) > row["difference_ci95"])


def _adjusted(p):
    """Benjamini and Hochberg: the lowest rate at which the procedure takes each one."""
    in_order = sorted(p)
    return [min(x * len(p) / (i + 1) for i, x in enumerate(in_order) if x >= own) for own in p]


def test_p_values_are_adjusted_for_the_schemes_of_a_setting(make_files):
    table = comparison(noisy(collect_runs(make_files().metrics)))
    for _, setting in table.groupby(["model", "views"]):
        p = setting["difference_p"].dropna()
        assert setting["difference_q"].dropna().tolist() == pytest.approx(_adjusted(p.tolist()))
        assert len(p) == len(setting) - 1  # all but none


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.1, 0.1]])
def test_without_spread_there_is_no_test(values):
    assert math.isnan(paired_test(mean_over_seeds(values)))


def test_without_pairs_there_is_nothing_to_adjust(make_files):
    table = comparison(collect_runs(make_files(cells=[("none", 1)]).metrics))
    assert table["difference_p"].isna().all() and table["difference_q"].isna().all()


def test_summary_is_the_interval_of_each_cell(make_files):
    runs = collect_runs(make_files(cells=[("none", 1), ("none", 4)]).metrics)
    table = summary(runs, ["test_accuracy", "internal_accuracy"])
    assert table["cell"].tolist() == [f"{m}-none-{v}views" for m in ("mlp", "dws") for v in (1, 4)]
    for row in table.to_dict("records"):
        own = runs[runs["cell"] == row["cell"]]
        for value, name in (("test_accuracy", "test_ci95"), ("internal_accuracy", "internal_ci95")):
            expected = mean_over_seeds(own[value])
            assert (row[value], row[name]) == (expected.mean, expected.half_width)
        assert row["train_inrs"] == 1500 * row["views"] and row["seeds"] == 3


def test_chance_is_that_of_the_runs(make_files):
    runs = collect_runs(make_files(cells=[("none", 1)], n_classes=4).metrics)
    assert chance_level(runs) == 0.25
    with pytest.raises(ReportError, match="have 2, 4 classes"):
        chance_level(pd.concat([runs, runs.assign(n_classes=2)]))


def test_models_stay_together_and_keep_the_order_of_the_cells(make_files):
    table = comparison(collect_runs(make_files().metrics))
    assert table["model"].tolist() == ["mlp"] * 9 + ["dws"] * 9
    assert table["scheme"].tolist()[:9] == table["scheme"].tolist()[9:]
    assert table["scheme"].tolist()[1] == "permutation"


def test_pairs_need_the_same_seed_views_and_objects(make_files):
    runs = collect_runs(make_files(cells=[("none", 1), ("sign_flip", 1)]).metrics)
    mlp = runs[runs["model"] == "mlp"]
    lost = mlp[~((mlp["scheme"] == "none") & (mlp["seed"] == 1))]
    row = comparison(lost).set_index("scheme").loc["sign_flip"]
    assert (row["seeds"], row["pairs"]) == (3, 2)
    for column in ("views", "objects", "budget", "updates", "dataset"):
        other = {"dataset": "mnist"}.get(column, 4)
        moved = mlp.assign(**{column: mlp[column].where(mlp["scheme"] != "none", other)})
        row = comparison(moved).set_index("scheme").loc["sign_flip"]
        assert row["pairs"] == 0 and math.isnan(row["difference"]), column


def test_pairing_is_by_seed_and_not_by_position(make_files):
    runs = collect_runs(make_files(models=("mlp",), cells=[("none", 1), ("sign_flip", 1)]).metrics)
    shuffled = runs.sample(frac=1, random_state=0)
    one, two = (comparison(r).set_index("scheme").loc["sign_flip"] for r in (runs, shuffled))
    assert one["difference_ci95"] == pytest.approx(two["difference_ci95"], rel=1e-12)


def test_one_seed(make_files):
    files = make_files(seeds=(0,))
    correctness = collect_correctness(files.metrics, files.predictions)
    table = comparison(collect_runs(files.metrics), correctness)
    assert table["test_ci95"].isna().all() and table["difference_ci95"].isna().all()
    assert table["test_accuracy"].notna().all() and table["objects_ci95"].notna().all()


def test_object_intervals_against_a_naive_loop(make_files):
    files = make_files(models=("dws",), cells=[("none", 1), ("permutation", 1)])
    runs = collect_runs(files.metrics)
    table = comparison(runs, collect_correctness(files.metrics, files.predictions))
    frames = {"none": files.predictions[0], "permutation": files.predictions[1]}
    share: dict[str, dict[int, list[float]]] = {}
    for scheme, path in frames.items():
        share[scheme] = {}
        for row in pd.read_csv(path).itertuples():
            share[scheme].setdefault(row.object_id, []).append(row.label == row.prediction)
    own = [np.mean(hits) for hits in share["permutation"].values()]
    gain = [np.mean(share["permutation"][o]) - np.mean(share["none"][o]) for o in share["none"]]
    row = table.set_index("scheme").loc["permutation"]
    n = len(own)
    assert row["objects_ci95"] == pytest.approx(1.959964 * np.std(own, ddof=1) / n**0.5)
    assert row["difference_objects_ci95"] == pytest.approx(1.959964 * np.std(gain, ddof=1) / n**0.5)
    assert np.mean(gain) == pytest.approx(row["difference"])


def test_object_intervals_pair_each_seed_with_its_own(make_files):
    files = make_files(models=("dws",), cells=[("none", 1), ("permutation", 1)])
    runs = collect_runs(files.metrics)
    correctness = collect_correctness(files.metrics, files.predictions)
    shuffled = correctness.sample(frac=1, random_state=0).reset_index(drop=True)
    for some in (runs, runs[runs["seed"] != 1]):
        expected = comparison(some, correctness[correctness["seed"].isin(some["seed"])])
        pd.testing.assert_frame_equal(comparison(some, shuffled), expected, rtol=1e-12)


def test_predictions_of_too_few_cells(make_files):
    files = make_files()
    correctness = collect_correctness(files.metrics[1:], files.predictions[1:])
    with pytest.raises(ReportError, match="predictions lack seeds of the cell mlp-none-1views"):
        comparison(collect_runs(files.metrics), correctness)
