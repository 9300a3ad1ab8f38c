"""The slurm profile on a real Slurm: what fails is retried, and results are those of a local run.

`WEIGHTSPACE_CLUSTER=1 pytest tests/cluster`, as root on Debian or its like; CI runs it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
import torch
import yaml
from running import ROOT, copy_sources

from weightspace.store import read_inrs

# A part of the smoke study: two shards, two cells, one table.
OFF = ("overfitting", "views", "equivalence", "alignment", "strength", "contrastive", "gap")
SCHEMES = [{"models": ["dws"], "schemes": ["none", "gaussian_noise"]}]
STUDY = {"study": "cluster", "experiments": {"schemes": SCHEMES} | {name: [] for name in OFF}}
SNAKEMAKE = [sys.executable, "-m", "snakemake", "schemes"]
SNAKEMAKE += ["--configfile", "workflow/configs/smoke.yaml", "cluster.yaml"]
ON_SLURM = ["--workflow-profile", "slurm", "--latency-wait", "10", "--set-threads=fit_shard=2"]
ON_SLURM += ["--slurm-init-seconds-before-status-checks", "2", "--set-resources"]
# Too little for Python at the first attempt; and a shard that asks for a GPU.
ON_SLURM += ["fit_shard:mem_mb=100 if wildcards.shard == '0' and attempt == 1 else 3000"]
ON_SLURM += ["fit_shard:gpu=int(wildcards.shard == '1')"]
ON_SLURM += ["fit_shard:slurm_partition='gpu' if wildcards.shard == '1' else 'cpu'"]
SHARD = "rule_fit_shard_wildcards_fashion_mnist_"
CELL = "rule_train_cell_wildcards_fashion_mnist-dws-"
CANCELLED = f"{CELL}none-1views"

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module")
def slurm():
    """A Slurm that ends with this process, however that ends."""
    asked = os.environ.get("WEIGHTSPACE_CLUSTER") == "1" or os.environ.get("CI") == "true"
    if not asked or os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("installs and starts Slurm: as root on Debian, with WEIGHTSPACE_CLUSTER=1")
    with subprocess.Popen(
        [Path(__file__).with_name("slurm.sh")],
        stdin=subprocess.PIPE,  # it stops its daemons when this pipe closes
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as daemons:
        assert daemons.stdout and daemons.stdout.readline() == "ready\n"
        yield


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """Where the plugin is, installed apart: it slows every start of Snakemake that sees it."""
    folder = tmp_path_factory.mktemp("plugin")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", f"--target={folder}"]
    subprocess.run([*command, f"--requirement={ROOT / 'envs/slurm.lock'}"], check=True)
    return folder


@pytest.fixture(scope="module")
def runs(slurm, plugin, tmp_path_factory):
    """The results of a local run and of one on Slurm, and the submissions of the latter."""
    tree = tmp_path_factory.mktemp("tree")
    copy_sources(tree)
    (tree / "cluster.yaml").write_text(yaml.safe_dump(STUDY))
    path = {"PYTHONPATH": str(tree / "src")}
    subprocess.run([*SNAKEMAKE, "--cores=2"], cwd=tree, env=os.environ | path, check=True)
    local = (tree / "results/cluster").rename(tree / "local")  # and compiled kernels are reused
    path = {"PYTHONPATH": f"{tree / 'src'}{os.pathsep}{plugin}"}
    with subprocess.Popen([*SNAKEMAKE, *ON_SLURM], cwd=tree, env=os.environ | path) as snakemake:
        try:
            cancel_one(snakemake)
            assert snakemake.wait(timeout=600) == 0
        finally:
            snakemake.kill()
    return local, tree / "results/cluster", submissions()


def submissions():
    """The id, state, partition and memory of every submission, in their order, by their job."""
    command = ["squeue", "--states=all", "--noheader", "--sort=i", "--format=%k|%i|%T|%P|%m"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = defaultdict(list)
    for line in out.splitlines():
        job, *submission = line.split("|")
        found[job].append(submission)
    return found


def cancel_one(snakemake):
    """Wait until a job of training runs, and cancel it from outside."""
    deadline = time.monotonic() + 600
    while snakemake.poll() is None and time.monotonic() < deadline:
        for job, state, *_ in submissions()[CANCELLED]:
            if state == "RUNNING":
                subprocess.run(["scancel", job], check=True)
                return
        time.sleep(0.5)


def test_a_job_killed_for_its_memory_is_submitted_again_with_more(runs):
    killed, repeated = runs[2][f"{SHARD}0"]
    assert killed[1:] == ["FAILED", "cpu", "100M"]
    assert repeated[1:] == ["COMPLETED", "cpu", "3000M"]


def test_a_cancelled_job_is_submitted_again_with_the_memory_of_a_second_attempt(runs):
    cancelled, repeated = runs[2][CANCELLED]
    assert (cancelled[1], repeated[1]) == ("CANCELLED", "COMPLETED")
    first, second = (int(memory.removesuffix("M")) for *_, memory in (cancelled, repeated))
    assert second == 2 * first


def test_all_else_runs_once_and_where_the_profile_says(runs):
    others = {job: s for job, s in runs[2].items() if job not in (f"{SHARD}0", CANCELLED)}
    assert all(len(s) == 1 and s[0][1] == "COMPLETED" for s in others.values())
    partitions = {job: s[0][2] for job, s in others.items()}
    assert partitions.pop(f"{SHARD}1") == "gpu"
    assert partitions == dict.fromkeys(
        (
            "rule_objects_wildcards_fashion_mnist",
            "rule_assemble_wildcards_fashion_mnist",
            f"{CELL}gaussian_noise-1views",
        ),
        "cpu",
    )


def without_times(value):
    """The content of metrics.json that a second run repeats."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k != "seconds"}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def differing_networks(here, there):
    """The (object, view) of the networks of two files that differ, and how far they do."""
    a, b = (read_inrs(path) for path in (here, there))
    pairs = zip(a.weights, b.weights, strict=True)
    gaps = torch.stack([(x - y).abs().flatten(1).amax(1) for x, y in pairs])
    names = zip(a.columns["object_id"].tolist(), a.columns["view"].tolist(), strict=True)
    return {name: gap for name, gap in zip(names, gaps.amax(0).tolist(), strict=True) if gap}


def test_results_are_those_of_a_local_run(runs):
    local, cluster, _ = runs
    names = {
        where: {p.relative_to(where) for p in where.rglob("*") if p.is_file()}
        for where in (local, cluster)
    }
    assert names[local] == names[cluster]
    # Fits first: what differs there differs in all that follows.
    for name in sorted(names[local], key=lambda n: n.parts[0] != "fits"):
        if name.suffix == ".h5":
            assert differing_networks(local / name, cluster / name) == {}, name
        if name.name == "metrics.json":
            here, there = (json.loads((where / name).read_text()) for where in (local, cluster))
            assert without_times(here) == without_times(there), name
        elif name.parts[0] not in ("logs", "benchmarks"):
            assert (local / name).read_bytes() == (cluster / name).read_bytes(), name
