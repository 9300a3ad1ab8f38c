"""Resolve pyproject.toml for every platform and write the pins: requirements.lock and envs/.

`make lock` runs it beside uv. What is pinned stays so while pyproject.toml allows it; with
--upgrade all is resolved afresh.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVS = ROOT / "envs"
HEADERS = {
    ROOT / "requirements.lock": """\
# Exact pins of what `make` installs, with the hashes of their files. Written by `make lock`;
# do not edit.
""",
    ENVS / "cuda.lock": """\
# What PyPI's torch for Linux needs beside requirements.lock, and its CPU build does not: `make`
# installs it where that torch was installed. Written by `make lock`; do not edit.
""",
    ENVS / "slurm.lock": """\
# The extra `slurm`, beside requirements.lock (docs/cluster.md). Written by `make lock`; do not
# edit.
#   .venv/bin/python -m pip install --require-hashes --no-deps --requirement envs/slurm.lock
""",
    ENVS / "cluster-generic.lock": """\
# The extra `cluster-generic`, beside requirements.lock (docs/cluster.md). Written by `make lock`;
# do not edit.
""",
    ENVS / "uv.lock": """\
# The extra `uv`, with which `make lock` resolves the others. Written by it; do not edit.
""",
}
EXTRAS = ("slurm", "cluster-generic", "uv")
CONDA_HEADER = """\
# The pins of requirements.lock and cuda.lock, for `snakemake --sdm conda`. Written by `make lock`;
# do not edit. It has no hashes (docs/decisions.md): for these give conda's Python to make, as
#   conda create --name weightspace python=3.11 && conda activate weightspace && make PYTHON=python
name: weightspace
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def pins(text: str) -> list[str]:
    """Split a lock into its pins, each with the lines of its hashes."""
    return [part for part in re.split(r"^(?=\w)", text, flags=re.MULTILINE) if "==" in part]


def resolve(*extras: str, preferred: list[str]) -> list[str]:
    """Return the pins of the package with `extras` on all platforms, `preferred` if possible."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "lock")
        lock.write_text("".join(preferred))
        command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
        command += ["--universal", "--python-version", "3.11", "--fork-strategy", "fewest"]
        command += ["--generate-hashes", "--no-annotate", "--no-header"]
        command += [f"--extra={extra}" for extra in extras]
        command += [f"--output-file={lock}", *sys.argv[1:]]
        subprocess.run(command, cwd=ROOT, check=True)
        return pins(lock.read_text())


def allow_own_build(pin: str) -> str:
    """Add the hash of the file that pip takes here: torch has builds that PyPI does not list."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        wanted = pin.split(" ")[0]
        download = [*pip, "--quiet", "download", "--no-deps", "--dest", folder, wanted]
        subprocess.run(download, check=True)
        command = [*pip, "hash", *map(str, Path(folder).iterdir())]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    own = out.split()[-1]
    return pin if own in pin else f"{pin.rstrip()} \\\n    {own}\n"


def is_cuda(pin: str) -> bool:
    """Tell what only the CUDA build of torch needs."""
    return pin.startswith(("cuda-", "nvidia-"))


def main() -> None:
    """Write all locks and the conda file."""
    before = [pin for path in HEADERS if path.exists() for pin in pins(path.read_text())]
    everything = resolve("dev", *EXTRAS, preferred=before)
    base = resolve("dev", preferred=everything)
    locked = [allow_own_build(p) if p.startswith("torch==") else p for p in base if not is_cuda(p)]
    cuda = [pin for pin in base if is_cuda(pin)]
    extras = [
        [pin for pin in resolve("dev", extra, preferred=everything) if pin not in base]
        for extra in EXTRAS
    ]
    for (path, header), content in zip(HEADERS.items(), (locked, cuda, *extras), strict=True):
        path.write_text(header + "".join(content))
    lines = [pin.split(" \\")[0] for pin in (*locked, *cuda)]
    conda = CONDA_HEADER + "".join(f'      - "{line}"\n' for line in lines)
    (ENVS / "weightspace.yaml").write_text(conda)


if __name__ == "__main__":
    main()
