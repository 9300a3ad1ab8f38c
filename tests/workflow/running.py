"""Running the workflow in a copy of its sources, as a user would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("Snakefile", "config.yaml", "envs", "profiles", "src", "workflow")


def copy_sources(tree):
    # With what Python and Numba have compiled, but for the files that either is just writing.
    ignore = shutil.ignore_patterns("*.pyc.*", "*.tmp.*", "*.egg-info")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, tree / name)


def snakemake(tree, *arguments, config="smoke", check=True, python=sys.executable):
    command = [str(python), "-m", "snakemake", *arguments]
    command += ["--configfile", f"workflow/configs/{config}.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if check:
        assert run.returncode == 0, run.stdout + run.stderr
    return run


def would_run(tree, *arguments, config="smoke"):
    """The rules that a dry run names, with the number of their jobs."""
    run = snakemake(tree, "--dry-run", *arguments, config=config)
    # The table of job statistics is printed twice.
    return {k: int(n) for k, n in re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, re.M)}
