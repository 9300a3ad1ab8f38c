import numpy as np
import pytest
from drawn import dotted, legend, lines, titles

from weightspace.report.collect import collect_correctness, collect_runs
from weightspace.report.figures.schemes import schemes_figure
from weightspace.report.saving import save_figure
from weightspace.report.statistics import comparison


def test_schemes_draws_every_mean_and_every_seed(make_files):
    runs = collect_runs(make_files().metrics)
    table = comparison(runs)
    figure = schemes_figure(runs)
    assert titles(figure) == ["MLP", "DWSNet"]
    for axes, model in zip(figure.axes, ("mlp", "dws"), strict=True):
        means = [xy[0, 0] for xy in lines(axes, marker="o")]
        assert means == pytest.approx(table[table["model"] == model]["test_accuracy"].tolist())
        seeds = np.concatenate([xy for xy in lines(axes, marker="|") if len(xy) == 3])[:, 0]
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
    assert [xy[0, 0] for xy in lines(axes, marker="o") if xy[0, 1] == y] == pytest.approx(
        [expected]
    )


def test_schemes_whiskers_are_the_interval(make_files):
    runs = collect_runs(make_files(models=("mlp",), cells=[("none", 1), ("sign_flip", 1)]).metrics)
    row = comparison(runs).iloc[1]
    segment = schemes_figure(runs).axes[0].collections[1].get_segments()[0]
    expected = row["test_accuracy"] - row["test_ci95"], row["test_accuracy"] + row["test_ci95"]
    assert tuple(segment[:, 0]) == pytest.approx(expected)


def test_schemes_reference_lines(make_files):
    runs = collect_runs(make_files(models=("mlp",), n_classes=4).metrics)
    axes = schemes_figure(runs).axes[0]
    none = runs[runs["scheme"] == "none"].groupby("views")["test_accuracy"].mean()
    dashed = {tuple(np.unique(xy[:, 0].round(9))): xy[:, 1] for xy in lines(axes, linestyle="--")}
    assert set(dashed) == {(round(none[1], 9),), (round(none[4], 9),)}
    # each spans the rows of its own number of views only: a heading and its schemes
    assert np.ptp(dashed[(round(none[1], 9),)]) > 8 and np.ptp(dashed[(round(none[4], 9),)]) < 2
    assert dotted(axes)[0] == 0.25


def test_schemes_with_object_intervals(make_files):
    files = make_files()
    correctness = collect_correctness(files.metrics, files.predictions)
    figure = schemes_figure(collect_runs(files.metrics), correctness)
    assert "over test objects" in legend(figure)
    assert "over test objects" not in legend(schemes_figure(collect_runs(files.metrics)))


def test_schemes_has_a_row_of_panels_per_dataset_and_the_shortest_budget(make_files, tmp_path):
    cells = [("none", 1), ("sign_flip", 1)]
    files = make_files(cells=cells, dataset="mnist")
    files += make_files(models=("dws",), cells=cells, dataset="cifar10")
    longer = make_files(models=("dws",), cells=cells, dataset="mnist", budget=3)
    figure = schemes_figure(collect_runs((files + longer).metrics))
    # no empty one of MLP on CIFAR-10
    assert titles(figure) == ["MNIST: MLP", "MNIST: DWSNet", "CIFAR-10: DWSNet"]
    drawn = [len(lines(axes, marker="o")) for axes in figure.axes]
    assert drawn == [2, 2, 2]  # the longer budget is not drawn
    labels = [tick.get_text() for tick in figure.axes[2].get_yticklabels()]
    assert labels == ["none", "sign flip"]
    save_figure(figure, [tmp_path / "schemes.png"])


def test_schemes_draws_a_setting_that_has_the_longer_budget_alone(make_files):
    files = make_files(models=("dws",), cells=[("none", 1)])
    files += make_files(models=("dws",), cells=[("none", 4)], budget=2)
    axes = schemes_figure(collect_runs(files.metrics)).axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["1 view, 1× the updates", "none", "4 views, 2× the updates", "none"]
    assert len(lines(axes, marker="o")) == 2


def test_a_cell_missing_for_one_model(make_files):
    runs = collect_runs(make_files().metrics)
    runs = runs[~((runs["model"] == "mlp") & (runs["scheme"] == "permutation"))]
    figure = schemes_figure(runs)
    assert [len(lines(axes, marker="o")) for axes in figure.axes] == [8, 9]
