"""The alignment experiment: which cells it compares, its tables and its figures."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from weightspace.report.alignment import (
    NO_MIX,
    alignment_cells,
    alignment_tables,
    classify,
    save_alignment,
)
from weightspace.report.alignment_pairs import ALIGNMENTS, PAIR_KINDS
from weightspace.report.collect import collect_runs
from weightspace.report.figures.alignment import LOOK, Y, alignment_figure
from weightspace.report.figures.midpoints import midpoints_figure
from weightspace.report.midpoints import Midpoints, join_midpoints
from weightspace.report.saving import save_figure
from weightspace.report.statistics import mean_over_seeds
from weightspace.report.tables import table_markdown

UNIFORM = {"low": 0.0, "high": 1.0, "alpha": 1.0, "beta": 1.0, "hard_labels": False}
DIRECT = {"kind": "direct", **UNIFORM}
SIGNED = {"kind": "aligned", "signed": True, "sweeps": 20, **UNIFORM}
SCHEMES = {
    "none": {"mix": None},
    "reference": {"mix": DIRECT, "align_to_reference": "signed"},
    "direct": {"mix": DIRECT},
    "signed": {"mix": SIGNED},
    "signed_bounded": {"mix": {**SIGNED, "low": 0.8}},
    "noise": {"augment": [{"kind": "gaussian_noise", "scale": 0.3}], "mix": None},
    "smooth": {"mix": None, "label_smoothing": 0.1},
}
LAMS = (0.1, 0.5, 0.9)


@pytest.fixture
def metrics(make_files):
    """The metrics of two models under each of `SCHEMES`."""

    def make(models=("mlp", "dws"), schemes=tuple(SCHEMES), **changes):
        paths = []
        for scheme in schemes:
            config = {"scheme_settings": {"augment": [], **SCHEMES[scheme]}}
            files = make_files(models=models, cells=[(scheme, 1)], config=config, **changes)
            paths += files.metrics
        return paths

    return make


@pytest.fixture
def quality():
    """A quality table whose numbers say what they belong to."""
    rows = []
    for k, kind in enumerate(PAIR_KINDS):
        for a, alignment in enumerate(ALIGNMENTS):
            for q, quantity in enumerate(("distance", "distance_layer_1", "distance_layer_2")):
                rows.append((kind, alignment, quantity, np.nan, 1 + k / 10 + a / 100 + q / 1000))
            for quantity, size in (("function_error", 1), ("psnr", 10)):
                rows += [(kind, alignment, quantity, lam, size * (lam + a / 20)) for lam in LAMS]
    table = pd.DataFrame(rows, columns=["pairs", "alignment", "quantity", "lam", "mean"])
    return table.assign(ci95=0.01, n=200, dataset="fashion_mnist")


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ({"mix": None}, ("none", NO_MIX)),
        ({"mix": None, "align_to_reference": "signed"}, ("reference_signed", NO_MIX)),
        ({"mix": DIRECT}, ("none", "lam 0 to 1")),
        ({"mix": {**DIRECT, "low": 0.8}}, ("none", "lam 0.8 to 1")),
        ({"mix": {**DIRECT, "alpha": 0.2}}, ("none", "lam 0 to 1, Beta(0.2, 1)")),
        ({"mix": {**DIRECT, "hard_labels": True}}, ("none", "lam 0 to 1, hard labels")),
        ({"mix": {**DIRECT, "kind": "randomised"}}, ("randomised", "lam 0 to 1")),
        ({"mix": {**SIGNED, "signed": False}}, ("permutation", "lam 0 to 1")),
        ({"mix": SIGNED}, ("signed", "lam 0 to 1")),
        (
            {"mix": DIRECT, "align_to_reference": "permutation"},
            ("reference_permutation", "lam 0 to 1"),
        ),
        ({"mix": SIGNED, "align_to_reference": "permutation"}, None),
        ({"mix": {**DIRECT, "kind": "leaky"}}, None),
        ({"mix": None, "augment": [{"kind": "permutation"}]}, None),
        ({"mix": DIRECT, "augment": [{"kind": "permutation"}]}, None),
        ({"mix": None, "label_smoothing": None}, ("none", NO_MIX)),
        ({"mix": None, "label_smoothing": 0.1}, None),
        ({"mix": DIRECT, "label_smoothing": 0.1}, None),
        ({"mix": None, "consistency": 1.0}, None),
        ({"mix": None, "standardise": False}, None),
    ],
)
def test_schemes_are_told_apart_by_what_they_do(scheme, expected):
    assert classify(scheme) == expected
    assert expected is None or expected[0] in ALIGNMENTS


def test_cells_are_in_the_order_of_the_alignments(metrics):
    paths = metrics()
    cells = alignment_cells(paths)
    expected = [
        ("none", "none", NO_MIX),
        ("direct", "none", "lam 0 to 1"),
        ("signed", "signed", "lam 0 to 1"),
        ("signed_bounded", "signed", "lam 0.8 to 1"),
        ("reference", "reference_signed", "lam 0 to 1"),
    ]
    for series, model in (("MLP", "mlp"), ("DWSNet", "dws")):
        own = cells[cells["series"] == series]
        assert (own["model"] == model).all()
        assert list(own[["scheme", "alignment", "lam"]].itertuples(index=False, name=None)) == (
            expected
        )
    runs = collect_runs(paths)
    own = runs[(runs["model"] == "dws") & (runs["scheme"] == "signed")]["test_accuracy"]
    none = runs[(runs["model"] == "dws") & (runs["scheme"] == "none")]["test_accuracy"]
    row = cells[(cells["model"] == "dws") & (cells["scheme"] == "signed")].iloc[0]
    assert row["test_accuracy"] == pytest.approx(own.mean())
    assert row["difference"] == pytest.approx((own.to_numpy() - none.to_numpy()).mean())


def test_a_mixup_is_paired_with_the_direct_one_of_the_same_lam(metrics):
    paths = metrics()
    cells = alignment_cells(paths).set_index(["model", "scheme"])
    runs = collect_runs(paths).set_index(["model", "scheme", "seed"])["test_accuracy"].sort_index()
    for model in ("mlp", "dws"):
        for scheme in ("signed", "reference"):
            paired = (runs[model, scheme] - runs[model, "direct"]).to_numpy()
            expected = mean_over_seeds(paired)
            row = cells.loc[model, scheme]
            assert row["direct_difference"] == pytest.approx(expected.mean)
            assert row["direct_difference_ci95"] == pytest.approx(expected.half_width)
            assert row["direct_pairs"] == 3
        for scheme in ("none", "direct", "signed_bounded"):  # no MixUp, itself, another lam
            assert np.isnan(cells.loc[model, scheme]["direct_difference"])


def test_settings_that_differ_are_series_of_their_own(metrics):
    paths = metrics(models=("dws",), schemes=("none", "direct"))
    paths += metrics(models=("dws",), schemes=("none", "direct"), objects=300)
    assert alignment_cells(paths)["series"].tolist() == [
        *["DWSNet, 1,500 objects"] * 2,
        *["DWSNet, 300 objects"] * 2,
    ]


def test_the_table_holds_every_number_once(quality, metrics, tmp_path):
    cells = alignment_cells(metrics())
    first, second = alignment_tables(quality, cells)
    assert first.numbers.equals(quality)
    rest = second.numbers
    # An accuracy per cell, a difference for all but "none", and for two MixUps one to direct.
    assert len(rest) == 10 + 8 + 4
    rows = rest[(rest["model"] == "dws") & (rest["scheme"] == "signed_bounded")]
    assert rows["quantity"].tolist() == ["test_accuracy", "difference"]
    assert (rows["mixing"] == "lam 0.8 to 1").all() and (rows["n"] == 3).all()
    cell = cells[(cells["model"] == "dws") & (cells["scheme"] == "signed_bounded")].iloc[0]
    assert rows["mean"].tolist() == [cell["test_accuracy"], cell["difference"]]
    assert rows["ci95"].tolist() == [cell["test_ci95"], cell["difference_ci95"]]
    save_alignment(quality, cells, csv=tmp_path / "a.csv", md=tmp_path / "a.md")
    read = pd.read_csv(tmp_path / "a.csv")
    assert np.allclose(read["mean"], pd.concat([quality, rest])["mean"])
    assert ",1,1500,1,1000," in (tmp_path / "a.csv").read_text()


def test_markdown_states_numbers_intervals_and_chance(quality, metrics):
    tables = alignment_tables(quality, alignment_cells(metrics()))
    text = "\n".join(map(table_markdown, tables))
    first, second = (part for part in text.split("\n\n") if part.startswith("|"))
    lines = [line for line in first.splitlines() if "permutation + sign" in line]
    assert "views of one object" in lines[4] and "dataset" not in first
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells[2:] == [
        *("1.230 ± 0.010", "1.231 ± 0.010", "1.232 ± 0.010"),
        *("0.650 ± 0.010", "1.050 ± 0.010", "6.5 ± 0.0"),
    ]
    assert len(second.splitlines()) == 2 + 10
    assert "Chance: 10 %." in text
    none = next(line for line in second.splitlines() if NO_MIX in line)
    assert none.rstrip(" |").endswith("-")
    mixed = next(line for line in second.splitlines() if "lam 0.8 to 1" in line)
    accuracy, difference = r"\d+\.\d \[\d+\.\d, \d+\.\d\]", r"[+-]\d\.\d \[[^]]*\]"
    assert re.search(rf"\| +{accuracy} \| +{difference} \| +- \|$", mixed)
    mixed = next(
        x for x in second.splitlines() if re.search(r"\| permutation \+ sign +\| lam 0 to 1 +\|", x)
    )
    assert re.search(rf"\| +{accuracy} \| +{difference} \| +{difference} \|$", mixed)
    without = alignment_cells(metrics(schemes=("none", "signed")))
    assert "to MixUp direct [" not in table_markdown(alignment_tables(quality, without)[1])


def test_without_cells_there_are_the_matchings_alone(quality, metrics):
    only = alignment_cells(metrics(schemes=("noise", "smooth")))
    assert only.empty
    for cells in (None, only):
        (table,) = alignment_tables(quality, cells)
        assert table.numbers.equals(quality) and "accuracy" not in table_markdown(table)
        figure = alignment_figure(quality, cells)
        assert len(figure.axes) == 3 + 3


def _points(axes):
    """The marks of an axes as {(x, y)}."""
    lines = [line for line in axes.lines if line.get_marker() in "osD"]
    return {(line.get_xdata()[0], round(line.get_ydata()[0], 6)) for line in lines}


def test_distances_are_drawn_beside_their_alignment(quality):
    panels = alignment_figure(quality).axes[:3]
    assert [axes.get_title() for axes in panels] == ["all weights", "layer 1", "layer 2"]
    for axes, quantity in zip(panels, quality["quantity"].unique()[:3], strict=True):
        own = quality[quality["quantity"] == quantity]
        expected = {
            (row.mean, round(Y[row.alignment] + 0.22 * (list(PAIR_KINDS).index(row.pairs) - 1), 6))
            for row in own.itertuples()
        }
        assert _points(axes) == expected
    labels = [tick.get_text() for tick in panels[0].get_yticklabels()]
    assert labels == list(ALIGNMENTS.values())


def test_paths_reach_from_no_error_to_no_error(quality):
    panels = alignment_figure(quality).axes[3:]
    assert [axes.get_title() for axes in panels] == list(PAIR_KINDS.values())
    for axes in panels:
        for a, (line, alignment) in enumerate(zip(axes.lines, ALIGNMENTS, strict=True)):
            assert line.get_xdata().tolist() == [0, *LAMS, 1]
            assert line.get_ydata() == pytest.approx([0, *(x + a / 20 for x in LAMS), 0])
            assert line.get_color() == LOOK[alignment]["color"]


def test_accuracies_and_differences_are_drawn_with_their_intervals(quality, metrics):
    cells = alignment_cells(metrics())
    figure = alignment_figure(quality, cells)
    for i, series in enumerate(("MLP", "DWSNet")):
        accuracy, difference = figure.axes[6 + 2 * i : 8 + 2 * i]
        own = cells[cells["series"] == series]
        assert {x for x, _ in _points(accuracy)} == set(own["test_accuracy"])
        mixed = own[own["scheme"] != "none"]
        assert {x for x, _ in _points(difference)} == set(mixed["difference"])
        whiskers = accuracy.collections[0].get_segments()[0][:, 0]
        row = own.iloc[0]
        assert whiskers == pytest.approx(
            row["test_accuracy"] + row["test_ci95"] * np.array([-1, 1])
        )
        assert "chance: 10 %" in accuracy.get_xlabel()
        dashed = [line.get_xdata()[0] for line in accuracy.lines if line.get_linestyle() == "--"]
        assert dashed == [row["test_accuracy"]]
    low, high = figure.axes[6].get_xlim()
    assert low < 0.1 < high  # near the accuracy of the MLP, so drawn
    assert figure.axes[8].get_xlim()[0] > 0.2


def test_one_seed_has_no_whisker_and_two_do_not_stretch_the_axis(quality, metrics, tmp_path):
    cells = alignment_cells(metrics(models=("dws",), seeds=(0,)))
    figure = alignment_figure(quality, cells)
    save_figure(figure, [tmp_path / "one.png"])
    low, high = figure.axes[6].get_xlim()
    assert high - low < 0.1
    wide = cells.assign(test_ci95=0.5, difference_ci95=0.5)
    low, high = alignment_figure(quality, wide).axes[6].get_xlim()
    assert high - low < 0.4
    low, high = alignment_figure(quality, wide.assign(test_accuracy=0.05)).axes[6].get_xlim()
    assert low == 0  # of an accuracy


def test_the_figure_of_several_datasets(quality, metrics, tmp_path):
    both = pd.concat([quality, quality.assign(dataset="cifar10")])
    figure = alignment_figure(both, alignment_cells(metrics(models=("dws",))))
    assert len(figure.axes) == 2 * 6 + 2
    titles = [part.legends[0].get_title().get_text() for part in figure.subfigs]
    assert titles == [*["Fashion-MNIST"] * 2, *["CIFAR-10"] * 2, "DWSNet"]
    save_figure(figure, [tmp_path / "alignment.png"])
    assert "CIFAR-10" in table_markdown(alignment_tables(both)[0])


def _midpoints(kind, shape=(5, 4, 1), n=2):
    rng = np.random.default_rng(0)
    return Midpoints(
        rng.random((n, 3 + len(ALIGNMENTS), *shape)),
        np.arange(n * len(ALIGNMENTS)).reshape(n, -1) + 0.25,
        np.linspace(0.5, 0.9, n),
        np.full(n, kind),
        np.array([["sock", "hat"]] * n),
        np.array(list(ALIGNMENTS)),
    )


def test_midpoints_show_each_picture_with_its_psnr(tmp_path):
    midpoints = join_midpoints([_midpoints("views"), _midpoints("same_class")])
    figure = midpoints_figure({"fashion_mnist": midpoints})
    panels = np.array(figure.axes).reshape(4, 9)
    for row in range(4):
        for column in range(9):
            shown = panels[row, column].images[0].get_array()
            assert (shown == midpoints.pictures[row, column, ..., 0]).all()
        captions = [axes.get_xlabel() for axes in panels[row]]
        assert captions[:3] == ["sock", "hat", ""]
        assert captions[3:] == [f"{x:.1f} dB" for x in midpoints.psnr[row]]
        assert panels[row, 0].get_ylabel() == f"lam {midpoints.lams[row]:g}"
    assert [axes.get_title() for axes in panels[1]] == [""] * 9
    assert [axes.get_title() for axes in panels[0]][:3] == ["first", "second", "mixed\npictures"]
    assert [x.get_supylabel() for x in figure.subfigs] == [
        PAIR_KINDS[k] for k in ("views", "same_class")
    ]
    save_figure(figure, [tmp_path / "midpoints.png", tmp_path / "midpoints.pdf"])


def test_midpoints_of_several_datasets_in_colour(tmp_path):
    colour = _midpoints("views", shape=(5, 4, 3), n=1)
    figure = midpoints_figure({"fashion_mnist": _midpoints("views", n=1), "cifar10": colour})
    assert [part.get_suptitle() for part in figure.subfigs] == ["Fashion-MNIST", "CIFAR-10"]
    assert figure.axes[9].images[0].get_array().shape == (5, 4, 3)
    save_figure(figure, [tmp_path / "midpoints.png"])


def test_there_may_be_no_picture_to_show():
    empty = replace(_midpoints("views", n=1), kinds=np.array([], str))
    for x in (_midpoints("views", shape=(4, 4, 4, 1)), empty):
        assert "no example" in midpoints_figure({"shapes": x}).texts[0].get_text()
