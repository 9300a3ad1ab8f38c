"""The HTML report: Snakemake's own, of finished tables and figures."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from weightspace.atomic import replacing

__all__ = ["ReportFailedError", "write_html"]


class ReportFailedError(ValueError):
    """Snakemake could not write the report; the message holds what it said."""


def write_html(
    path: Path | str, *, snakefile: Path | str, config: Path | str, parts: Sequence[Path | str]
) -> None:
    """Let Snakemake write one self-contained HTML file with captions and run statistics.

    Args:
        path: the file to write.
        snakefile: the workflow.
        config: the config with which the parts were made.
        parts: the finished tables and figures to show.

    Raises:
        ReportFailedError: if Snakemake fails.
    """
    with replacing(path) as temporary:
        # Snakemake tells the format of the report by its ending.
        html = temporary.with_suffix(".html")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
        command += ["--configfile", str(config), "--nolock", "--report", str(html), "--"]
        command += [str(part) for part in parts]
        try:
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode:
                raise ReportFailedError(f"snakemake --report failed:\n{run.stdout}{run.stderr}")
            html.rename(temporary)
        finally:
            html.unlink(missing_ok=True)
