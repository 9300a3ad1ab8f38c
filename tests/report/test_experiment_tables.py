"""The tables of the experiments overfitting, views, schemes and strength."""

import re

import numpy as np
import pandas as pd
import pytest

from weightspace.report.collect import ReportError, collect_correctness, collect_runs
from weightspace.report.overfitting import overfitting_table
from weightspace.report.saving import save_csv
from weightspace.report.schemes import best_of_longer_budget, comparison_words, schemes_tables
from weightspace.report.statistics import comparison
from weightspace.report.strength import strength_points, strength_table
from weightspace.report.tables import save_tables
from weightspace.report.views import MORE_OBJECTS, MORE_VIEWS, families, views_table

ACCURACY, DIFFERENCE = "test accuracy [95 %]", "difference to none [95 %]"
BALANCED = "balanced accuracy [95 %]"


def test_every_form_of_the_schemes_table_agrees_with_runs_csv(make_files, tmp_path):
    runs = collect_runs(make_files().metrics)
    save_csv(runs, tmp_path / "runs.csv")
    csv, markdown, latex = paths = [tmp_path / f"t.{ending}" for ending in ("csv", "md", "tex")]
    save_tables(schemes_tables(runs), paths)
    mean = pd.read_csv(tmp_path / "runs.csv").groupby("cell")["test_accuracy"].mean()
    numbers = pd.read_csv(csv)
    for row in numbers.to_dict("records"):
        assert row["test_accuracy"] == pytest.approx(mean[row["cell"]], abs=1e-12)
    expected = [f"{100 * mean[cell]:.1f} [" for cell in numbers["cell"]]
    for text, pattern in ((markdown, r"\|\s*(\d+\.\d \[)"), (latex, r"& (\d+\.\d \[)\d")):
        assert re.findall(pattern, text.read_text()) == expected


def test_words_of_one_scheme(make_files):
    table = comparison(collect_runs(make_files().metrics))
    row, words = table.iloc[1], comparison_words(table).iloc[1]
    low, high = (100 * (row["test_accuracy"] + s * row["test_ci95"]) for s in (-1, 1))
    assert words[ACCURACY] == f"{100 * row['test_accuracy']:.1f} [{low:.1f}, {high:.1f}]"
    low, high = (100 * (row["difference"] + s * row["difference_ci95"]) for s in (-1, 1))
    assert words[DIFFERENCE] == f"{100 * row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"
    assert (words["model"], words["scheme"], words["seeds"]) == ("MLP", "permutation", "3")
    assert words["objects"] == "1,500"
    assert "dataset" not in words and "× updates" not in words


def test_one_seed_shows_a_dash_and_no_made_up_interval(make_files):
    words = comparison_words(comparison(collect_runs(make_files(seeds=(0,)).metrics)))
    assert words[ACCURACY].str.fullmatch(r"\d+\.\d \[-\]").all()
    assert words[DIFFERENCE].str.fullmatch(r"[+-]\d+\.\d \[-\]|-").all()


def test_object_intervals_are_there_with_predictions_and_explained(make_files):
    files = make_files()
    correctness = collect_correctness(files.metrics, files.predictions)
    (table,) = schemes_tables(collect_runs(files.metrics), correctness)
    assert {"objects_ci95", "difference_objects_ci95"} <= set(table.numbers)
    assert "± objects" in table.words and "draw of the test objects" in table.note


