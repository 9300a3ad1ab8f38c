"""The captions of the HTML report, with the default config."""

from pathlib import Path
from types import SimpleNamespace

import docutils.core
import pytest
import yaml
from jinja2 import Environment, StrictUndefined

ROOT = Path(__file__).parents[2]
CAPTIONS = sorted((ROOT / "workflow" / "report").glob("*.rst"))
EXPERIMENTS = ("overfitting", "views", "schemes", "equivalence", "strength")


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


def test_there_is_a_caption_for_every_result():
    captions = {path.stem for path in CAPTIONS}
    assert captions >= {"workflow", "runs", "fit_quality", "fit_quality_table", "gallery"}
    assert captions >= {f"{name}{part}" for name in EXPERIMENTS for part in ("", "_table")}
