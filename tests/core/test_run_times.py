import math

from weightspace.run_times import JobTime, read_times, stage_of

HEAD = "s\th:m:s\tmax_rss\tmax_vms\n"


def test_times_are_read_by_rule_and_name(tmp_path):
    files = {
        "schemes.tsv": "3.0\t0:00:03\tNA\t-\n",
        "assemble/mnist.tsv": "2.5\t0:00:02\t400.5\t1\n",
        "align_to_reference/mnist.signed.tsv": "7\t0:00:07\t10\t1\n",
        "fit_shard/mnist/0.tsv": "10\t0:00:10\t20\t1\n11\t0:00:11\t21\t1\n",  # repeated: the last
        "fit_shard/mnist/1.tsv": "",  # a run that was killed
        "train_cell/mnist-dws-none-1views.tsv": "s\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(HEAD + text if text else "")
    times = {(time.rule, time.name): time for time in read_times(tmp_path)}
    assert math.isnan(times.pop(("schemes", "")).memory_mb)
    assert times == {
        ("assemble", "mnist"): JobTime("assemble", "mnist", 2.5, 400.5),
        ("align_to_reference", "mnist"): JobTime("align_to_reference", "mnist", 7.0, 10.0),
        ("fit_shard", "mnist"): JobTime("fit_shard", "mnist", 11.0, 21.0),
    }


def test_a_study_that_has_not_run_has_no_times(tmp_path):
    assert read_times(tmp_path / "gone") == []


def test_every_rule_has_a_stage():
    assert [stage_of(rule) for rule in ("objects", "fit_shard", "assemble")] == [
        "data",
        "fits",
        "dataset",
    ]
    assert (stage_of("contrastive_cell"), stage_of("html_report")) == ("training", "report")
