import math
import os
import re
from pathlib import Path

import pytest
import yaml

from weightspace.announce.times import STAGES, JobTime, of_study, read_times, stage_of
from weightspace.config.study import load_config

ROOT = Path(__file__).parents[2]

HEAD = "s\th:m:s\tmax_rss\tmean_load\n"


def test_times_are_read_by_rule_and_name(tmp_path):
    files = {
        "schemes.tsv": "3.0\t0:00:03\tNA\t-\n",
        "assemble/mnist.tsv": "2.5\t0:00:02\t400.5\t150\n",
        "align_to_reference/mnist.signed.tsv": "7\t0:00:07\t10\t100\n",
        "fit_shard/mnist/0.tsv": "10\t0:00:10\t20\t1\n11\t0:00:11\t21\t800\n",  # repeated: the last
        "fit_shard/mnist/1.tsv": "",  # a run that was killed
        "train_cell/mnist-dws-none-1views.tsv": "s\n",
        "gone_rule.tsv": "5\t0:00:05\t10\t100\n",
    }
    write(tmp_path, files)
    times = {(time.rule, time.name): time for time in read_times(tmp_path)}
    assert math.isnan(times["schemes", ""].memory_mb)
    assert math.isnan(times.pop(("schemes", "")).cores)
    assert times == {
        ("assemble", "mnist"): JobTime("assemble", "mnist", 2.5, 400.5, 1.5),
        ("align_to_reference", "mnist"): JobTime("align_to_reference", "mnist", 7.0, 10.0, 1.0),
        ("fit_shard", "mnist"): JobTime("fit_shard", "mnist", 11.0, 21.0, 8.0, shard=0),
    }


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(HEAD + text if text else "")


def test_a_few_shards_of_thousands_are_read_but_every_cell(tmp_path):
    row = "1.0\t0:00:01\t1\t1\n"
    write(tmp_path, {f"fit_shard/{d}/{i}.tsv": row for d in "ab" for i in range(100)})
    write(tmp_path, {f"train_cell/{i}.tsv": row for i in range(30)})
    read = [(time.rule, time.name) for time in read_times(tmp_path, shards=10)]
    assert [read.count(("fit_shard", d)) for d in "ab"] == [10, 10]
    assert sum(rule == "train_cell" for rule, _ in read) == 30
    assert len(read_times(tmp_path)) == 230


def test_what_is_older_than_asked_for_is_passed_over(tmp_path):
    row = "1.0\t0:00:01\t1\t1\n"
    write(tmp_path, {"schemes.tsv": row, "views.tsv": row})
    os.utime(tmp_path / "views.tsv", (1000.0, 1000.0))
    assert [time.rule for time in read_times(tmp_path, since=1001.0)] == ["schemes"]


def test_jobs_that_the_study_has_no_longer_are_left_out():
    config = load_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    here = [
        JobTime("fit_shard", "fashion_mnist", 1.0, shard=0),
        JobTime("assemble", "fashion_mnist", 1.0),
        JobTime("train_cell", next(iter(config.all_cells)), 1.0),
        JobTime("runs_table", "", 1.0),
        JobTime(config.configured[0], "", 1.0),
    ]
    absent = next(name for name in ("gap", "strength") if name not in config.configured)
    gone = [
        JobTime("fit_shard", "fashion_mnist", 1.0, shard=config.n_shards("fashion_mnist")),
        JobTime("assemble", "mnist", 1.0),
        JobTime("train_cell", "of-another-config", 1.0),
        JobTime(absent, "", 1.0),
    ]
    assert of_study([*gone, *here], config) == here


def test_a_study_that_has_not_run_has_no_times(tmp_path):
    assert read_times(tmp_path / "gone") == []


def test_every_rule_that_makes_files_has_a_stage_and_no_other():
    rules = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        blocks = re.split(r"^rule (\w+):\n", path.read_text(), flags=re.M)
        pairs = zip(blocks[1::2], blocks[2::2], strict=True)
        rules |= {name.removesuffix("_results") for name, body in pairs if "    output:" in body}
    assert rules == {rule for stage in STAGES.values() for rule in stage}
    assert (stage_of("fit_shard"), stage_of("schemes_results")) == ("fits", "report")
    with pytest.raises(KeyError):
        stage_of("train_cells")
