import json

import pandas as pd
import pytest

from weightspace.report.collect import (
    ReportError,
    collect_correctness,
    collect_histories,
    collect_runs,
)
from weightspace.report.saving import save_csv

COLUMNS = [
    *("study", "cell", "dataset", "inputs", "model", "scheme", "views", "objects", "train_inrs"),
    *("budget", "n_classes", "majority_accuracy", "seed", "updates", "best_update"),
    *("train_accuracy", "val_accuracy"),
    *("val_balanced_accuracy", "test_accuracy", "test_balanced_accuracy", "internal_accuracy"),
    *("test_loss", "seconds", "device", "commit"),
]


def _edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_one_row_per_run_and_seed_in_the_order_given(make_files):
    files = make_files()
    runs = collect_runs(files.metrics)
    assert list(runs.columns) == COLUMNS
    assert len(runs) == 2 * 9 * 3
    expected = [
        (m["cell"], r["seed"], r["test_accuracy"], r["val_accuracy"])
        for m in (json.loads(path.read_text()) for path in files.metrics)
        for r in m["runs"]
    ]
    got = runs[["cell", "seed", "test_accuracy", "val_accuracy"]]
    assert list(got.itertuples(index=False, name=None)) == expected


def test_csv_gives_the_same_table_back(make_files, tmp_path):
    runs = collect_runs(make_files(cells=[("none", 1)], dataset="null", device="NA").metrics)
    save_csv(runs, tmp_path / "runs.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "runs.csv", keep_default_na=False, dtype={"commit": str}),
        runs,
        check_dtype=False,
    )


def test_internal_accuracy_is_nan_where_nothing_was_measured(make_files):
    files = make_files(models=("mlp", "pixel_cnn"), cells=[("none", 1)])
    runs = collect_runs(files.metrics).set_index("model")
    assert runs.loc["pixel_cnn", "internal_accuracy"].isna().all()
    assert runs.loc["mlp", "internal_accuracy"].between(0, 1).all()
    assert set(runs.loc["pixel_cnn", "inputs"]) == {"pixels"}
    _edit(files.metrics[0], lambda m: m["runs"][0].update(val_accuracy=None))
    with pytest.raises(ReportError, match="val_accuracy = None; an accuracy is a fraction"):
        collect_runs(files.metrics)


def test_unknown_inputs(make_files):
    path = make_files(cells=[("none", 1)], inputs="sounds").metrics[0]
    with pytest.raises(ReportError, match=r"inputs = 'sounds'.* weights, pixels, points, queries"):
        collect_runs([path])


def test_cells_that_differ_in_the_budget_alone(make_files):
    files = make_files(cells=[("none", 1)]) + make_files(cells=[("none", 1)], budget=3)
    runs = collect_runs(files.metrics)
    assert dict(zip(runs["budget"], runs["updates"], strict=True)) == {1: 1000, 3: 3000}


@pytest.mark.parametrize("key", ["scheme", "commit", "runs", "budget", "n_classes"])
def test_missing_key_of_a_cell(make_files, key):
    path = make_files(cells=[("none", 1)]).metrics[0]
    _edit(path, lambda m: m.pop(key))
    with pytest.raises(ReportError, match=rf"metrics.json lacks {key}"):
        collect_runs([path])


@pytest.mark.parametrize("key", ["test_loss", "val_balanced_accuracy", "test_balanced_accuracy"])
def test_missing_key_of_a_run(make_files, key):
    path = make_files(cells=[("none", 1)]).metrics[0]
    _edit(path, lambda m: m["runs"][1].pop(key))
    with pytest.raises(ReportError, match=rf"runs\[1\] lacks {key}; train this cell again"):
        collect_runs([path])


@pytest.mark.parametrize("key", ["test_accuracy", "test_balanced_accuracy"])
def test_percent_instead_of_fraction(make_files, key):
    path = make_files(cells=[("none", 1)]).metrics[0]
    _edit(path, lambda m: m["runs"][0].update({key: 41.2}))
    with pytest.raises(ReportError, match=rf"{key} = 41.2; an accuracy is a fraction"):
        collect_runs([path])


def test_truncated_file_and_no_file(make_files):
    path = make_files(cells=[("none", 1)]).metrics[0]
    path.write_text(path.read_text()[:40])
    with pytest.raises(ReportError, match="not valid JSON"):
        collect_runs([path])
    with pytest.raises(ReportError, match="at least one finished cell"):
        collect_runs([])


