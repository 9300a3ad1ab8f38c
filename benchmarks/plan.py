"""Plan a large study on a cluster from the rates in results/bench/bench.json.

    python -m benchmarks.plan --inrs 1e7 --layout 2-32-32-1 --points 784 --steps 500

Formulas and advice: docs/scaling.md.
"""

import json
import re
import sys
from argparse import ArgumentParser, Namespace
from itertools import pairwise
from math import ceil
from pathlib import Path

from benchmarks.bench_fitting import flop_per_step
from tabulate import tabulate

SHARDS = (500, 1_000, 2_000, 5_000, 10_000, 20_000)  # INRs a job
FILES = 4  # of a shard: its networks, its log, its benchmark, Snakemake's record of it
METADATA = 8_192  # bytes of such a record on a disk with blocks of 4 KiB


def main() -> None:
    """Read the rates and print a table, one row per shard size."""
    chosen = _arguments()
    if not chosen.bench.is_file():
        sys.exit(f"{chosen.bench} is not there; run: make bench")
    rows = json.loads(chosen.bench.read_text())
    layout = tuple(map(int, chosen.layout.split("-")))
    rate, source = fit_rate(rows, layout, chosen.points)
    rates = {
        "steps": rate,
        "inr": value(rows, "INR without its steps"),
        "start": chosen.overhead + value(rows, "start of a fitting job") / 1000,
        "dry_run": value(rows, "dry run"),
    }
    size = inr_bytes(layout, value(rows, "size of an INR (2-32-32-1)"))
    print(f"{rate:,.0f} INR-steps/s a core, from {source}; {size:,.0f} B an INR")
    table = [plan(n, chosen, rates, size) for n in SHARDS]
    print(tabulate(table, headers="keys", floatfmt=",.4g", intfmt=","))


def plan(shard: int, chosen: Namespace, rates: dict[str, float], size: float) -> dict[str, float]:
    """Jobs, hours and bytes at a number of INRs a job; the formulas of docs/scaling.md."""
    jobs = ceil(chosen.inrs / shard)
    work = shard * (chosen.steps / rates["steps"] + 1 / rates["inr"]) / chosen.cores
    seconds = rates["start"] + work
    return {
        "INRs a job": shard,
        "jobs": jobs,
        "minutes a job": seconds / 60,
        "start %": 100 * rates["start"] / seconds,
        "core-hours": jobs * seconds * chosen.cores / 3600,
        f"hours with {chosen.jobs} jobs": ceil(jobs / chosen.jobs) * seconds / 3600,
        "GB": (2 * chosen.inrs * size + jobs * METADATA) / 1e9,  # shards and the dataset
        "MB a shard": shard * size / 1e6,
        "files": FILES * jobs,
        "dry run s": jobs / rates["dry_run"],
    }


def value(rows: list[dict], name: str) -> float:
    """The rate of the row of a name."""
    for row in rows:
        if row["name"] == name:
            return row["rate"]
    sys.exit(f"bench.json has no row {name!r}; run: make bench")


def fit_rate(rows: list[dict], layout: tuple[int, ...], points: int) -> tuple[float, str]:
    """INR-steps/s of the CPU backend on one core: measured, or scaled by operations."""
    pattern = re.compile(r"fit cpu \(([\d-]+) x (\d+), 1 thread\)")
    found = []
    for row in rows:
        if match := pattern.fullmatch(row["name"]):
            measured = tuple(map(int, match[1].split("-")))
            work = flop_per_step(measured, int(match[2])) / flop_per_step(layout, points)
            found.append((abs(1 - work), row["rate"] * work, row["name"]))
    if not found:
        sys.exit("bench.json has no row 'fit cpu (LAYOUT x POINTS, 1 thread)'; run: make bench")
    distance, rate, name = min(found)
    return rate, f"{name!r}" + (", scaled by operations" if distance else "")


def inr_bytes(layout: tuple[int, ...], measured: float) -> float:
    """Bytes of an INR in a file: its float32 parameters, and what was measured beside these."""
    beside = measured - 4 * parameters((2, 32, 32, 1))
    return 4 * parameters(layout) + beside


def parameters(layout: tuple[int, ...]) -> int:
    """Weights and biases of one network."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(layout))


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inrs", type=lambda x: int(float(x)), default=10**7)
    parser.add_argument("--layout", default="2-32-32-1")
    parser.add_argument("--points", type=int, default=784, help="points that a step sees")
    parser.add_argument("--steps", type=int, default=500, help="steps of each fit")
    parser.add_argument("--cores", type=int, default=8, help="cores of a job")
    parser.add_argument("--jobs", type=int, default=100, help="jobs at a time")
    parser.add_argument(
        "--overhead", type=float, default=6, help="seconds of Snakemake in a job of a cluster"
    )
    parser.add_argument("--bench", type=Path, default=Path("results/bench/bench.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
