import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from weightspace.report.collect import collect_correctness, collect_histories, collect_runs
from weightspace.report.figures.learning_curves import learning_curves_figure
from weightspace.report.figures.schemes import schemes_figure
from weightspace.report.figures.views import views_figure
from weightspace.report.saving import save_figure
from weightspace.report.statistics import comparison


def _titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_visible()]


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def _lines(axes, **look):
    """The lines with data whose properties are `look`, as arrays (n, 2)."""
    lines = [
        line
        for line in axes.lines
        if all(getattr(line, f"get_{k}")() == v for k, v in look.items())
    ]
    return [np.column_stack(line.get_data()) for line in lines]


def test_schemes_draws_every_mean_and_every_seed(make_files):
    runs = collect_runs(make_files().metrics)
    table = comparison(runs)
    figure = schemes_figure(runs)
    assert _titles(figure) == ["MLP", "DWSNet"]
    for axes, model in zip(figure.axes, ("mlp", "dws"), strict=True):
        means = [xy[0, 0] for xy in _lines(axes, marker="o")]
        assert means == pytest.approx(table[table["model"] == model]["test_accuracy"].tolist())
        seeds = np.concatenate([xy for xy in _lines(axes, marker="|") if len(xy) == 3])[:, 0]
        own = runs[runs["model"] == model]["test_accuracy"]
        assert sorted(seeds) == pytest.approx(sorted(own))
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels[0] == "1 view" and labels[-2:] == ["4 views", "none"]
    assert "MixUp aligned signed" in labels


def test_schemes_draws_each_mean_beside_its_name(make_files):
    runs = collect_runs(make_files(models=("mlp",)).metrics)
    axes = schemes_figure(runs).axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    y = labels.index("sign flip")
    expected = runs[runs["scheme"] == "sign_flip"]["test_accuracy"].mean()
    assert [xy[0, 0] for xy in _lines(axes, marker="o") if xy[0, 1] == y] == pytest.approx(
        [expected]
    )


def test_schemes_whiskers_are_the_interval(make_files):
    runs = collect_runs(make_files(models=("mlp",), cells=[("none", 1), ("sign_flip", 1)]).metrics)
    row = comparison(runs).iloc[1]
    segment = schemes_figure(runs).axes[0].collections[1].get_segments()[0]
    expected = row["test_accuracy"] - row["test_ci95"], row["test_accuracy"] + row["test_ci95"]
    assert tuple(segment[:, 0]) == pytest.approx(expected)


def test_schemes_reference_lines(make_files):
    runs = collect_runs(make_files(models=("mlp",)).metrics)
    axes = schemes_figure(runs, chance=0.25).axes[0]
    none = runs[runs["scheme"] == "none"].groupby("views")["test_accuracy"].mean()
    dashed = {tuple(np.unique(xy[:, 0].round(9))): xy[:, 1] for xy in _lines(axes, linestyle="--")}
    assert set(dashed) == {(round(none[1], 9),), (round(none[4], 9),)}
    # each spans the rows of its own number of views only: a heading and its schemes
    assert np.ptp(dashed[(round(none[1], 9),)]) > 8 and np.ptp(dashed[(round(none[4], 9),)]) < 2
    assert [xy[0, 0] for xy in _lines(axes, linestyle=":")] == [0.25]


def test_schemes_with_object_intervals(make_files):
    files = make_files()
    correctness = collect_correctness(files.metrics, files.predictions)
    figure = schemes_figure(collect_runs(files.metrics), correctness)
    assert "over test objects" in _legend(figure)
    assert "over test objects" not in _legend(schemes_figure(collect_runs(files.metrics)))


def test_learning_curves_show_training_against_validation(make_files):
    files = make_files()
    histories = collect_histories(files.metrics, files.histories)
    figure = learning_curves_figure(histories)
    assert len(_titles(figure)) == 9 and "none, 4 views" in _titles(figure)
    axes = figure.axes[_titles(figure).index("sign flip, 1 view")]
    own = histories[(histories["scheme"] == "sign_flip") & (histories["model"] == "mlp")]
    for column, dashes in (("train_accuracy", "--"), ("val_accuracy", "-")):
        drawn = next(xy for xy in _lines(axes, linestyle=dashes) if len(xy) == 10)
        assert drawn[:, 1] == pytest.approx(own.groupby("update")[column].mean().to_numpy())
    assert len(_lines(axes, marker="D")) == 2
    assert sum(isinstance(c, PolyCollection) for c in axes.collections) == 4
    assert _legend(figure) == ["MLP", "DWSNet", "training", "validation", "selected"]


def test_views_draws_a_line_per_model(make_files):
    cells = [("none", 1), ("none", 2), ("none", 4), ("permutation", 4)]
    runs = collect_runs(make_files(cells=cells).metrics)
    axes = views_figure(runs).axes[0]
    for model, xy in zip(
        ("mlp", "dws"), [xy for xy in _lines(axes, linestyle="-") if len(xy) == 3], strict=True
    ):
        own = runs[(runs["model"] == model) & (runs["scheme"] == "none")]
        assert xy[:, 0].tolist() == [1, 2, 4]
        assert xy[:, 1] == pytest.approx(own.groupby("views")["test_accuracy"].mean().to_numpy())
    assert list(axes.get_xticks()) == [1, 2, 4]


def test_views_keeps_sizes_of_the_training_set_apart(make_files):
    metrics = []
    for objects in (500, 1500):
        cells = [("none", 1)], [("none", 4)]
        for i, cell in enumerate(cells):
            changes = {"objects": objects, "cell": f"{objects}-{i}"}
            metrics += make_files(models=("mlp",), cells=cell, **changes).metrics
    figure = views_figure(collect_runs(metrics))
    assert _legend(figure)[:2] == ["MLP, 500 objects", "MLP, 1,500 objects"]


def test_views_without_the_baseline_says_so(make_files):
    figure = views_figure(collect_runs(make_files(cells=[("permutation", 1)]).metrics))
    assert 'scheme "none"' in figure.texts[0].get_text()


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
    for name, figure in (
        ("schemes", schemes_figure(runs)),
        ("curves", learning_curves_figure(collect_histories(files.metrics, files.histories))),
        ("views", views_figure(runs)),
    ):
        save_figure(figure, [tmp_path / f"{name}.png"])
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000


def test_a_cell_missing_for_one_model(make_files):
    runs = collect_runs(make_files().metrics)
    runs = runs[~((runs["model"] == "mlp") & (runs["scheme"] == "permutation"))]
    figure = schemes_figure(runs)
    assert [len(_lines(axes, marker="o")) for axes in figure.axes] == [8, 9]


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
