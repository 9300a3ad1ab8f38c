"""The HTML report of a study: one page that needs no other file and no network."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import docutils.core
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from scipy.special import stdtrit

from weightspace.announce.times import of_study, read_times
from weightspace.config.cells import main_experiment
from weightspace.config.study import Config, load_config
from weightspace.report.collect import collect_runs
from weightspace.report.html_tables import PageTable, fit_tables, run_rows, words_of
from weightspace.report.missed import missed
from weightspace.report.origin import provenance, stage_table
from weightspace.report.saving import save_text
from weightspace.report.study_words import QUESTIONS, TITLES, study_facts

__all__ = ["write_html"]

TEMPLATE = "report.html.j2"
FIT_FIGURES = ("fit_quality", "gallery", "shape_quality")


@dataclass(frozen=True)
class Section:
    """What the page shows under one heading."""

    name: str
    title: str
    question: str
    figures: list[dict[str, str]] = field(default_factory=list)
    tables: list[PageTable] = field(default_factory=list)


def write_html(
    path: Path | str,
    *,
    config: Path | str,
    parts: Sequence[Path | str],
    metrics: Sequence[Path | str],
    contrastive: Sequence[Path | str],
    shapes: Sequence[Path | str],
    captions: Path | str,
    times: Path | str,
) -> None:
    """Write tables, figures, captions and what is known of the runs as one HTML file.

    Args:
        path: the file to write.
        config: the record of the config with which the parts were made.
        parts: the finished tables (CSV, Markdown) and figures (PNG) to show; a file
            `<experiment>.<ending>` or `<what>.<dataset>.<ending>`, other endings are passed over.
        metrics: the `metrics.json` of the cells.
        contrastive: those of the cells of contrastive pre-training.
        shapes: the files of the chosen shapes.
        captions: the folder of the captions, `<figure>.rst` and `<table>_table.rst`, and of the
            template of the page.
        times: the folder of the run times of the jobs.

    Raises:
        ReportError: if the files do not fit together.
    """
    settings = load_config(yaml.safe_load(Path(config).read_text(encoding="utf-8")))
    files = [Path(part) for part in parts]
    main = main_experiment(settings.configured)
    show = _Sections(settings, files, Path(captions))
    runs = collect_runs(metrics) if metrics else None
    n_seeds = len(settings.train.seeds)
    page: dict[str, Any] = {
        "study": settings.study,
        "main": show.experiment(main),
        "others": [show.experiment(name) for name in settings.configured if name != main],
        "fits": show.fits(),
        "facts": study_facts(settings),
        "config": Path(config).read_text(encoding="utf-8"),
        "seeds": n_seeds,
        "t_factor": stdtrit(n_seeds - 1, 0.975) / n_seeds**0.5 if n_seeds > 1 else 0.0,
        "missed": missed(settings, files, runs, [*metrics, *contrastive], shapes),
        "provenance": provenance([*metrics, *contrastive]),
        "stages": stage_table(of_study(read_times(times), settings)),
        "runs": None if runs is None else run_rows(runs),
        "version": version("weightspace"),
    }
    environment = Environment(
        loader=FileSystemLoader(captions), autoescape=True, undefined=StrictUndefined
    )
    save_text(environment.get_template(TEMPLATE).render(page), path)


@dataclass(frozen=True)
class _Sections:
    """Finds what belongs to a heading among the files of a study."""

    config: Config
    files: list[Path]
    captions: Path

    def experiment(self, name: str) -> Section:
        """The figures and the table of an experiment."""
        figures = (name, "midpoints") if name == "alignment" else (name,)
        return Section(
            name,
            TITLES[name],
            QUESTIONS[name],
            [self._figure(file) for file in self._of(figures, ".png")],
            [table for file in self._of((name,), ".md") for table in self._tables(file)],
        )

    def fits(self) -> Section:
        """The quality of the fits of every dataset."""
        tables = fit_tables(self._of(("fit_quality",), ".csv"))
        for file in self._of(("shape_quality",), ".md"):
            tables += self._tables(file)
        return Section(
            "fits", "", "", [self._figure(file) for file in self._of(FIT_FIGURES, ".png")], tables
        )

    def _of(self, names: Sequence[str], ending: str) -> list[Path]:
        """The files of these names and this ending, in the order of the names."""
        return [
            file
            for name in names
            for file in self.files
            if file.suffix == ending and file.stem.split(".")[0] == name
        ]

    def _figure(self, file: Path) -> dict[str, str]:
        name, *dataset = file.stem.split(".")
        if name == "gallery" and self.config.datasets[dataset[0]].is_shape:
            name = "shape_gallery"
        data = b64encode(file.read_bytes()).decode("ascii")
        return {"data": data, "alt": file.stem, "caption": self._caption(name)}

    def _tables(self, file: Path) -> list[PageTable]:
        """The tables of a Markdown file, with the file of their numbers beside it."""
        numbers = file.with_suffix(".csv")
        caption = self._caption(f"{file.stem.split('.')[0]}_table")
        return words_of(
            file.read_text(encoding="utf-8"),
            file=numbers.name,
            csv=b64encode(numbers.read_bytes()).decode("ascii"),
            caption=caption,
        )

    def _caption(self, name: str) -> str:
        """A caption as HTML; a name without one is shown as it is."""
        file = self.captions / f"{name}.rst"
        if not file.exists():
            return escape(name)
        text = file.read_text(encoding="utf-8")
        # It is ours, but a caption has no business with other files.
        settings = {"file_insertion_enabled": False, "raw_enabled": False, "report_level": 5}
        parts = docutils.core.publish_parts(text, writer="html", settings_overrides=settings)
        return str(parts.get("body", ""))
