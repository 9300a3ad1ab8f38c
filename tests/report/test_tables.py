import re

import pandas as pd
import pytest

from weightspace.report.collect import ReportError
from weightspace.report.labels import display_name, setting_label, with_labels
from weightspace.report.tables import Table, save_tables, table_latex
from weightspace.report.wording import accuracy, difference, half_width

NAN = float("nan")


def _table(name: str, title: str = "") -> Table:
    numbers = pd.DataFrame({"value": [0.123456789012, 0.5], "table": name})
    words = pd.DataFrame({"scheme": ["50%&more", "a_b"], "value": ["12.3", "50.0"]})
    return Table(numbers, words, note=f"How to read {name}.", title=title)


def test_csv_keeps_every_digit_of_all_tables(tmp_path):
    save_tables([_table("one"), _table("two")], [tmp_path / "t.csv"])
    got = pd.read_csv(tmp_path / "t.csv")
    assert got["value"].tolist() == [0.123456789012, 0.5] * 2
    assert got["table"].tolist() == ["one", "one", "two", "two"]


def test_markdown_and_latex_hold_headings_words_and_notes(tmp_path):
    paths = [tmp_path / "t.md", tmp_path / "t.tex"]
    save_tables([_table("one", "First"), _table("two", "Second")], paths)
    for path in paths:
        text = path.read_text()
        places = [text.index(w) for w in ("First", "Second")]
        assert places == sorted(places)
        assert text.count("12.3") == 2 and "How to read two." in text
    assert paths[0].read_text().startswith("## First\n\n| scheme")
    assert "##" not in table_latex(_table("one", "First"))


def test_latex_escapes_what_would_not_compile():
    body = table_latex(_table("one")).split("\n", 1)[1]
    assert r"50\%\&more" in body and r"a\_b" in body
    assert not re.search(r"(?<!\\)[%_#]", body)


def test_unknown_ending_writes_nothing(tmp_path):
    with pytest.raises(ReportError, match=r"ending is '\.xlsx', it must be \.csv, \.md or \.tex"):
        save_tables([_table("one")], [tmp_path / "out" / "a.csv", tmp_path / "out" / "a.xlsx"])
    assert not (tmp_path / "out").exists()


def test_words_of_numbers():
    assert accuracy(0.412, 0.0215) == "41.2 [39.0, 43.4]"
    assert difference(0.012, 0.02) == "+1.2 [-0.8, +3.2]"
    assert accuracy(0.412, NAN) == "41.2 [-]" and difference(-0.01, NAN) == "-1.0 [-]"
    assert accuracy(NAN, NAN) == "-" and half_width(NAN) == "-" and half_width(0.034) == "3.4"


def test_names():
    assert display_name("mixup_aligned_signed") == "MixUp aligned signed"
    assert display_name("dws") == "DWSNet" and display_name("my_new_scheme") == "my new scheme"
    assert display_name("pixel_cnn") == "CNN on pixels"
    assert display_name("graph_transformer") == "graph transformer"
    assert display_name("fashion_mnist") == "Fashion-MNIST" and display_name("mnist") == "MNIST"
    assert setting_label(views=1, objects=1500) == "1 view, 1,500 objects"
    assert setting_label(views=10, budget=3) == "10 views, 3× the updates"


def test_labels_say_what_differs_and_no_more():
    frame = pd.DataFrame(
        {"study": "s", "dataset": ["mnist", "cifar10"], "model": "dws", "scheme": "none"}
    ).assign(views=[1, 4], objects=100, budget=1)
    labelled = with_labels(frame)
    assert labelled["series"].tolist() == ["DWSNet, MNIST", "DWSNet, CIFAR-10"]
    assert labelled["setting"].tolist() == ["1 view", "4 views"]
    assert with_labels(frame, ["study"])["series"].tolist() == ["DWSNet", "DWSNet"]