def test_the_balanced_accuracy_is_shown_where_it_is_another_number(make_files):
    runs = collect_runs(make_files(models=("dws",)).metrics)
    (same,) = schemes_tables(runs)
    assert BALANCED not in same.words and "Balanced" not in same.note
    # One row is enough, and less than a tenth of a percent is none.
    flips = runs["scheme"] == "sign_flip"
    for gap, shown in ((0.0004, False), (0.05, True)):
        moved = runs["test_accuracy"].where(~flips, runs["test_accuracy"] - gap)
        (table,) = schemes_tables(runs.assign(test_balanced_accuracy=moved))
        assert (BALANCED in table.words) == ("Balanced" in table.note) == shown
    row = table.numbers.set_index("scheme").loc["sign_flip"]
    assert row["test_balanced_accuracy"] == pytest.approx(row["test_accuracy"] - 0.05)
    assert row["test_balanced_ci95"] == pytest.approx(row["test_ci95"])
    words = table.words.set_index("scheme")[BALANCED]
    mean, half = 100 * row["test_balanced_accuracy"], 100 * row["test_balanced_ci95"]
    assert words["sign flip"] == f"{mean:.1f} [{mean - half:.1f}, {mean + half:.1f}]"
    # The differences stay those of the accuracy.
    kept = ["difference", "difference_ci95"]
    pd.testing.assert_frame_equal(table.numbers[kept], same.numbers[kept])


def test_several_datasets_get_a_column_and_are_compared_apart(make_files):
    cells = [("none", 1), ("sign_flip", 1)]
    files = make_files(cells=cells, dataset="mnist") + make_files(cells=cells, dataset="cifar10")
    (table,) = schemes_tables(collect_runs(files.metrics))
    assert table.words["dataset"].tolist() == ["MNIST"] * 4 + ["CIFAR-10"] * 4
    assert (table.numbers["pairs"] == [0, 3] * 4).all()


def _budgets(make_files, vals):
    """Runs of one model; `vals[scheme]` maps a budget to (validation, test) of its 2 seeds."""
    parts = []
    for scheme, budgets in vals.items():
        for budget, (val, test) in budgets.items():
            files = make_files(models=("dws",), cells=[(scheme, 1)], seeds=(0, 1), budget=budget)
            runs = collect_runs(files.metrics)
            parts.append(runs.assign(val_accuracy=val, test_accuracy=test))
    return pd.concat(parts, ignore_index=True)


def test_the_budget_is_chosen_on_validation_and_never_on_test(make_files):
    vals = {
        "none": {1: (0.50, 0.40), 2: (0.4, 0.4), 3: (0.45, 0.60)},
        "sign_flip": {1: (0.40, 0.70), 2: (0.4, 0.4), 3: (0.50, 0.45)},
        "permutation": {1: (0.9, 0.9), 2: (0.9, 0.9)},  # lacks the longest budget
        "dropout": {2: (0.9, 0.9), 3: (0.9, 0.9)},  # lacks the shortest
        "mixup_direct": {1: (0.5, 0.41), 2: (0.6, 0.42), 3: (0.6, 0.43)},  # a tie
    }
    runs = _budgets(make_files, vals)
    table = best_of_longer_budget(runs).set_index("scheme")
    assert table["budget"].to_dict() == {"none": 1, "sign_flip": 3, "mixup_direct": 2}
    assert table["updates"].to_dict() == {"none": 1000, "sign_flip": 3000, "mixup_direct": 2000}
    assert table["test_accuracy"].to_dict() == pytest.approx(
        {"none": 0.40, "sign_flip": 0.45, "mixup_direct": 0.42}
    )
    assert table.loc["sign_flip", "difference"] == pytest.approx(0.05)  # to none at its best
    assert table.loc["sign_flip", "pairs"] == 2
    equal, longer = schemes_tables(runs)
    assert set(equal.numbers["budget"]) == {1} and len(equal.numbers) == 4
    assert longer.words["× updates"].tolist() == ["1", "3", "2"]
    assert "(1, 2, 3 times the updates" in longer.note
    assert set(equal.numbers.columns) == set(longer.numbers.columns)


