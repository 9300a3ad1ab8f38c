"""The dry run of a study of many shards, by the calls that it makes: a clock would not do."""

import os
import pstats
import subprocess
import sys

import pytest
from running import copy_sources

OBJECTS = {"train": 400, "val": 40, "test": 40}
SHARD_SIZES = (4, 2, 1)  # 120, 240 and 480 shards
STUDY = """
study: shards
datasets: {{fashion_mnist: {{train: {train}, val: {val}, test: {test}}}}}
fit: {{shard_size: {shard_size}}}
"""


def dry_run_calls(tree, shard_size):
    """How often a dry run calls each function: {(file, line, name): calls}.

    Files of the tree are named from its root: a path may hold the name of the package anywhere.
    """
    study = tree / "shards.yaml"
    study.write_text(STUDY.format(shard_size=shard_size, **OBJECTS))
    command = [sys.executable, "-m", "cProfile", "-o", "profile.out", "-m", "snakemake", "fit"]
    command += ["--dry-run", "--quiet", "all", "--configfile", "workflow/configs/smoke.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    subprocess.run([*command, "shards.yaml"], cwd=tree, env=environment, check=True)
    stats = pstats.Stats(str(tree / "profile.out")).stats
    own = f"{tree}/"
    return {(f.removeprefix(own), *at): record[1] for (f, *at), record in stats.items()}


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """The calls of three dry runs by their number of shards."""
    tree = tmp_path_factory.mktemp("shards")
    copy_sources(tree)
    n = sum(OBJECTS.values())
    return {n // size: dry_run_calls(tree, size) for size in SHARD_SIZES}


def test_our_own_code_is_called_a_few_times_a_shard(calls):
    few, *_, many = sorted(calls)
    # The settings of a dataset are made once, so pydantic checks nothing for a shard.
    ours = {
        n: sum(
            k
            for (file, _, name), k in calls[n].items()
            if file.startswith(("src/", "workflow/")) or "pydantic" in file + name
        )
        for n in (few, many)
    }
    assert 1 <= (ours[many] - ours[few]) / (many - few) <= 7


def test_the_work_of_a_shard_does_not_grow_with_their_number(calls):
    a, b, c = sorted(calls)
    total = {n: sum(calls[n].values()) for n in calls}
    first, second = (total[b] - total[a]) / (b - a), (total[c] - total[b]) / (c - b)
    assert first > 100
    assert second < 1.05 * first
