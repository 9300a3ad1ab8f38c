"""What of a study is kept in the repository: tables, figures, config, and where they come from."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from weightspace.announce.times import of_study, read_times
from weightspace.atomic import replacing
from weightspace.config.study import load_config
from weightspace.report.origin import provenance, stage_table
from weightspace.report.saving import save_text

__all__ = ["write_reference"]


def write_reference(
    folder: Path | str,
    *,
    config: Path | str,
    parts: Sequence[Path | str],
    metrics: Sequence[Path | str],
    times: Path | str,
) -> None:
    """Copy the parts of a study into one folder, and write `origin.md` beside them.

    Args:
        folder: where to; what it holds under other names stays.
        config: the record of the config with which the parts were made.
        parts: the files to copy.
        metrics: the `metrics.json` of all cells.
        times: the folder of the run times of the jobs.
    """
    settings = load_config(yaml.safe_load(Path(config).read_text(encoding="utf-8")))
    for part in map(Path, parts):
        with replacing(Path(folder, part.name)) as copy:
            shutil.copyfile(part, copy)
    facts = pd.DataFrame(provenance(metrics), columns=["what", "of the trainings"])
    stages = stage_table(of_study(read_times(times), settings))
    took = pd.DataFrame(stages.rows, columns=[head.text for head in stages.heads])
    tables = [table.to_markdown(index=False, disable_numparse=True) for table in (facts, took)]
    note = "Times are those of the jobs; several of them ran at a time."
    save_text("\n\n".join([f"# {settings.study}", *tables, note]) + "\n", Path(folder, "origin.md"))
