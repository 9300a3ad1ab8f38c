"""The cost of an INR at 1e2, 1e3 and 1e4 of them, and what a job and an INR cost besides steps.

`python -m benchmarks.scaling_figure` goes on to 1e5; `python -m benchmarks.plan` reads these rows.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.scaling_chain import ROOT, assembly_job, fit_jobs, in_own_process, nothing

COUNTS = (100, 1_000, 10_000)
STEPS = 10
UNIT = "INR/(core s)"
SHARDS = 1_000  # of the dry run
STUDY = """
study: bench_dry_run
datasets: {{fashion_mnist: {{train: {n}, val: 10, test: 10}}}}
fit: {{shard_size: 1}}
"""


def run() -> list[dict]:
    """Measure fits of several sizes in turns, then what does not depend on the steps."""
    with TemporaryDirectory() as folder:
        return [*_linear(Path(folder)), *_parts(Path(folder)), _dry_run(Path(folder))]


def _linear(folder: Path) -> list[dict]:
    rate = {}
    for n in COUNTS:
        repeats = max(1, 1_000 // n)
        fits = min(fit_jobs(folder, n, STEPS).core_seconds for _ in range(repeats))
        rate[n] = n / (fits + assembly_job(folder, n).core_seconds)
    return [
        _row(f"fit, store, assemble {n:,} INRs ({STEPS} steps)", rate[n], UNIT, rate[COUNTS[0]])
        for n in COUNTS
    ]


def _parts(folder: Path) -> list[dict]:
    n = COUNTS[-1]
    size = (folder / "dataset.h5").stat().st_size / n
    start = perf_counter()
    in_own_process(nothing)
    start = perf_counter() - start
    cost, peak = in_own_process(fit_jobs, folder, 2_000, 1)
    return [
        _row("INR without its steps", 2_000 / cost.core_seconds, UNIT),
        _row("size of an INR (2-32-32-1)", size, "B"),
        _row("start of a fitting job", 1_000 * start, "ms"),
        _row("memory of a fitting job of 2,000 INRs", peak, "MB"),
    ]


def _dry_run(folder: Path) -> dict:
    """Shards a second of a dry run, without what it costs by itself."""
    seconds = []
    for n in (SHARDS, 100):
        study = folder / "study.yaml"
        study.write_text(STUDY.format(n=n))
        command = [sys.executable, "-m", "snakemake", "fit", "--dry-run", "--quiet", "all"]
        command += ["--configfile", "workflow/configs/smoke.yaml", str(study)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        start = perf_counter()
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        seconds.append(perf_counter() - start)
    return _row("dry run", (SHARDS - 100) / (seconds[0] - seconds[1]), "shards/s")


def _row(name: str, rate: float, unit: str, reference: float | None = None) -> dict:
    ratio = None if reference is None else rate / reference
    keys = ("name", "rate", "unit", "reference", "ratio", "limit_fraction")
    return dict(zip(keys, (name, rate, unit, reference, ratio, None), strict=True))
