"""The captions of the HTML report, with the default config."""

from pathlib import Path
from types import SimpleNamespace

import docutils.core
import pytest
import yaml
from jinja2 import Environment, StrictUndefined

ROOT = Path(__file__).parents[2]
CAPTIONS = sorted((ROOT / "workflow" / "report").glob("*.rst"))
EXPERIMENTS = ("overfitting", "views", "schemes", "equivalence", "strength", "gap")


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_caption_renders_and_is_valid(path):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    environment = Environment(undefined=StrictUndefined)
    text = environment.from_string(path.read_text()).render(
        snakemake=SimpleNamespace(config=config)
    )
    settings = {"halt_level": 2, "report_level": 2}  # a warning is an error
    html = docutils.core.publish_parts(text, writer="html", settings_overrides=settings)["body"]
    assert len(html) > 100 and "{{" not in html


def test_the_study_lists_the_datasets_that_its_experiments_use():
    template = Environment(undefined=StrictUndefined).from_string(
        (ROOT / "workflow" / "report" / "workflow.rst").read_text()
    )
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["datasets"] = {name: {"source": name} for name in ("mnist", "unused", "cifar10")}
    config["experiments"] = {"views": [{"datasets": ["cifar10"]}, {"datasets": ["mnist"]}]}
    text = template.render(snakemake=SimpleNamespace(config=config))
    assert text.startswith("Study **") and "Datasets: mnist, cifar10. " in text
    config["experiments"]["schemes"] = [{"datasets": None}, {}]  # all of them
    text = template.render(snakemake=SimpleNamespace(config=config))
    assert "Datasets: mnist, unused, cifar10. " in text


def test_there_is_a_caption_for_every_result():
    captions = {path.stem for path in CAPTIONS}
    assert captions >= {"workflow", "runs_table", "fit_quality", "fit_quality_table", "gallery"}
    assert captions >= {"shape_quality", "shape_quality_table", "shape_gallery"}
    assert captions >= {f"{name}{part}" for name in EXPERIMENTS for part in ("", "_table")}
