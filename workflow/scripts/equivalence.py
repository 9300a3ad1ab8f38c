"""Draw and tabulate how many times more data a scheme is worth."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.collect import collect_correctness, collect_runs
from weightspace.report.equivalence_table import equivalence_points, equivalence_table
from weightspace.report.figures.equivalence import equivalence_figure
from weightspace.report.saving import save_figure
from weightspace.report.tables import save_tables
from weightspace.rng import stream

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("equivalence", snakemake.log[0]):
    inputs, outputs = snakemake.input, snakemake.output
    runs = collect_runs(inputs["metrics"])
    correctness = collect_correctness(inputs["metrics"], inputs["predictions"])
    points = equivalence_points(runs, correctness, generator=stream(0, "equivalence"))
    save_figure(equivalence_figure(points), [outputs["png"], outputs["pdf"]])
    save_tables([equivalence_table(points)], [outputs["csv"], outputs["md"]])