def test_every_setting_has_budgets_of_its_own(make_files):
    def runs(dataset, budget, schemes=("none", "sign_flip")):
        cells = [(scheme, 1) for scheme in schemes]
        files = make_files(models=("dws",), cells=cells, dataset=dataset, budget=budget)
        return collect_runs(files.metrics)

    _, longer = schemes_tables(pd.concat([runs("d", 1), runs("d", 3), runs("f", 2)]))
    assert longer.words["dataset"].tolist() == ["d", "d"]  # also if it is the only one
    parts = [runs("d", 1), runs("d", 3), runs("e", 1), runs("e", 2, ("sign_flip",)), runs("f", 2)]
    equal, longer = schemes_tables(pd.concat(parts, ignore_index=True))
    budgets = equal.numbers.groupby(["dataset", "budget"]).size().to_dict()
    assert budgets == {("d", 1): 2, ("e", 1): 2, ("f", 2): 2}
    assert equal.words["× updates"].tolist() == ["1"] * 4 + ["2"] * 2
    assert (equal.numbers["pairs"] == [0, 3] * 3).all()
    kept = list(longer.numbers[["dataset", "scheme"]].itertuples(index=False, name=None))
    # "none" of e lacks its longer budget, which is not the one of d; f has one budget
    assert kept == [("d", "none"), ("d", "sign_flip"), ("e", "sign_flip")]
    assert longer.words[DIFFERENCE].iloc[2] == "-" and 'where "none" does' in longer.note
    assert "(1, 3 or 1, 2 times the updates" in longer.note


def test_one_budget_has_one_table(make_files):
    (table,) = schemes_tables(collect_runs(make_files().metrics))
    assert set(table.numbers["table"]) == {"equal updates"}


def test_no_table_of_longer_budgets_where_no_scheme_has_them_all(make_files):
    vals = {"none": {1: (0.5, 0.4)}, "sign_flip": {3: (0.5, 0.4)}}
    runs = _budgets(make_files, vals)
    (table,) = schemes_tables(runs)
    assert table.numbers["scheme"].tolist() == ["none"]
    with pytest.raises(ReportError, match="no scheme was trained with all of several budgets"):
        best_of_longer_budget(runs)


@pytest.mark.parametrize(
    "tabulate", [lambda runs: schemes_tables(runs)[0], overfitting_table, views_table]
)
def test_a_best_update_that_is_the_last_is_marked(make_files, tabulate):
    runs = collect_runs(make_files(models=("dws",), cells=[("none", 1), ("none", 4)]).metrics)
    runs = runs.assign(best_update=[500, 800, 1000, 500, 800, 900])
    table = tabulate(runs)
    assert table.words["best update"].tolist() == ["767 †", "733"]
    assert table.numbers["improving"].tolist() == [True, False]
    assert "†: the last update was the best one of at least one seed" in table.note
    assert "†" not in tabulate(runs.assign(best_update=500)).note


def test_the_gap_is_paired_by_run(make_files):
    files = make_files(models=("mlp", "pixel_cnn"), cells=[("none", 1)])
    runs = collect_runs(files.metrics)
    table = overfitting_table(runs)
    gap = (runs["train_accuracy"] - runs["test_accuracy"]).groupby(runs["model"])
    row = table.numbers.set_index("model")
    for model in ("mlp", "pixel_cnn"):
        assert row.loc[model, "gap"] == pytest.approx(gap.mean()[model])
        half = 4.302653 * gap.std()[model] / np.sqrt(3)
        assert row.loc[model, "gap_ci95"] == pytest.approx(half, rel=1e-5)
    assert table.words["model"].tolist() == ["MLP", "CNN on pixels"]
    assert "scheme" not in table.words


def test_views_table_pairs_internal_and_external(make_files):
    files = make_files(models=("dws", "pixel_cnn"), cells=[("none", 1), ("none", 5)])
    table = views_table(collect_runs(files.metrics))
    rows = table.numbers.set_index(["model", "views"])
    assert rows.loc[("dws", 1), "difference"] == pytest.approx(0.15)
    assert rows.loc[("dws", 1), "difference_ci95"] == pytest.approx(0, abs=1e-12)
    assert np.isnan(rows.loc[("pixel_cnn", 1), "internal_accuracy"])
    assert table.words["internal [95 %]"].tolist()[2:] == ["-", "-"]
    assert table.words["networks"].tolist()[:2] == ["1,500", "7,500"]


