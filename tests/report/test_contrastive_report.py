import json
import math

import numpy as np
import pytest
from drawn import legend, lines
from matplotlib.collections import PolyCollection

from weightspace.report.collect import ReportError
from weightspace.report.contrastive import (
    collect_contrastive,
    contrastive_points,
    contrastive_table,
)
from weightspace.report.figures.contrastive import contrastive_figure
from weightspace.report.saving import save_figure
from weightspace.report.statistics import mean_over_seeds
from weightspace.report.tables import save_tables, table_markdown

FRACTIONS = (0.01, 0.1, 1.0)
GAINS = {None: 0.0, "translate": 0.06, "sign_flip": 0.03, "self_mixup": 0.08}
LEVELS = {0.01: 0.2, 0.1: 0.32, 1.0: 0.45}


def level(protocol, fraction):
    return LEVELS[fraction] * (0.7 if protocol == "untrained_probe" else 1.0)


def run(seed, protocol, fraction, accuracy):
    trained = "probe" not in protocol
    return {
        "seed": seed,
        "protocol": protocol,
        "label_fraction": fraction,
        "label_objects": round(1500 * fraction),
        "val_accuracy": accuracy + 0.01,
        "test_accuracy": accuracy,
        "test_loss": 1.9,
        "best_update": 300 if trained else None,
        "l2": None if trained else 0.1,
        "seconds": 2.5,
    }


@pytest.fixture
def make(tmp_path):
    """Write the metrics files of a study of pre-training."""

    def write(
        models=("dws",), schemes=tuple(GAINS), seeds=(0, 1, 2), fractions=FRACTIONS, **changes
    ):
        paths = []
        for model in models:
            for scheme in schemes:
                rng = np.random.default_rng([len(model), len(str(scheme))])
                pairs = None if scheme is None else changes.get("pairs", "augmented")
                metrics = {"study": "made_up", "cell": f"{model}-{scheme}-{pairs}"}
                metrics |= {"dataset": "fashion_mnist", "model": model, "scheme": scheme}
                metrics |= {"views": 1, "objects": 1500, "n_classes": 10, "config": {}}
                metrics |= {"versions": {"torch": "2.13.0"}, "commit": "0", "device": "cpu: x86"}
                metrics |= {"threads": 1, "seconds": 40.0, "n_parameters": 10, "failed_seeds": {}}
                protocols = ("linear_probe", "fine_tune")
                protocols = ("untrained_probe", "scratch") if scheme is None else protocols
                metrics["runs"] = [
                    run(s, p, f, level(p, f) + GAINS[scheme] * (1.1 - f) + rng.normal(0, 0.01))
                    for s in seeds
                    for p in protocols
                    for f in fractions
                ]
                metrics |= {**changes, "pairs": pairs}
                path = tmp_path / metrics["study"] / metrics["cell"] / "metrics.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(metrics))
                paths.append(path)
        return paths

    return write


# -- the table -------------------------------------------------------------------------------


def test_collects_a_row_per_cell_seed_protocol_and_fraction(make):
    runs = collect_contrastive(make())
    assert len(runs) == 3 * 3 * 4 * 2
    scratch = runs[runs["protocol"] == "scratch"]
    assert set(scratch["scheme"]) == {"scratch"} and set(scratch["pairs"]) == {"none"}
    assert (runs["l2"].isna() == ~runs["protocol"].str.contains("probe")).all()
    assert not runs.drop(columns=["l2", "best_update"]).isna().any().any()


def test_a_point_is_the_mean_over_seeds_and_the_paired_difference(make):
    runs = collect_contrastive(make())
    points = contrastive_points(runs)
    own = runs[(runs["scheme"] == "sign_flip") & (runs["protocol"] == "fine_tune")]
    own = own[own["label_fraction"] == 0.1].set_index("seed")["test_accuracy"]
    scratch = runs[(runs["protocol"] == "scratch") & (runs["label_fraction"] == 0.1)]
    gaps = own - scratch.set_index("seed")["test_accuracy"]
    point = points[(points["scheme"] == "sign_flip") & (points["protocol"] == "fine_tune")]
    point = point[point["label_fraction"] == 0.1].iloc[0]
    test, gap = mean_over_seeds(own), mean_over_seeds(gaps)
    assert (point["test_accuracy"], point["test_ci95"]) == pytest.approx(
        (test.mean, test.half_width)
    )
    assert (point["difference"], point["difference_ci95"]) == pytest.approx(
        (gap.mean, gap.half_width)
    )
    assert (point["seeds"], point["paired_seeds"], point["label_objects"]) == (3, 3, 150)


