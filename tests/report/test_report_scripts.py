"""The scripts of the experiments, run as the workflow runs them."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
SWEEPS = {
    f"noise_{v}": {"augmentation": "gaussian_noise", "parameter": "scale", "value": v}
    for v in (0.1, 0.3)
}


@pytest.mark.parametrize("name", ["overfitting", "views", "schemes", "equivalence", "strength"])
def test_script_writes_its_figure_and_table(make_files, tmp_path, name):
    cells = [("none", 1), *((s, 1) for s in SWEEPS)]
    files = make_files(models=("dws",), cells=cells if name == "strength" else [("none", 1)])
    inputs = {"metrics": files.metrics, "histories": files.histories}
    endings = ("png", "pdf", "csv", "md", *(["tex"] if name == "schemes" else []))
    outputs = {ending: str(tmp_path / f"{name}.{ending}") for ending in endings}
    job = SimpleNamespace(
        input=inputs | {"predictions": files.predictions},
        output=outputs,
        params={"sweeps": SWEEPS},
        log=[str(tmp_path / "log")],
    )
    runpy.run_path(str(SCRIPTS / f"{name}.py"), init_globals={"snakemake": job})
    assert all(Path(path).stat().st_size > 100 for path in outputs.values())
    assert set(pd.read_csv(outputs["csv"])["cell"]) == {p.parent.name for p in files.metrics}
