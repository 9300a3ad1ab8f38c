"""The figures of the experiments overfitting, views, equivalence and strength; all figures."""

import matplotlib
import numpy as np
import pytest
from drawn import dotted, legend, lines, titles
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from weightspace.report.collect import collect_correctness, collect_histories, collect_runs
from weightspace.report.equivalence_table import equivalence_points
from weightspace.report.figures.equivalence import ABOVE, equivalence_figure
from weightspace.report.figures.overfitting import overfitting_figure
from weightspace.report.figures.panels import panels
from weightspace.report.figures.points import accuracy_limits
from weightspace.report.figures.schemes import schemes_figure
from weightspace.report.figures.strength import strength_figure
from weightspace.report.figures.views import views_figure
from weightspace.report.saving import save_figure
from weightspace.report.statistics import summary
from weightspace.report.strength import strength_points
from weightspace.report.style import INK, WIDTH, legend_above, line_looks, report_style
from weightspace.rng import stream


def _overfitting_files(make_files, **changes):
    weights = make_files(cells=[("none", 1), ("none", 4)], **changes)
    return weights + make_files(models=("pixel_cnn",), cells=[("none", 1)], **changes)


def test_overfitting_shows_training_against_validation_and_pictures(make_files):
    files = make_files(models=("pixel_cnn",), cells=[("none", 1)]) + make_files(
        cells=[("none", 4), ("none", 1)]
    )
    histories = collect_histories(files.metrics, files.histories)
    figure = overfitting_figure(histories)
    assert titles(figure) == ["weights, 1 view", "weights, 4 views", "pictures"]
    for axes, model, views in zip(figure.axes, ("mlp", "dws", "pixel_cnn"), (1, 4, 1), strict=True):
        own = histories[(histories["model"] == model) & (histories["views"] == views)]
        for column, dashes in (("train_accuracy", "--"), ("val_accuracy", "-")):
            expected = own.groupby("update")[column].mean().to_numpy()
            curves = [xy[:, 1] for xy in lines(axes, linestyle=dashes) if len(xy) == 10]
            assert any(np.allclose(curve, expected) for curve in curves)
        assert dotted(axes)[1] == 0.1
    assert len(lines(figure.axes[0], marker="D")) == 2
    bands = [c for c in figure.axes[0].collections if isinstance(c, PolyCollection)]
    assert len(bands) == 4  # two models, training and validation
    assert set(legend(figure)) >= {"MLP", "DWSNet", "CNN on pixels", "chance"}


def test_overfitting_draws_each_panel_from_its_own_dataset(make_files):
    # cells of two datasets in turn, as a config may list them
    parts = [
        make_files(models=("dws",), cells=[("none", views)], dataset=dataset)
        for views in (4, 1)
        for dataset in ("mnist", "cifar10")
    ]
    files = parts[0] + parts[1] + parts[2] + parts[3]
    histories = collect_histories(files.metrics, files.histories)
    ids = ["mnist", "cifar10"]
    shifted = histories["val_accuracy"].where(histories["dataset"] == "mnist", 0.77)
    figure = overfitting_figure(histories.assign(val_accuracy=shifted))
    assert titles(figure) == ["weights, 1 view", "weights, 4 views"] * 2
    labels = [axes.get_ylabel() for axes in figure.axes[::2]]
    named = dict(zip(["MNIST\naccuracy", "CIFAR-10\naccuracy"], ids, strict=True))
    for label, pair in zip(labels, (figure.axes[:2], figure.axes[2:]), strict=True):
        for axes in pair:
            curve = next(xy for xy in lines(axes, linestyle="-") if len(xy) == 10)
            assert (curve[:, 1] == 0.77).all() == (named[label] == "cifar10")


