"""Models of weights against models of raw data: the numbers, the table and the figure."""

import numpy as np
import pytest
from drawn import legend, titles
from matplotlib.backends.backend_agg import FigureCanvasAgg

from weightspace.report.collect import collect_runs
from weightspace.report.figures.gap import gap_figure
from weightspace.report.gap import gap_points, gap_table
from weightspace.report.style import WIDTH
from weightspace.report.tables import save_tables

NETWORKS = [("none", 1), ("none", 4), ("permutation", 1)]
MAJORITY = "most frequent class"


@pytest.fixture
def runs(make_files):
    """Pictures, and shapes of 8 classes of unequal size; two raw models of each."""
    pictures = {"dataset": "fashion_mnist"}
    shapes = {"dataset": "ldraw10", "n_classes": 8, "majority_accuracy": 0.3}
    files = make_files(cells=NETWORKS, **pictures) + make_files(cells=NETWORKS, **shapes)
    files += make_files(models=("pixel_cnn", "pixel_mlp"), cells=[("none", 1)], **pictures)
    for model, inputs in (("pointnet", "points"), ("pointnet_occupancy", "queries")):
        files += make_files(models=(model,), cells=[("none", 1)], inputs=inputs, **shapes)
    found = collect_runs(files.metrics)
    assert found["cell"].nunique() == 16
    return found


def _validation(runs, **accuracies):
    """The runs with these validation accuracies of models."""
    moved = runs["model"].map(accuracies)
    return runs.assign(val_accuracy=moved.fillna(runs["val_accuracy"]))