def test_families_start_from_the_same_training_set(make_files):
    files = make_files(models=("dws",), cells=[("none", v) for v in (1, 4)])
    for objects, views in ((375, (1, 2, 4)), (750, (1, 2))):
        files += make_files(models=("dws",), cells=[("none", v) for v in views], objects=objects)
    files += make_files(models=("dws",), cells=[("sign_flip", 1)], objects=750)
    found = families(collect_runs(files.metrics))
    sizes = {
        name: sorted({(r["objects"], r["views"]) for r in own.to_dict("records")})
        for name, own in found.items()
    }
    assert sizes == {
        MORE_VIEWS: [(375, 1), (375, 2), (375, 4)],
        MORE_OBJECTS: [(375, 1), (750, 1), (1500, 1)],
    }
    assert all(set(own["scheme"]) == {"none"} for own in found.values())


def test_no_families_without_a_comparison(make_files):
    views_only = make_files(models=("dws",), cells=[("none", 1), ("none", 4)])
    assert families(collect_runs(views_only.metrics)) == {}
    small = make_files(models=("dws",), cells=[("none", 1)], objects=300)
    assert families(collect_runs((views_only + small).metrics)) == {}


def test_only_models_with_both_families_are_compared(make_files):
    files = make_files(models=("dws", "mlp"), cells=[("none", 1), ("none", 4)])  # full set
    for models, objects in ((("dws",), 375), (("row_transformer",), 300)):
        cells = [("none", 1), ("none", 2)] if objects == 375 else [("none", 1)]
        files += make_files(models=models, cells=cells, objects=objects)
    files += make_files(models=("dws",), cells=[("none", 1)], objects=300, budget=3)
    found = families(collect_runs(files.metrics))
    for name, sizes in ((MORE_VIEWS, {(375, 1), (375, 2)}), (MORE_OBJECTS, {(375, 1), (1500, 1)})):
        own = found[name]
        assert set(own["model"]) == {"dws"} and set(own["budget"]) == {1}
        assert set(own[["objects", "views"]].itertuples(index=False, name=None)) == sizes


SWEEPS = {
    f"gaussian_noise_scale_{i}": {
        "augmentation": "gaussian_noise",
        "parameter": "scale",
        "value": v,
    }
    for i, v in enumerate((0.32, 0.08, 0.64))
} | {"rotate_max_angle_30": {"augmentation": "rotate", "parameter": "max_angle", "value": 30.0}}


def _swept(make_files, **changes):
    cells = [("none", 1), *((scheme, 1) for scheme in SWEEPS)]
    return collect_runs(make_files(models=("dws",), cells=cells, **changes).metrics)


def test_strengths_are_in_order_and_chosen_on_validation(make_files):
    runs = _swept(make_files)
    best = runs["scheme"] == "gaussian_noise_scale_2"
    worst_test = runs["test_accuracy"].where(~best, 0.1)
    runs = runs.assign(
        val_accuracy=runs["val_accuracy"].where(~best, 0.9), test_accuracy=worst_test
    )
    points = strength_points(runs, SWEEPS | {"unused": SWEEPS["rotate_max_angle_30"]})
    noise = points[points["augmentation"] == "gaussian_noise"]
    assert noise["value"].tolist() == [0.08, 0.32, 0.64]
    assert noise["chosen"].tolist() == [False, False, True]
    assert points[points["augmentation"] == "rotate"]["chosen"].tolist() == [True]
    none = runs[runs["scheme"] == "none"]["test_accuracy"].mean()
    assert noise["difference"].tolist() == pytest.approx((noise["test_accuracy"] - none).tolist())
    words = strength_table(points).words
    assert words["augmentation"].tolist() == ["none", *["Gaussian noise"] * 3, "rotate"]
    assert words["value"].tolist() == ["-", "0.08", "0.32", "0.64", "30"]
    assert words["chosen"].tolist() == ["", "", "", "yes", "yes"]


def test_a_scheme_without_a_strength_is_refused(make_files):
    runs = _swept(make_files)
    with pytest.raises(ReportError, match="give the strength of each but none"):
        strength_points(runs, {k: SWEEPS[k] for k in list(SWEEPS)[1:]})
    with pytest.raises(ReportError, match="name no scheme"):
        strength_points(runs[runs["scheme"] == "none"], {})