def test_only_seeds_of_both_are_paired(make):
    some = make(schemes=(None,), seeds=(1, 2, 5))
    points = contrastive_points(collect_contrastive(some + make(schemes=("translate",))))
    points = points.set_index("protocol")
    assert points.loc["fine_tune", "paired_seeds"].tolist() == [2, 2, 2]
    assert points.loc["scratch", "difference"].isna().all()


def test_rows_are_in_reading_order(make):
    points = contrastive_points(collect_contrastive(make(models=("mlp", "dws"))))
    assert points["model"].tolist() == ["mlp"] * 24 + ["dws"] * 24
    assert points["label_fraction"].tolist()[:24] == [0.01] * 8 + [0.1] * 8 + [1.0] * 8
    order = ["scratch", "untrained_probe"] + ["linear_probe"] * 3 + ["fine_tune"] * 3
    assert points["protocol"].tolist()[:8] == order
    assert points["scheme"].tolist()[2:5] == ["translate", "sign_flip", "self_mixup"]


def test_the_table_is_worded_for_reading(make, tmp_path):
    points = contrastive_points(collect_contrastive(make()))
    table = contrastive_table(points)
    assert len(table.words) == len(points)
    assert table.words["labels"].unique().tolist() == ["1 % (15)", "10 % (150)", "100 % (1,500)"]
    first = table.words.iloc[0]
    assert (first["training"], first["augmentation"], first["pairs"]) == ("from scratch", "-", "-")
    assert first["difference to scratch [95 %]"] == "-"
    assert "self-MixUp" in set(table.words["augmentation"])
    save_tables([table], [tmp_path / "c.csv", tmp_path / "c.md"])
    assert (tmp_path / "c.md").read_text() == table_markdown(table)
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 1 + len(points)


# -- refusals --------------------------------------------------------------------------------


def edit(path, **changes):
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps(metrics | changes))


def test_files_that_do_not_fit_together_are_refused(make, tmp_path):
    with pytest.raises(ReportError, match="no metrics file was given"):
        collect_contrastive([])
    first, second, *_ = make()
    with pytest.raises(ReportError, match="two rows have study made_up, dataset fashion_mnist"):
        collect_contrastive([first, second, second])
    edit(second, device="cuda: H200")
    with pytest.raises(ReportError, match=r"different kinds of device \(cpu in .*, cuda in "):
        collect_contrastive([first, second])
    edit(second, device="cpu: arm", versions={"torch": "2.12"})
    with pytest.raises(ReportError, match=r"versions of torch \(2.12 in .*, 2.13.0 in "):
        collect_contrastive([first, second])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_accuracy": 45.0}, r"runs\[0\] has test_accuracy = 45.0; it is a fraction"),
        ({"protocol": "zero_shot"}, "protocol = 'zero_shot'; it must be one of scratch"),
    ],
)
def test_impossible_runs_are_refused(make, change, message):
    path = make()[0]
    edit(path, runs=[run(0, "scratch", 0.1, 0.4) | change])
    with pytest.raises(ReportError, match=message):
        collect_contrastive([path])


def test_broken_files_are_refused(make):
    path = make()[0]
    for change, message in (({"runs": []}, "lists no runs"), ({"runs": [{}]}, "lacks seed")):
        edit(path, **change)
        with pytest.raises(ReportError, match=message):
            collect_contrastive([path])
    path.write_text("{}")
    with pytest.raises(ReportError, match="lacks study, cell"):
        collect_contrastive([path])
    path.write_text("{")
    with pytest.raises(ReportError, match="not valid JSON"):
        collect_contrastive([path])


# -- the figure ------------------------------------------------------------------------------


