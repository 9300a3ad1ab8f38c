import re

import pandas as pd
import pytest

from weightspace.report.collect import ReportError, collect_correctness, collect_runs
from weightspace.report.labels import display_name, setting_label
from weightspace.report.saving import save_csv
from weightspace.report.statistics import comparison
from weightspace.report.tables import comparison_latex, comparison_table, save_comparison

ACCURACY, DIFFERENCE = "test accuracy [95 %]", "difference to none [95 %]"


def _write(files, folder, correctness=None):
    runs = collect_runs(files.metrics)
    save_csv(runs, folder / "runs.csv")
    paths = [folder / f"comparison.{ending}" for ending in ("csv", "md", "tex")]
    save_comparison(comparison(runs, correctness), paths)
    return paths


def test_every_form_of_the_table_agrees_with_runs_csv(make_files, tmp_path):
    csv, markdown, latex = _write(make_files(), tmp_path)
    runs = pd.read_csv(tmp_path / "runs.csv")
    mean = runs.groupby("cell")["test_accuracy"].mean()
    numbers = pd.read_csv(csv)
    for row in numbers.to_dict("records"):
        assert row["test_accuracy"] == pytest.approx(mean[row["cell"]], abs=1e-12)
    expected = [f"{100 * mean[cell]:.1f} [" for cell in numbers["cell"]]
    for text, pattern in ((markdown, r"\|\s*(\d+\.\d \[)"), (latex, r"& (\d+\.\d \[)\d")):
        assert re.findall(pattern, text.read_text()) == expected


def test_words_of_one_row(make_files):
    table = comparison(collect_runs(make_files().metrics))
    row = table.iloc[1]
    words = comparison_table(table).iloc[1]
    low, high = (100 * (row["test_accuracy"] + s * row["test_ci95"]) for s in (-1, 1))
    assert words[ACCURACY] == f"{100 * row['test_accuracy']:.1f} [{low:.1f}, {high:.1f}]"
    low, high = (100 * (row["difference"] + s * row["difference_ci95"]) for s in (-1, 1))
    assert words[DIFFERENCE] == f"{100 * row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"
    assert (words["model"], words["scheme"], words["seeds"]) == ("MLP", "permutation", "3")
    assert words["objects"] == "1,500"
    assert "dataset" not in words and "updates" not in words


def test_one_seed_shows_a_dash_and_no_made_up_interval(make_files, tmp_path):
    _, markdown, latex = _write(make_files(seeds=(0,)), tmp_path)
    table = comparison_table(comparison(collect_runs(make_files(seeds=(0,)).metrics)))
    assert table[ACCURACY].str.fullmatch(r"\d+\.\d \[-\]").all()
    assert table[DIFFERENCE].str.fullmatch(r"[+-]\d+\.\d \[-\]|-").all()
    for path in (markdown, latex):
        assert "nan" not in path.read_text().lower()


def test_object_intervals_are_labelled(make_files, tmp_path):
    files = make_files()
    correctness = collect_correctness(files.metrics, files.predictions)
    csv, markdown, _ = _write(files, tmp_path, correctness)
    assert {"objects_ci95", "difference_objects_ci95"} <= set(pd.read_csv(csv).columns)
    assert (
        "± objects" in markdown.read_text() and "draw of the test objects" in markdown.read_text()
    )


def test_what_varies_gets_a_column(make_files):
    small = make_files(models=("mlp",), cells=[("none", 1)], study="a", dataset="mnist")
    large = make_files(models=("mlp",), cells=[("none", 1)], study="b")
    table = comparison_table(comparison(collect_runs(small.metrics + large.metrics)))
    assert table["dataset"].tolist() == ["mnist", "fashion mnist subset"]
    assert table["study"].tolist() == ["a", "b"]


def test_latex_escapes_what_would_not_compile(make_files):
    runs = collect_runs(make_files(models=("mlp",), cells=[("none", 1)]).metrics)
    body = comparison_latex(comparison(runs.assign(scheme="50%&more"))).split("\n", 1)[1]
    assert r"50\%\&more" in body
    assert not re.search(r"(?<!\\)[%_#]", body)


def test_unknown_ending_writes_nothing(make_files, tmp_path):
    table = comparison(collect_runs(make_files(seeds=(0,)).metrics))
    with pytest.raises(ReportError, match=r"ending is '\.xlsx', it must be \.csv, \.md or \.tex"):
        save_comparison(table, [tmp_path / "out" / "a.csv", tmp_path / "out" / "a.xlsx"])
    assert not (tmp_path / "out").exists()


def test_names():
    assert display_name("mixup_aligned_signed") == "MixUp aligned signed"
    assert display_name("dws") == "DWSNet" and display_name("my_new_scheme") == "my new scheme"
    assert setting_label(views=1, objects=1500) == "1 view, 1,500 objects"