def _views_files(make_files, **changes):
    files = make_files(models=("mlp", "dws"), cells=[("none", v) for v in (1, 2, 4)], **changes)
    for objects, views in ((375, (1, 2, 4)), (750, (1,))):
        cells = [("none", v) for v in views]
        files += make_files(models=("mlp", "dws"), cells=cells, objects=objects, **changes)
    return files


def test_views_draws_external_and_internal_and_the_two_families(make_files):
    runs = collect_runs(_views_files(make_files).metrics)
    figure = views_figure(runs)
    left, right = figure.axes
    assert titles(figure) == ["(a) more views", "(b) equally many networks"]
    own = runs[(runs["model"] == "dws") & (runs["objects"] == 1500)].groupby("views")
    for dashes, column in (("-", "test_accuracy"), ("--", "internal_accuracy")):
        drawn = [xy for xy in lines(left, linestyle=dashes) if len(xy) == 3]
        assert len(drawn) == 2
        assert drawn[1][:, 1] == pytest.approx(own[column].mean().to_numpy())
        assert drawn[1][:, 0] == pytest.approx([1, 2, 4], rel=0.02)
    dws = runs[runs["model"] == "dws"]
    more_views = dws[dws["objects"] == 375].groupby("train_inrs")["test_accuracy"].mean()
    more_objects = dws[dws["views"] == 1].groupby("train_inrs")["test_accuracy"].mean()
    for dashes, expected in (("-", more_views), ("-.", more_objects)):
        drawn = [xy for xy in lines(right, linestyle=dashes) if len(xy) == len(expected)][1]
        assert drawn[:, 0] == pytest.approx(expected.index.to_numpy(), rel=0.02)
        assert drawn[:, 1] == pytest.approx(expected.to_numpy())
    assert list(left.get_xticks()) == [1, 2, 4]
    assert list(right.get_xticks()) == [375, 750, 1500]
    assert dotted(left)[1] == dotted(right)[1] == 0.1


def test_views_without_smaller_training_sets_has_one_panel(make_files):
    figure = views_figure(collect_runs(make_files(cells=[("none", 1), ("none", 4)]).metrics))
    assert titles(figure) == ["more views"]
    assert "more objects, one view each" not in legend(figure)
    pixels = make_files(models=("pixel_cnn",), cells=[("none", 1)])
    assert "internal: new views of training objects" not in legend(
        views_figure(collect_runs(pixels.metrics))
    )


def test_views_without_the_baseline_says_so(make_files):
    figure = views_figure(collect_runs(make_files(cells=[("permutation", 1)]).metrics))
    assert 'scheme "none"' in figure.texts[0].get_text()


def _equivalence(make_files, seeds=(0, 1, 2), models=("dws",)):
    files = None
    for objects in (375, 1500, 6000):
        cells = [("none", 1), ("mixup_direct", 1), ("mixup_leaky", 1)]
        part = make_files(models=models, cells=cells, objects=objects, seeds=seeds)
        files = part if files is None else files + part
    runs = collect_runs(files.metrics)
    correctness = collect_correctness(files.metrics, files.predictions)
    return equivalence_points(runs, correctness, draws=100, generator=stream(0, "x"))


def test_equivalence_draws_accuracies_and_factors(make_files):
    points = _equivalence(make_files)
    left, right = equivalence_figure(points).axes
    for scheme in ("none", "mixup_direct", "mixup_leaky"):
        own = points[points["scheme"] == scheme]["test_accuracy"].to_numpy()
        dashes = "--" if scheme == "mixup_leaky" else "-"  # drawn apart
        curves = [xy[:, 1] for xy in lines(left, linestyle=dashes) if len(xy) == 3]
        assert any(np.allclose(curve, own) for curve in curves)
    factors = points[points["factor"].notna() & np.isfinite(points["factor"])]["factor"]
    drawn = np.concatenate([xy[:, 1] for marker in "sD" for xy in lines(right, marker=marker)])
    assert sorted(drawn) == pytest.approx(sorted(factors))
    above = np.concatenate(lines(right, marker=ABOVE))
    censored = points[points["factor"] == np.inf]
    assert sorted(above[:, 1]) == pytest.approx(sorted(censored["factor_most"])) and len(above) == 2
    whiskers = [c for c in right.collections if isinstance(c, LineCollection)]
    assert sum(len(c.get_segments()) for c in whiskers) == 6
    assert right.get_ylim()[0] < 1 < right.get_ylim()[1] and dotted(left)[1] == 0.1


