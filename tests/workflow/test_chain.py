"""The whole chain on the smoke config, as a user runs it, and what an edit runs again."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import ROOT, copy_sources, snakemake, would_run

from weightspace.config.study import load_config
from weightspace.store import read_inrs

SMOKE = ("config.yaml", "workflow/configs/smoke.yaml")
EXPERIMENTS = ("overfitting", "views", "schemes", "equivalence", "alignment", "strength")
EXPERIMENTS += ("contrastive", "gap")
FIGURES = (*EXPERIMENTS, "midpoints", "fit_quality.fashion_mnist", "gallery.fashion_mnist")
TABLES = (*EXPERIMENTS, "runs", "fit_quality.fashion_mnist")


def smoke_config():
    from snakemake.utils import update_config

    raw, changes = (yaml.safe_load((ROOT / name).read_text()) for name in SMOKE)
    update_config(raw, changes)
    return load_config(raw)


CONFIG = smoke_config()
CELLS, CONTRASTIVE = set(CONFIG.all_cells), set(CONFIG.contrastive_cells)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the sources in which the smoke study has been run."""
    tree = tmp_path_factory.mktemp("tree")
    copy_sources(tree)
    run = snakemake(tree, "--cores", "2")
    (tree / "said.txt").write_text(run.stdout + run.stderr)
    return tree


@pytest.fixture
def edit(finished):
    """Edit files of the tree; they are restored afterwards, with their times."""
    before = {}

    def replace(file, old, new):
        path = finished / file
        before[path] = (path.read_bytes(), path.stat())
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    yield replace
    for path, (content, stat) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_path_with_a_space_works(finished, tmp_path):
    tree = tmp_path / "a b"
    shutil.copytree(finished, tree, symlinks=True, ignore=shutil.ignore_patterns("results"))
    # The interpreter lies under the path too, as .venv does in a clone.
    (tree / "venv").symlink_to(sys.prefix)
    python = tree / "venv" / "bin" / Path(sys.executable).name
    snakemake(tree, "results/smoke/objects/fashion_mnist.npz", "--cores", "1", python=python)
    assert (tree / "results/smoke/objects/fashion_mnist.npz").exists()


