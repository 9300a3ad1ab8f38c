"""Fit and assemble 1e2 to 1e5 INRs as a workflow does, and draw what it costs.

    python -m benchmarks.scaling_figure [--most 100000] [--steps 20]

Writes results/bench/scaling.{json,png,pdf}. Fits and assembly run in processes of their own; the
time of their start is left out, see the row "start of a fitting job" of `python -m benchmarks`.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from benchmarks.scaling_chain import SHARD, assembly_job, fit_jobs, in_own_process
from matplotlib.figure import Figure

from weightspace.report.saving import save_figure, save_text
from weightspace.report.style import PALETTE, WIDTH, report_style

COUNTS = (100, 1_000, 10_000, 100_000)
STAGES = ("fit", "assemble")
RESULTS = Path("results/bench")


def main() -> None:
    """Measure, write, draw."""
    parser = ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="INRs of the largest set")
    parser.add_argument("--steps", type=int, default=20, help="steps of each fit")
    chosen = parser.parse_args()
    rows = [measure(n, chosen.steps) for n in COUNTS if n <= chosen.most]
    save_text(json.dumps(rows, indent=2) + "\n", RESULTS / "scaling.json")
    save_figure(draw(rows), [RESULTS / f"scaling.{form}" for form in ("png", "pdf")])


def measure(n: int, steps: int) -> dict[str, float]:
    """Seconds and peak memory of both stages for n INRs, and the bytes of the dataset."""
    row: dict[str, float] = {"inrs": n, "steps": steps}
    with TemporaryDirectory() as name:
        folder = Path(name)
        jobs = {"fit": (fit_jobs, folder, n, steps), "assemble": (assembly_job, folder, n)}
        for stage, job in jobs.items():
            cost, row[f"{stage}_mb"] = in_own_process(*job)
            row[f"{stage}_s"], row[f"{stage}_core_s"] = cost
        row["bytes"] = (folder / "dataset.h5").stat().st_size
    print(" ".join(f"{key} {value:,.6g}" for key, value in row.items()), flush=True)
    return row


def slope(rows: list[dict[str, float]], key: str) -> float:
    """The exponent p of key ~ n^p, by least squares of the logarithms; 1 is linear."""
    n, y = (np.log([row[k] for row in rows]) for k in ("inrs", key))
    return float(np.polyfit(n, y, 1)[0])


@report_style()
def draw(rows: list[dict[str, float]]) -> Figure:
    """Core-seconds and the peak memory of a job against INRs."""
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    panels = figure.subplots(1, 2)
    n = [row["inrs"] for row in rows]
    for stage, colour in zip(STAGES, PALETTE, strict=False):
        seconds = [row[f"{stage}_core_s"] for row in rows]
        label = f"{stage}: slope {slope(rows, f'{stage}_core_s'):.2f}" if len(rows) > 1 else stage
        panels[0].loglog(n, seconds, "o-", color=colour, label=label)
        panels[1].semilogx(n, [row[f"{stage}_mb"] for row in rows], "o-", color=colour, label=stage)
    panels[0].set(
        xlabel="INRs", ylabel="core-seconds", title=f"Time, {rows[0]['steps']} steps an INR"
    )
    panels[1].set(xlabel="INRs", ylabel="MB", title=f"Peak memory, {SHARD:,} INRs a fitting job")
    panels[1].set_ylim(0, 1.1 * max(row[f"{stage}_mb"] for row in rows for stage in STAGES))
    for axes in panels:
        axes.legend()
    return figure


if __name__ == "__main__":
    main()