def _cell(table, **keys):
    chosen = table[np.logical_and.reduce([table[key] == value for key, value in keys.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_behind_is_the_paired_difference_to_the_best_on_validation(runs):
    # On test pixel_cnn is better by far; on validation it is not.
    runs = _validation(runs, pixel_mlp=0.9, pixel_cnn=0.8, pointnet=0.9, pointnet_occupancy=0.8)
    points = gap_points(runs)
    own = {"model": "dws", "scheme": "none", "views": 4}
    for dataset, best in (("fashion_mnist", "pixel_mlp"), ("ldraw10", "pointnet")):
        same = runs[runs["dataset"] == dataset]
        raw = same[same["model"] == best].set_index("seed")["test_accuracy"]
        mine = same[same["cell"] == _cell(points, dataset=dataset, **own)["cell"]]
        difference = raw - mine.set_index("seed")["test_accuracy"]
        row = _cell(points, dataset=dataset, **own)
        assert row["behind"] == pytest.approx(difference.mean())
        assert row["behind_ci95"] == pytest.approx(4.303 * difference.std() / 3**0.5, rel=1e-3)
        best_row = _cell(points, dataset=dataset, model=best)
        assert np.isnan(best_row["behind"]) and np.isnan(best_row["behind_ci95"])
    cnn = _cell(points, model="pixel_cnn")  # a raw model that is ahead of the chosen one
    assert cnn["behind"] < 0


def test_seeds_pair_whatever_their_order_and_number(runs):
    expected = gap_points(runs[runs["seed"] != 1])
    raw = runs["inputs"] != "weights"
    found = gap_points(runs[(runs["seed"] != 1) | raw].iloc[::-1])
    keys = ["dataset", "cell"]
    both = expected.merge(found, on=keys, suffixes=("", "_found"))
    networks = both["inputs"] == "weights"
    assert networks.sum() == 12 and both[networks]["behind"].notna().all()
    assert both[networks]["behind"].to_numpy() == pytest.approx(both[networks]["behind_found"])
    apart = gap_points(runs[(runs["seed"] == 0) | (~raw & (runs["seed"] == 1))])
    assert apart["behind_ci95"].isna().all()  # one pair has no interval


def test_without_models_of_raw_data_nothing_is_behind(runs, tmp_path):
    networks = runs[runs["inputs"] == "weights"]
    only_pictures = runs[(runs["inputs"] == "weights") | (runs["dataset"] == "fashion_mnist")]
    assert gap_points(networks)["behind"].isna().all()
    known = gap_points(only_pictures).set_index("dataset")["behind"].notna()
    assert not known["ldraw10"].any() and known["fashion_mnist"].sum() == 7
    table = gap_table(networks)
    assert set(table.words["behind raw data [95 %]"]) == {"-"}
    save_tables([table], [tmp_path / "gap.csv", tmp_path / "gap.md"])
    assert len(gap_figure(networks).axes) == 2


def test_the_table_words_levels_and_balanced_accuracy(runs):
    runs = runs.assign(test_balanced_accuracy=runs["test_accuracy"] - 0.05)
    table = gap_table(runs)
    words, numbers = table.words, table.numbers
    assert list(words.columns[:4]) == ["dataset", "model", "reads", "scheme"]
    shapes = words["dataset"] == "LDraw-10"
    assert set(words[shapes]["chance"]) == {"12.5"} and set(words[shapes]["majority"]) == {"30.0"}
    assert set(words[~shapes]["chance"]) == set(words[~shapes]["majority"]) == {"10.0"}
    for mean, text in zip(numbers["test_accuracy"], words["balanced [95 %]"], strict=True):
        assert text.startswith(f"{100 * mean - 5:.1f} [")
    for behind, text in zip(numbers["behind"], words["behind raw data [95 %]"], strict=True):
        assert text == "-" if np.isnan(behind) else text.startswith(f"{100 * behind:+.1f} [")
    assert set(words["reads"]) == {"weights", "pixels", "points", "queries"}
    several = gap_table(runs.assign(study=np.where(runs["dataset"] == "ldraw10", "a", "b")))
    assert list(several.words.columns[:4]) == ["study", "dataset", "model", "reads"]


def _rows(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_each_dataset_has_a_panel_with_a_row_for_every_cell(runs):
    figure = gap_figure(runs)
    assert titles(figure) == ["Fashion-MNIST", "LDraw-10"]
    points = gap_points(runs)
    for axes, (_, own) in zip(figure.axes, points.groupby("dataset", sort=False), strict=True):
        rows = _rows(axes)
        assert len(set(rows)) == len(rows) == 8
        networks = {
            f"{model}, {rest}"
            for model in ("MLP", "DWSNet")
            for rest in ("none, 1 view", "none, 4 views", "permutation, 1 view")
        }
        assert set(rows[2:]) == networks
        ordered = own.sort_values("test_accuracy", ascending=False)
        raw = ordered["inputs"] != "weights"
        expected = [*ordered[raw]["test_accuracy"], *ordered[~raw]["test_accuracy"]]
        drawn = {
            line.get_ydata()[0]: line.get_xdata()[0]
            for line in axes.lines
            if line.get_marker() == "o"
        }
        assert [drawn[y] for y in range(8)] == pytest.approx(expected)
    # Pixels and points are no networks: no scheme and no views.
    assert _rows(figure.axes[0])[:2] == ["CNN on pixels", "MLP on pixels"]
    assert set(_rows(figure.axes[1])[:2]) == {"PointNet on points", "PointNet on occupancy"}


def test_rows_name_no_scheme_and_no_views_that_are_the_same_for_all(make_files):
    files = make_files(cells=[("none", 1)]) + make_files(models=("pixel_cnn",), cells=[("none", 1)])
    (axes,) = gap_figure(collect_runs(files.metrics)).axes
    assert _rows(axes) == ["CNN on pixels", "DWSNet", "MLP"]


@pytest.mark.parametrize("balanced", [-0.2, 0.15])
def test_every_marker_and_level_is_in_the_panel(runs, balanced):
    moved = (runs["test_accuracy"] + balanced).clip(0, 1)
    wide = runs.assign(test_balanced_accuracy=moved, majority_accuracy=0.97)
    for axes in gap_figure(wide).axes:
        low, high = axes.get_xlim()
        bottom, top = axes.get_ylim()
        assert axes.get_xlim()[1] > 0.97  # the level that no model reaches
        for line in axes.lines:
            x, y = line.get_data()
            if line.get_marker() in ("o", "D"):
                assert low <= x[0] <= high and top < y[0] < bottom
        assert sum(line.get_marker() == "D" for line in axes.lines) == 8


def test_the_legend_says_what_is_drawn_and_fits_the_page(runs):
    always = ["reads weights", "reads raw data", "accuracy, 95 % interval", "balanced accuracy"]
    figure = gap_figure(runs)
    assert legend(figure) == [*always, "chance", MAJORITY]
    FigureCanvasAgg(figure).draw()
    box = figure.legends[0].get_window_extent()
    assert figure.get_figwidth() == WIDTH and box.x0 >= 0 and box.x1 <= figure.bbox.width
    assert all(box.y0 >= axes.get_tightbbox().y1 - 1 for axes in figure.axes)
    pictures = gap_figure(runs[runs["dataset"] == "fashion_mnist"])
    assert legend(pictures) == [*always, "chance"]


def test_the_raw_model_had_the_same_objects_and_budget(make_files):
    cells = [("none", 1)]
    files = make_files(models=("dws", "pixel_cnn"), cells=cells, objects=100)
    runs = collect_runs((files + make_files(models=("dws", "pixel_cnn"), cells=cells)).metrics)
    points = gap_points(runs)
    for objects, own in points.groupby("objects"):
        mean = own.set_index("model")["test_accuracy"]
        behind = own.set_index("model")["behind"]
        assert behind["dws"] == pytest.approx(mean["pixel_cnn"] - mean["dws"]), objects