def test_the_same_cell_twice(make_files):
    metrics = make_files().metrics
    with pytest.raises(ReportError, match=r"two runs have .*cell mlp-none-1views, seed 0"):
        collect_runs([*metrics, metrics[0]])


def test_two_cells_that_no_column_tells_apart(make_files):
    first = make_files(models=("mlp",), cells=[("none", 1)], cell="a").metrics
    second = make_files(models=("mlp",), cells=[("none", 1)], cell="b").metrics
    with pytest.raises(ReportError, match="another scheme name"):
        collect_runs(first + second)


def test_histories_carry_what_names_their_cell(make_files):
    files = make_files()
    histories = collect_histories(files.metrics, files.histories)
    assert len(histories) == 2 * 9 * 3 * 10
    own = histories[(histories["cell"] == "dws-sign_flip-1views") & (histories["seed"] == 2)]
    raw = pd.read_csv(next(p for p in files.histories if "dws-sign_flip" in str(p)))
    raw = raw[raw["seed"] == 2]
    assert own["val_accuracy"].tolist() == raw["val_accuracy"].tolist()
    assert set(own["model"]) == {"dws"} and set(own["views"]) == {1}
    assert set(own["best_update"]) == {raw["update"][raw["val_accuracy"].idxmax()]}


@pytest.mark.parametrize("kind", ["histories", "predictions"])
def test_files_in_another_order_than_the_metrics(make_files, kind):
    files = make_files()
    collect = {"histories": collect_histories, "predictions": collect_correctness}[kind]
    with pytest.raises(ReportError, match="not of one cell"):
        collect(files.metrics, getattr(files, kind)[::-1])
    with pytest.raises(ReportError, match="18 metrics files and 17"):
        collect(files.metrics, getattr(files, kind)[1:])


def test_history_without_a_column_or_a_seed(make_files):
    files = make_files(models=("mlp",), cells=[("none", 1)])
    frame = pd.read_csv(files.histories[0])
    frame[frame["seed"] > 0].to_csv(files.histories[0], index=False)
    with pytest.raises(ReportError, match=r"has the seeds \[0, 1, 2\], .* has \[1, 2\]"):
        collect_histories(files.metrics, files.histories)
    frame.drop(columns="train_accuracy").to_csv(files.histories[0], index=False)
    with pytest.raises(ReportError, match="lacks the columns train_accuracy"):
        collect_histories(files.metrics, files.histories)


def test_correctness_averages_the_views_of_an_object(make_files):
    files = make_files(models=("mlp",), cells=[("none", 1)], seeds=(0,))
    rows = [(0, 7, 0, 3, 3), (0, 7, 1, 3, 5), (0, 8, 0, 1, 1), (0, 8, 1, 1, 1)]
    columns = ["seed", "object_id", "view", "label", "prediction"]
    pd.DataFrame(rows, columns=columns).to_csv(files.predictions[0], index=False)
    _edit(files.metrics[0], lambda m: m["runs"][0].update(test_accuracy=0.75))
    got = collect_correctness(files.metrics, files.predictions)
    assert dict(zip(got["object_id"], got["correct"], strict=True)) == {7: 0.5, 8: 1.0}
    _edit(files.metrics[0], lambda m: m["runs"][0].update(test_accuracy=0.5))
    with pytest.raises(ReportError, match=r"test_accuracy = 0.50000 for seed 0, .* gives 0.75"):
        collect_correctness(files.metrics, files.predictions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(device="cuda: a card"), "kinds of device.*cpu in.*cuda in"),
        (lambda m: m["versions"].update(torch="9.9"), "versions of torch.*9.9 in"),
    ],
)
def test_runs_whose_draws_differ_are_not_paired(make_files, change, message):
    files = make_files(device="cpu: x86_64")
    collect_runs(files.metrics)
    _edit(files.metrics[3], change)
    with pytest.raises(ReportError, match=message):
        collect_runs(files.metrics)


def test_other_names_of_one_kind_of_device_are_paired(make_files):
    files = make_files(device="cpu: x86_64")
    _edit(files.metrics[3], lambda m: m.update(device="cpu: aarch64"))
    collect_runs(files.metrics)