def test_equivalence_of_one_seed_and_of_two_models(make_files, tmp_path):
    figure = equivalence_figure(_equivalence(make_files, seeds=(0,)))
    whiskers = [c for c in figure.axes[1].collections if isinstance(c, LineCollection)]
    assert all(np.isnan(s).all() or not s.size for c in whiskers for s in c.get_segments())
    save_figure(figure, [tmp_path / "one.png"])
    figure = equivalence_figure(_equivalence(make_files, models=("mlp", "dws")))
    assert [axes.get_title(loc="left") for axes in figure.axes[::2]] == ["MLP", "DWSNet"]


def test_lines_of_many_schemes_are_told_apart():
    looks = line_looks([f"scheme_{i}" for i in range(42)] * 2)
    assert len(looks) == 42 == len({(look["color"], look["marker"]) for look in looks.values()})
    assert not {INK, "#000000"} & {look["color"] for look in looks.values()}


SWEEPS = {
    f"noise_{v}": {"augmentation": "gaussian_noise", "parameter": "scale", "value": v}
    for v in (0.1, 0.3, 0.9)
} | {f"p_{v}": {"augmentation": "dropout", "parameter": "p", "value": v} for v in (0.0, 0.1)}


def test_strength_draws_a_panel_per_augmentation(make_files):
    cells = [(scheme, 1) for scheme in ("none", *SWEEPS)]
    points = strength_points(collect_runs(make_files(cells=cells).metrics), SWEEPS)
    figure = strength_figure(points)
    assert titles(figure) == ["Gaussian noise", "dropout"]
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels == ["noise (tensor deviations)", "p"]
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear"]
    axes = figure.axes[0]
    own = points[(points["model"] == "dws") & (points["augmentation"] == "gaussian_noise")]
    for value, marker in (("test_accuracy", "o"), ("val_accuracy", "None")):
        curves = [xy for xy in lines(axes, marker=marker) if len(xy) == 3]
        assert any(np.allclose(xy, own[["value", value]]) for xy in curves)
    none = points[points["augmentation"].isna()].set_index("model")
    levels = {line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1}
    assert set(none["test_accuracy"]) <= levels and 0.1 in levels
    rings = lines(axes, markerfacecolor="none")
    chosen = own[own["chosen"]][["value", "test_accuracy"]].to_numpy()
    assert any(np.allclose(ring, chosen) for ring in rings)


def test_panels_keep_their_order_and_share_an_axis_in_a_dataset():
    keys = [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("a", "3"), ("a", "4")]
    figure, placed = panels(keys, ylabel="accuracy", height=1.0)
    assert [axes.get_title() for axes in placed] == [title for _, title in keys]
    placed[0].set_ylim(0.2, 0.4)
    assert placed[5].get_ylim() == (0.2, 0.4) and placed[1].get_ylim() != (0.2, 0.4)
    assert len(figure.axes) == 6


def test_limits_show_all_means_and_short_whiskers(make_files):
    points = summary(collect_runs(make_files().metrics), ["test_accuracy"])
    low, high = accuracy_limits(points, ["test_accuracy"])
    assert low <= 0.1 and high > (points["test_accuracy"] + points["test_ci95"]).max()
    wide = points.assign(test_ci95=0.9)
    assert accuracy_limits(wide, ["test_accuracy"])[1] < points["test_accuracy"].max() + 0.2


