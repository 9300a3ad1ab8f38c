"""The estimate of how long a run takes, on the studies of the repository."""

import copy
from pathlib import Path
from typing import get_args

import pytest
import yaml

from weightspace.announce.estimate import PER_NETWORK, WORK, Group, estimate, stated_seconds
from weightspace.announce.times import JobTime
from weightspace.config.models import ModelConfig
from weightspace.config.study import load_config

ROOT = Path(__file__).parents[2]
RAW = yaml.safe_load((ROOT / "config.yaml").read_text())
CONFIG = load_config(RAW)
CELL = "fashion_mnist-dws-none-1views"
FITS = Group("fit_shard", "fashion_mnist", 6, 8)


def changed(section, **settings):
    raw = copy.deepcopy(RAW)
    raw[section] |= settings
    return load_config(raw)


def test_the_rates_are_of_models_that_there_are():
    sections = get_args(get_args(ModelConfig)[0])
    assert set(PER_NETWORK) <= {s.model_fields["kind"].annotation.__args__[0] for s in sections}


@pytest.mark.parametrize("name", [p.name for p in (ROOT / "workflow/configs").glob("*.yaml")])
def test_every_job_of_every_study_has_an_estimate(name):
    from snakemake.utils import update_config

    raw = copy.deepcopy(RAW)
    update_config(raw, yaml.safe_load((ROOT / "workflow/configs" / name).read_text()))
    config = load_config(raw)
    names = dict.fromkeys([*WORK, "objects", "matching_quality"], config.fitted_datasets())
    names |= {"train_cell": config.all_cells, "contrastive_cell": config.contrastive_cells}
    groups = [Group(rule, name, 3, 8) for rule, found in names.items() for name in found]
    guess = estimate(config, [*groups, Group("html_report", "", 1, 1)], cores=2)
    assert all(seconds > 0 for seconds in guess.seconds.values())
    assert guess.measured == 0.0
    assert {"fits", "training", "report"} <= guess.seconds.keys()


def test_the_stated_rates_are_those_of_the_default_study():
    # Measured on 2 cores: 13.3 s a shard with 2 threads, 51 s a cell of DWSNet, 15 s of the MLP.
    assert stated_seconds(CONFIG, "fit_shard", "fashion_mnist", 2) == pytest.approx(13.3, rel=0.3)
    assert stated_seconds(CONFIG, "train_cell", CELL) == pytest.approx(51, rel=0.3)
    mlp = stated_seconds(CONFIG, "train_cell", CELL.replace("dws", "mlp"))
    assert mlp == pytest.approx(15, rel=0.3)


def test_more_cores_are_faster_but_never_than_the_longest_job():
    cells = [Group("train_cell", cell, 1, 1) for cell in CONFIG.all_cells]
    two, four, many = (estimate(CONFIG, cells, cores=n).seconds["training"] for n in (2, 4, 1000))
    assert four == pytest.approx(two / 2)
    assert many == max(stated_seconds(CONFIG, "train_cell", cell) for cell in CONFIG.all_cells)


def test_on_a_cluster_each_job_has_its_threads():
    one = stated_seconds(CONFIG, "fit_shard", "fashion_mnist", 8)
    guess = estimate(CONFIG, [FITS], cores=2, own_machines=True)
    assert guess.seconds == {"fits": pytest.approx(3 * one)}


def test_what_was_measured_goes_before_the_rates():
    times = [JobTime("fit_shard", "fashion_mnist", seconds) for seconds in (90.0, 110.0)]
    guess = estimate(CONFIG, [FITS], cores=2, times=times)
    assert guess.seconds == {"fits": pytest.approx(600.0)}
    assert guess.measured == 1.0


def test_a_measured_time_follows_the_settings():
    times = [JobTime("train_cell", CELL, 100.0)]
    group = [Group("train_cell", CELL, 1, 1)]
    longer = changed("train", updates=9000)
    guess = estimate(longer, group, cores=1, times=times, before=CONFIG)
    assert 700 < guess.seconds["training"] < 1000
    # A cell that was not in the study then.
    other = changed("experiments", schemes=[], views=[])
    new = CELL.replace("none", "sign_flip")
    times = [JobTime("train_cell", new, 100.0)]
    guess = estimate(CONFIG, [Group("train_cell", new, 1, 1)], cores=1, times=times, before=other)
    assert guess.seconds["training"] == 100.0


def test_a_job_that_had_more_cores_takes_longer_now():
    times = [JobTime("fit_shard", "fashion_mnist", 10.0, cores=8.0)]
    on = {n: estimate(CONFIG, [FITS], cores=n, times=times).seconds["fits"] for n in (2, 8, 16)}
    assert on == {2: pytest.approx(240.0), 8: pytest.approx(60.0), 16: pytest.approx(30.0)}


def test_jobs_wait_for_a_gpu():
    trainings = [Group("train_cell", CELL, 6, 1, gpus=1)]
    times = [JobTime("train_cell", CELL, 100.0)]
    seconds = {n: estimate(CONFIG, trainings, cores=16, gpus=n, times=times) for n in (1, 2, None)}
    assert [guess.seconds["training"] for guess in seconds.values()] == [600.0, 300.0, 100.0]
    assert not seconds[1].gpus
    assert estimate(CONFIG, trainings, cores=16).gpus  # no stated rate is of a GPU
