"""Bundle tables and figures with their captions and statistics into one HTML file."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.html import write_html

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("html_report", snakemake.log[0]):
    write_html(
        snakemake.output[0],
        snakefile=snakemake.params["snakefile"],
        config=snakemake.input["config"],
        parts=snakemake.input["parts"],
    )