@pytest.mark.parametrize(
    ("models", "cells", "seeds"),
    [
        (("dws",), [("none", 1)], (0,)),
        (("dws",), [("permutation", 1)], (0, 1)),
        (("mlp", "dws"), [("none", 1), ("permutation", 1)], (0,)),
        (("mlp", "dws", "graph_transformer"), [("none", v) for v in (1, 2, 4, 10)], (0, 1)),
    ],
)
def test_any_part_of_the_grid_can_be_drawn(make_files, tmp_path, models, cells, seeds):
    files = make_files(models=models, cells=cells, seeds=seeds)
    runs = collect_runs(files.metrics)
    points = equivalence_points(runs, draws=20, generator=stream(0, "x"))
    for name, figure in (
        ("schemes", schemes_figure(runs)),
        ("curves", overfitting_figure(collect_histories(files.metrics, files.histories))),
        ("views", views_figure(runs)),
        ("equivalence", equivalence_figure(points)),
    ):
        save_figure(figure, [tmp_path / f"{name}.png"])
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000


def _all_figures(make_files):
    files = _overfitting_files(make_files)
    runs = collect_runs(files.metrics)
    swept = collect_runs(make_files(cells=[(s, 1) for s in ("none", *SWEEPS)]).metrics)
    return [
        overfitting_figure(collect_histories(files.metrics, files.histories)),
        views_figure(collect_runs(_views_files(make_files).metrics)),
        schemes_figure(runs),
        equivalence_figure(_equivalence(make_files)),
        strength_figure(strength_points(swept, SWEEPS)),
    ]


def test_figures_are_as_wide_as_a_page_and_their_letters_large_enough(make_files, tmp_path):
    for figure in _all_figures(make_files):
        save_figure(figure, [tmp_path / "figure.pdf"])
        assert figure.get_figwidth() == WIDTH
        shown = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text().strip()]
        assert min(t.get_fontsize() for t in shown) >= 8
        for axes in figure.axes:
            assert axes.get_xlabel()
            assert not set(axes.spines) - {"left", "right", "top", "bottom"}


def test_files_are_the_same_bytes_each_time_and_hold_no_date(make_files, tmp_path):
    runs = collect_runs(make_files(cells=[("none", 1)]).metrics)
    paths = [[tmp_path / f"{i}.{ending}" for ending in ("png", "pdf")] for i in "ab"]
    for pair in paths:
        save_figure(views_figure(runs), pair)
    for first, second in zip(*paths, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert b"CreationDate" not in first.read_bytes()
        assert b"atplotlib version" not in first.read_bytes()
    assert sorted(p.name for p in tmp_path.glob("*.p*")) == ["a.pdf", "a.png", "b.pdf", "b.png"]


def test_unknown_ending_writes_nothing(make_files, tmp_path):
    figure = views_figure(collect_runs(make_files(cells=[("none", 1)]).metrics))
    with pytest.raises(ValueError, match=r"ending is '\.jpeg', it must be one of \.png, \.pdf"):
        save_figure(figure, [tmp_path / "out" / "a.png", tmp_path / "out" / "a.jpeg"])
    assert not (tmp_path / "out").exists()


def test_the_readers_settings_neither_change_nor_are_changed(make_files, tmp_path):
    runs = collect_runs(make_files(cells=[("none", 1)]).metrics)
    save_figure(views_figure(runs), [tmp_path / "a.png"])
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "savefig.dpi": 20}):
        save_figure(views_figure(runs), [tmp_path / "b.png"])
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_legend_has_as_many_columns_as_fit():
    columns = []
    for letters in (2, 10, 14, 20, 200):
        figure = Figure(figsize=(WIDTH, 2))
        with report_style():
            legend_above(figure, [Line2D([], [], label="m" * letters) for _ in range(8)])
        (legend,) = figure.legends
        columns.append(legend._ncols)
        assert columns[-1] == 1 or legend.get_window_extent().width <= figure.bbox.width
    assert columns == [4, 4, 3, 2, 1]
