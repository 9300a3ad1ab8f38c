"""The levels of guessing and of the most frequent class, in the figures of the experiments."""

import pytest
from drawn import legend
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from weightspace.report.collect import ReportError, collect_histories, collect_runs
from weightspace.report.figures.levels import draw_levels, level_handles
from weightspace.report.figures.overfitting import overfitting_figure
from weightspace.report.figures.points import accuracy_limits
from weightspace.report.figures.schemes import schemes_figure
from weightspace.report.figures.views import views_figure
from weightspace.report.statistics import summary
from weightspace.report.style import QUIET

MAJORITY = "most frequent class"
UNEQUAL = {"dataset": "ldraw10", "majority_accuracy": 0.25}


def _levels(axes, which="y"):
    """The places of the lines that cross the panel in the colour of the levels."""
    other = "x" if which == "y" else "y"
    across = [line for line in axes.lines if list(getattr(line, f"get_{other}data")()) == [0, 1]]
    quiet = [line for line in across if to_hex(line.get_color()) == QUIET]
    return sorted(getattr(line, f"get_{which}data")()[0] for line in quiet)


@pytest.mark.parametrize("which", ["x", "y"])
@pytest.mark.parametrize(("share", "drawn"), [(0.1, False), (0.104, False), (0.25, True)])
def test_the_most_frequent_class_is_a_level_where_it_is_not_chance(make_files, share, drawn, which):
    runs = collect_runs(make_files(majority_accuracy=share).metrics)
    axes = Figure().subplots()
    draw_levels(axes, runs, which)
    assert _levels(axes, which) == pytest.approx([0.1, share] if drawn else [0.1])
    handles = level_handles(runs)
    assert [handle.get_label() for handle in handles] == ["chance", MAJORITY][: 1 + drawn]
    # A line and its entry look alike, and the two lines do not.
    looks = [(line.get_linestyle(), line._unscaled_dash_pattern) for line in axes.lines]
    assert looks == [(h.get_linestyle(), h._unscaled_dash_pattern) for h in handles]
    assert len(set(map(str, looks))) == 1 + drawn


def test_chance_of_datasets_with_other_classes_is_refused(make_files):
    files = make_files(dataset="mnist") + make_files(dataset="ldraw10", n_classes=4)
    runs = collect_runs(files.metrics)
    with pytest.raises(ReportError, match="the runs have 4, 10 classes"):
        draw_levels(Figure().subplots(), runs)
    assert [handle.get_label() for handle in level_handles(runs)] == ["chance"]


def test_figures_draw_the_level_only_in_the_panels_of_its_dataset(make_files):
    cells = [("none", 1), ("none", 4), ("permutation", 1)]
    equal = make_files(cells=cells, dataset="mnist")
    unequal = make_files(cells=cells, **UNEQUAL)
    both = equal + unequal
    runs = collect_runs(both.metrics)
    histories = collect_histories(both.metrics, both.histories)
    for figure, which in (
        (views_figure(runs), "y"),
        (schemes_figure(runs), "x"),
        (overfitting_figure(histories), "y"),
    ):
        panels = len(figure.axes) // 2
        for i, axes in enumerate(figure.axes):
            expected = [0.1] if i < panels else [0.1, 0.25]
            assert _levels(axes, which) == pytest.approx(expected)
        assert legend(figure)[-2:] == ["chance", MAJORITY]
    alone = collect_runs(equal.metrics)
    for draw in (views_figure, schemes_figure):
        assert MAJORITY not in legend(draw(alone))


def test_a_level_above_every_model_is_in_the_panel(make_files):
    runs = collect_runs(make_files(majority_accuracy=0.8).metrics)
    low, high = accuracy_limits(summary(runs, ["test_accuracy"]), ["test_accuracy"])
    assert runs["test_accuracy"].max() < 0.5 and low < 0.1 < 0.8 < high


@pytest.mark.parametrize("inputs", ["points", "queries"])
def test_curves_of_models_of_points_are_in_a_panel_of_points(make_files, inputs):
    files = make_files(cells=[("none", 4), ("none", 1)], **UNEQUAL)
    files += make_files(models=("pointnet",), cells=[("none", 1)], **UNEQUAL, inputs=inputs)
    figure = overfitting_figure(collect_histories(files.metrics, files.histories))
    found = [axes.get_title() for axes in figure.axes]
    assert found == ["weights, 1 view", "weights, 4 views", "points"]
    assert "PointNet on points" in legend(figure)


def test_both_models_of_points_share_a_panel(make_files):
    files = make_files(models=("dws",), cells=[("none", 1)], **UNEQUAL)
    for model, inputs in (("pointnet", "points"), ("pointnet_occupancy", "queries")):
        files += make_files(models=(model,), cells=[("none", 1)], **UNEQUAL, inputs=inputs)
    figure = overfitting_figure(collect_histories(files.metrics, files.histories))
    assert [axes.get_title() for axes in figure.axes] == ["weights, 1 view", "points"]
    curves = [line for line in figure.axes[1].lines if len(line.get_xdata()) == 10]
    assert len(curves) == 4  # two models, training and validation