def test_the_figure_draws_every_mean_and_scratch(make):
    points = contrastive_points(collect_contrastive(make(models=("mlp", "dws"))))
    figure = contrastive_figure(points)
    assert [axes.get_title() for axes in figure.axes] == [
        f"{model}, {protocol}"
        for model in ("MLP", "DWSNet")
        for protocol in ("linear probe", "fine-tuning")
    ]
    names = [(m, p) for m in ("mlp", "dws") for p in ("linear_probe", "fine_tune")]
    for axes, (model, protocol) in zip(figure.axes, names, strict=True):
        own = points[(points["model"] == model) & (points["protocol"] == protocol)]
        drawn = [xy for xy in lines(axes, linestyle="-") if len(xy) == 3]
        for xy, scheme in zip(drawn, ("translate", "sign_flip", "self_mixup"), strict=True):
            expected = own[own["scheme"] == scheme]
            assert xy[:, 1] == pytest.approx(expected["test_accuracy"].to_numpy())
            assert xy[:, 0] == pytest.approx(expected["label_fraction"].to_numpy(), rel=0.2)
        scratch = points[(points["model"] == model) & (points["protocol"] == "scratch")]
        (dashed,) = lines(axes, linestyle="--")
        assert dashed[:, 1] == pytest.approx(scratch["test_accuracy"].to_numpy())
        band = next(c for c in axes.collections if isinstance(c, PolyCollection))
        untrained = points[(points["model"] == model) & (points["protocol"] == "untrained_probe")]
        dotted = [xy[:, 1] for xy in lines(axes, linestyle="-.")]
        assert len(dotted) == (protocol == "linear_probe")
        for y in dotted:
            assert y == pytest.approx(untrained["test_accuracy"].to_numpy())
        top = band.get_paths()[0].vertices[:, 1].max()
        assert top == pytest.approx((scratch["test_accuracy"] + scratch["test_ci95"]).max())
        assert [xy[0, 1] for xy in lines(axes, linestyle=":")] == [0.1]
        assert axes.get_xscale() == "log"
        assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "10", "100"]
        low, high = axes.get_ylim()
        assert low < 0.1 and high > own["test_accuracy"].max()
    schemes, references = ["translate", "sign flip", "self-MixUp"], ["from scratch"]
    references += ["linear probe, untrained", "chance"]
    assert legend(figure) == schemes + references
    assert "%" in figure.axes[-1].get_xlabel() and figure.axes[0].get_ylabel() == "test accuracy"


def test_kinds_of_pairs_have_lines_of_their_own(make):
    paths = make(schemes=(None, "translate")) + make(schemes=("translate",), pairs="views")
    figure = contrastive_figure(contrastive_points(collect_contrastive(paths)))
    assert legend(figure)[:2] == ["translate, one view twice", "translate, two views"]


def test_more_augmentations_than_colours_stay_apart(make, monkeypatch):
    schemes = [f"scheme_{i}" for i in range(11)]
    for scheme in schemes:
        monkeypatch.setitem(GAINS, scheme, 0.01)
    figure = contrastive_figure(
        contrastive_points(collect_contrastive(make(schemes=(None, *schemes))))
    )
    handles = figure.legends[0].legend_handles[:11]
    assert len({(h.get_color(), h.get_marker()) for h in handles}) == 11


@pytest.mark.parametrize("seeds", [(0,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize(
    "part",
    [
        {},
        {"schemes": ("translate",)},
        {"schemes": (None, "translate"), "fractions": (1.0,)},
        {"models": ("mlp", "dws", "graph_transformer"), "schemes": (None, "translate")},
    ],
)
def test_any_part_of_the_grid_can_be_drawn(make, tmp_path, seeds, part):
    points = contrastive_points(collect_contrastive(make(seeds=seeds, **part)))
    save_figure(contrastive_figure(points), [tmp_path / "c.png", tmp_path / "c.pdf"])
    assert (tmp_path / "c.png").stat().st_size > 5_000
    assert math.isnan(points["test_ci95"].iloc[0]) == (len(seeds) == 1)


def test_scratch_alone_says_so(make):
    figure = contrastive_figure(contrastive_points(collect_contrastive(make(schemes=(None,)))))
    assert "pre-trained" in figure.texts[0].get_text()
