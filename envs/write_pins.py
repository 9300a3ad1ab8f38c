"""Write the packages installed beside this interpreter to requirements.lock and the conda file."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK_HEADER = """\
# Exact pins of what `make` installs. Written by `make lock`; do not edit. Where PyPI's torch brings
# CUDA packages (Linux), torch itself pins their versions.
"""
CONDA_HEADER = """\
# The pins of requirements.lock for conda users. Written by `make lock`; do not edit.
#   conda env create --file envs/weightspace.yaml && conda activate weightspace
#   pip install --no-deps --no-build-isolation --editable .
name: weightspace
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def installed() -> list[str]:
    """Return `name==version` of every package but our own, without local build tags."""
    command = [sys.executable, "-m", "pip", "freeze", "--all", "--exclude-editable"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    pins = [line.split("+")[0] for line in lines if "==" in line]
    pins = [f"{pin};sys_platform=='linux'" if pin.startswith("triton==") else pin for pin in pins]
    return [pin for pin in pins if not pin.startswith("pip==")]


if __name__ == "__main__":
    pins = installed()
    (ROOT / "requirements.lock").write_text(LOCK_HEADER + "\n".join(pins) + "\n")
    conda = CONDA_HEADER + "".join(f"      - {pin}\n" for pin in pins)
    (ROOT / "envs" / "weightspace.yaml").write_text(conda)
