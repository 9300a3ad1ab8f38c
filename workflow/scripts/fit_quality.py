"""Summarise how well the INRs represent their objects."""

from typing import TYPE_CHECKING

from weightspace.job import job
from weightspace.report.figures.fit_quality import fit_quality_figure
from weightspace.report.fit_quality import fit_quality_table, read_fits
from weightspace.report.saving import save_csv, save_figure

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(f"fit_quality of {snakemake.wildcards['dataset']}", snakemake.log[0]):
    fits = read_fits(snakemake.input["inrs"])
    save_csv(fit_quality_table(fits), snakemake.output["table"])
    save_figure(fit_quality_figure(fits), [snakemake.output["png"], snakemake.output["pdf"]])
