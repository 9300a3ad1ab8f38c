"""The HTML report of a study: complete in itself, and true to its files."""

import copy
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure

from weightspace.config.study import load_config
from weightspace.report.collect import collect_correctness, collect_runs
from weightspace.report.html import write_html
from weightspace.report.html_tables import words_of
from weightspace.report.saving import save_csv, save_figure
from weightspace.report.schemes import schemes_tables
from weightspace.report.study_words import QUESTIONS, TITLES, study_facts
from weightspace.report.tables import Table, save_tables, table_markdown

ROOT = Path(__file__).parents[2]
RAW = yaml.safe_load((ROOT / "config.yaml").read_text())
STUDIES = sorted(path.name for path in (ROOT / "workflow/configs").glob("*.yaml"))


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def values(self, key):
        return [attrs[key] for _, attrs in self.tags if key in attrs]


@pytest.fixture
def study(make_files, tmp_path):
    """Write the report of a made-up study; return its path and its runs."""

    def make(failed_seeds=None, failed_fits=0):
        files = make_files(models=("dws",), cells=[("none", 1), ("sign_flip", 1)], failed_seeds={})
        if failed_seeds:
            metrics = json.loads(files.metrics[0].read_text())
            files.metrics[0].write_text(json.dumps({**metrics, "failed_seeds": failed_seeds}))
        runs = collect_runs(files.metrics)
        tables = schemes_tables(runs, collect_correctness(files.metrics, files.predictions))
        parts = [tmp_path / f"tables/schemes.{ending}" for ending in ("csv", "md")]
        save_tables(tables, parts)
        for name in ("views", "overfitting"):
            save_tables(tables, [tmp_path / f"tables/{name}.{e}" for e in ("csv", "md")])
            parts += [tmp_path / f"tables/{name}.{e}" for e in ("csv", "md")]
        parts += [tmp_path / f"figures/{name}.png" for name in ("views", "schemes", "overfitting")]
        for path in parts[-3:]:
            save_figure(Figure(figsize=(1, 1)), [path])
        fits = {"split": ["train"], "objects": [5], "views": [1], "inrs": [5 - failed_fits]}
        fits |= {"failed": [failed_fits], "refitted": [0], "steps_mean": [120.0]}
        fits |= {f"psnr_{key}": [41.25] for key in ("min", "p05", "median", "mean", "max")}
        parts.append(tmp_path / "tables/fit_quality.fashion_mnist.csv")
        save_csv(pd.DataFrame(fits), parts[-1])
        (tmp_path / "times/train_cell").mkdir(parents=True)
        cells = zip([*[*load_config(RAW).all_cells][:2], "gone"], (50, 75, 1000), strict=True)
        for cell, seconds in cells:
            text = f"s\tmax_rss\n{seconds}\t{500 + seconds}\n"
            (tmp_path / f"times/train_cell/{cell}.tsv").write_text(text)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(RAW))
        write_html(
            tmp_path / "report.html",
            config=tmp_path / "config.yaml",
            parts=parts,
            metrics=files.metrics,
            contrastive=[],
            shapes=[],
            captions=ROOT / "workflow/report",
            times=tmp_path / "times",
        )
        return (tmp_path / "report.html").read_text(), tables

    return make


def test_the_page_needs_nothing_else(study):
    html, _ = study()
    page = Page(html)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    links = [*page.values("src"), *page.values("href")]
    assert len(links) > 10
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "url(" not in html and "@import" not in html
    anchors = {link[1:] for link in links if link.startswith("#")}
    assert anchors == set(page.values("id"))


def test_the_main_experiment_comes_first_with_all_its_numbers(study):
    html, tables = study()
    page = Page(html)
    headings = [attrs["id"] for tag, attrs in page.tags if tag == "h2"]
    assert headings[:3] == ["main", "overfitting", "views"]
    for cell in tables[0].words.to_numpy().ravel():
        assert str(cell) in page.text
    files = {a["download"]: a["href"] for tag, a in page.tags if tag == "a" and "download" in a}
    assert set(files) == {"schemes.csv", "views.csv", "overfitting.csv"}
    numbers = b64decode(files["schemes.csv"].split(",")[1]).decode()
    assert numbers.startswith("study,cell,") and "sign_flip" in numbers
    assert "Test accuracy of every augmentation scheme." in page.text


def test_it_says_where_the_results_come_from_and_how_long_they_took(study):
    text = Page(study()[0]).text
    assert "0" * 40 in text and "torch 2.13.0" in text
    assert "training22 min 05 s1 min 15 s575 MB" in text  # the cells of a row
    assert "2.5 standard deviations" in text  # t of 2 degrees of freedom over the root of 3


def test_what_failed_is_listed_and_cannot_break_the_page(study):
    html, _ = study(failed_seeds={"3": "loss is <b>nan</b>"}, failed_fits=2)
    text = Page(html).text
    assert "<b>nan" not in html and "seed 3 has no result: loss is <b>nan</b>" in text
    assert "Fashion-MNIST: 2 of 5 fits of train objects failed." in text


def test_tables_come_back_from_their_markdown():
    words = pd.DataFrame({"scheme": ["a|b", "c"], "n": ["1 [0, 2]", "-"]})
    tables = [Table(words, words, "A note.", title) for title in ("First", "")]
    found = words_of("\n".join(map(table_markdown, tables)), file="x.csv", csv="QQ==", caption="c")
    assert [table.title for table in found] == ["First", ""]
    for table in found:
        assert [(head.text, head.left) for head in table.heads] == [("scheme", True), ("n", False)]
        assert table.rows == [["a|b", "1 [0, 2]"], ["c", "-"]]
        assert table.note == "A note."
    assert [table.file for table in found] == ["", "x.csv"]


@pytest.mark.parametrize("name", [None, *STUDIES])
def test_every_study_can_be_said_in_words(name):
    from snakemake.utils import update_config

    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    if name:
        update_config(raw, yaml.safe_load((ROOT / "workflow/configs" / name).read_text()))
    config = load_config(raw)
    facts = study_facts(config)
    text = " ".join(text for texts in facts.values() for text in texts)
    assert {"data", "models", "training"} <= facts.keys()
    assert f"{config.train.updates:,} updates" in text
    assert not re.search(r"None|\{|\[", text)


def test_consistency_is_said_in_words():
    raw = copy.deepcopy(RAW)
    block = {"models": ["dws"], "schemes": ["none", "consistency_flip"], "views": [4]}
    raw["experiments"]["views"] = [block]
    raw["schemes"]["consistency_flip"]["consistency"] = 0.5
    (text,) = (t for t in study_facts(load_config(raw))["schemes"] if "consistency" in t)
    assert text == (
        "consistency flip: sign flip (probability 0.5), then consistency of the predictions for "
        "two views of an object (weight 0.5)"
    )


def test_weights_that_are_not_standardised_are_said_in_words():
    raw = copy.deepcopy(RAW)
    raw["experiments"]["views"] = [{"models": ["dws"], "schemes": ["none", "raw_weights"]}]
    texts = study_facts(load_config(raw))["schemes"]
    assert "raw weights: weights as they are, not standardised" in texts


def test_every_experiment_has_a_title_and_a_question():
    from weightspace.config.cells import EXPERIMENTS

    assert set(TITLES) == set(QUESTIONS) == set(EXPERIMENTS)