def test_every_result_is_there(finished):
    results = finished / "results/smoke"
    assert {p.name for p in (results / "runs").iterdir()} == CELLS
    for cell in CELLS:
        names = {p.name for p in (results / "runs" / cell).iterdir()}
        assert names == {"metrics.json", "history.csv", "predictions.csv", "checkpoint.pt"}
    assert {p.name for p in (results / "contrastive").iterdir()} == CONTRASTIVE
    for name in TABLES:
        assert (results / "tables" / f"{name}.csv").stat().st_size > 0
    for name in EXPERIMENTS:
        assert "|" in (results / "tables" / f"{name}.md").read_text()
    for name in FIGURES:
        assert (results / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_the_html_report_holds_figures_and_captions(finished):
    html = (finished / "results/smoke/report.html").read_text()
    assert set(re.findall('alt="(.*?)"', html)) == set(FIGURES)
    assert set(re.findall('download="(.*?)"', html)) == {f"{n}.csv" for n in EXPERIMENTS}
    assert "Test accuracy of every augmentation scheme." in html


def test_a_run_says_what_it_will_do_and_what_it_did(finished):
    said = (finished / "said.txt").read_text()
    assert len(re.findall("^Study smoke: .* to run, none to reuse$", said, re.M)) == 1
    assert re.search(r"^  training .* jobs, about .*(s|min)$", said, re.M)
    done = re.findall(r"^Study smoke: done after .*: (\d+) jobs ran, 0 reused$", said, re.M)
    assert int(done[0]) == len(list((finished / "results/smoke/benchmarks").rglob("*.tsv")))
    assert "  report   results/smoke/report.html" in said
    assert "  table    results/smoke/tables/schemes.md" in said


def test_logs_hold_plain_lines(finished):
    for path in (finished / "results/smoke/logs").rglob("*.log"):
        text = path.read_text()
        assert re.search(r"done in .* s\n$", text)
        assert not set("\r\b\x1b") & set(text)


def test_metrics_runs_and_comparison_agree(finished):
    results = finished / "results/smoke"
    runs = pd.read_csv(results / "tables/runs.csv", keep_default_na=False)
    comparison = pd.read_csv(results / "tables/schemes.csv", keep_default_na=False)
    assert len(runs) == 2 * len(CELLS)
    for cell in CELLS:
        metrics = json.loads((results / "runs" / cell / "metrics.json").read_text())
        rows = runs[runs["cell"] == cell].set_index("seed")
        for run in metrics["runs"]:
            for key in ("val_accuracy", "test_accuracy", "updates", "seconds"):
                assert float(rows.loc[run["seed"], key]) == pytest.approx(run[key], abs=1e-9)
        if cell in CONFIG.cells_of("schemes"):
            own = comparison[(comparison["cell"] == cell)].drop_duplicates("cell")
            mean = sum(run["test_accuracy"] for run in metrics["runs"]) / len(metrics["runs"])
            if metrics["budget"] == 1:
                assert float(own["test_accuracy"].item()) == pytest.approx(mean, abs=1e-9)


def test_training_and_evaluation_share_no_object(finished):
    results = finished / "results/smoke"
    columns = read_inrs(results / "datasets/fashion_mnist.h5").columns
    objects = {s: set(columns["object_id"][columns["split"] == s]) for s in ("train", "test")}
    for folder in (*(results / "runs").iterdir(), *(results / "contrastive").iterdir()):
        judged = set(pd.read_csv(folder / "predictions.csv")["object_id"])
        assert judged == objects["test"]
        assert not judged & objects["train"]


def test_the_dataset_is_complete(finished):
    inrs = read_inrs(finished / "results/smoke/datasets/fashion_mnist.h5")
    n = len(inrs.weights) + len(inrs.failures["object_id"])
    assert n == 3 * 40 + 20 + 30


def test_a_second_run_runs_nothing(finished):
    assert "Nothing to be done" in (run := snakemake(finished)).stdout + run.stderr


def test_shards_may_go_when_the_dataset_is_there(finished):
    fits, aside = finished / "results/smoke/fits", finished / "aside"
    fits.rename(aside)
    assert would_run(finished) == {}
    aside.rename(fits)


def test_what_was_deleted_in_between_is_made_again(finished):
    for gone in ("datasets/fashion_mnist.h5", "runs/fashion_mnist-dws-none-1views/metrics.json"):
        path = finished / "results/smoke" / gone
        path.rename(finished / "aside")
        assert would_run(finished).keys() & {"assemble", "train_cell"}
        (finished / "aside").rename(path)


def test_a_dry_run_for_a_cluster_counts_jobs_and_not_cores(finished, edit):
    edit("workflow/configs/smoke.yaml", "updates: 20", "updates: 21")
    run = snakemake(finished, "--dry-run", "--quiet", "--jobs", "3")
    assert re.search(r"^About .* on 3 jobs at a time", run.stdout + run.stderr, re.M)


def test_the_target_reference_copies_what_the_repository_keeps(finished):
    snakemake(finished, "reference")
    kept = finished / "results/reference/smoke"
    own = finished / "results/smoke"
    for name in (*TABLES, *EXPERIMENTS):
        path = f"tables/{name}.csv"
        assert (kept / f"{name}.csv").read_bytes() == (own / path).read_bytes()
    for name in FIGURES:
        assert (kept / f"{name}.png").read_bytes() == (own / f"figures/{name}.png").read_bytes()
    origin = (kept / "origin.md").read_text()
    assert re.search(r"^\| device +\| cpu", origin, re.M)
    assert re.search(rf"^\| training +\| +{len(CELLS) + len(CONTRASTIVE)} ", origin, re.M)


def test_comments_formatting_and_touched_scripts_re_run_nothing(finished, edit):
    edit("src/weightspace/models/dws.py", '"""', '"""Reworded. ')
    edit("src/weightspace/fit/fitting.py", "\n\n\n", "\n\n\n# A comment.\n")
    edit("workflow/scripts/train_cell.py", '"""', '"""Reworded. ')
    assert would_run(finished) == {}


def test_editing_a_model_re_runs_training_and_not_fitting(finished, edit):
    edit("src/weightspace/models/dws.py", "\nclass ", "\nADDED = 1\n\n\nclass ")
    found = would_run(finished)
    assert found["train_cell"] == len(CELLS)
    assert found["contrastive_cell"] == len(CONTRASTIVE)
    assert {"schemes_results", "contrastive_cell", "html_report"} <= set(found)
    assert not {"objects", "fit_shard", "assemble", "gallery_figure"} & set(found)


def test_editing_the_fitting_re_runs_everything_after_the_pictures(finished, edit):
    edit("src/weightspace/fit/fitting.py", "\nclass ", "\nADDED = 1\n\n\nclass ")
    found = would_run(finished)
    assert found["fit_shard"] == 2
    pixels = {name for name, cell in CONFIG.all_cells.items() if CONFIG.inputs_of(cell) == "pixels"}
    assert found["train_cell"] == len(CELLS - pixels)
    assert {"assemble", "gallery_figure", "html_report"} <= set(found)
    assert "objects" not in found


def test_a_setting_of_training_re_runs_training(finished, edit):
    edit("workflow/configs/smoke.yaml", "updates: 20", "updates: 21")
    found = would_run(finished)
    assert found["train_cell"] == len(CELLS)
    assert "fit_shard" not in found
    dry = (run := snakemake(finished, "--dry-run", "--quiet")).stdout + run.stderr
    reused = re.search(r"^Study smoke: .* jobs to run, (\d+) to reuse$", dry, re.M)
    assert int(reused[1]) >= 4  # pictures, fits, dataset
    assert re.search(r"^About .* cores \(from earlier runs of this study\)$", dry, re.M)


def test_a_further_cell_runs_alone(finished, edit):
    edit(
        "workflow/configs/smoke.yaml",
        "[none, gaussian_noise, ",
        "[none, translate, gaussian_noise, ",
    )
    found = would_run(finished)
    assert found["train_cell"] == 2
    assert "fit_shard" not in found


@pytest.mark.parametrize("stage", ["fit", "dataset", "train", "report", *EXPERIMENTS])
def test_every_stage_has_a_name(finished, stage):
    assert "Nothing to be done" in (run := snakemake(finished, stage)).stdout + run.stderr


def test_a_bad_config_stops_before_any_job(finished, edit):
    edit("workflow/configs/smoke.yaml", "shard_size", "shard_szie")
    run = snakemake(finished, check=False)
    assert run.returncode != 0
    assert "unknown key 'shard_szie'; did you mean 'shard_size'" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert "rule " not in run.stdout + run.stderr


def test_a_truncated_shard_is_named_and_a_re_run_mends_it(finished):
    shard = finished / "results/smoke/fits/fashion_mnist/shard_0.h5"
    dataset = finished / "results/smoke/datasets/fashion_mnist.h5"
    before = dataset.read_bytes()
    shard.write_bytes(shard.read_bytes()[:-1000])
    run = snakemake(finished, "dataset", check=False)
    assert run.returncode != 0
    assert re.search(r"assemble.*: error: .*shard_0\.h5.*delete it", run.stdout + run.stderr)
    assert re.search("^Study smoke: stopped after .*, 1 failed", run.stderr, re.M)
    assert "  assemble: see results/smoke/logs/assemble/fashion_mnist.log" in run.stderr
    shard.unlink()
    snakemake(finished)
    assert dataset.read_bytes() == before


def test_an_experiment_that_the_study_lacks_is_named(finished, edit):
    edit(
        "workflow/configs/smoke.yaml",
        "    - {models: [dws], schemes: [none, mixup_aligned_signed, mixup_leaky],",
        "    []  #",
    )
    run = snakemake(finished, "equivalence", check=False)
    assert run.returncode != 0
    assert "has no experiment 'equivalence'" in run.stdout + run.stderr
