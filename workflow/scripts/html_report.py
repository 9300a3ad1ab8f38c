"""Write the HTML report: tables, figures, captions and what is known of the runs, in one file."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.html import write_html

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("html_report", snakemake.log[0]):
    inputs = snakemake.input
    write_html(
        snakemake.output[0],
        config=inputs["config"],
        parts=inputs["parts"],
        metrics=inputs["metrics"],
        contrastive=inputs["contrastive"],
        shapes=inputs["shapes"],
        captions=Path(inputs["page"]).parent,
        times=snakemake.params["times"],
    )
