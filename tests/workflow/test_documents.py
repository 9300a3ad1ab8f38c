"""docs/tutorial.md and docs/extending.md, done as they say, at a small size; commands of README."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT, copy_sources

pytestmark = pytest.mark.slow

SMALL = """
fit: {hidden: [8, 8], steps: 30, min_psnr: 5.0, shard_size: 100}
train: {seeds: [0, 1], updates: 6, batch_size: 8, warmup: 2, evaluate_every: 3}
"""
STUDY = {  # of each document, cut down to a cell or two
    "tutorial": """
datasets: {mine: {train: 24, val: 9, test: 12}}
models: {dws: {channels: 2, depth: 2}}
experiments: {schemes: [{datasets: [mine], models: [dws], schemes: [none, sign_flip]}], gap: []}
""",
    "extending": """
datasets: {stripes: {train: 24, val: 8, test: 12}}
models: {sorted_mlp: {width: 16}}
experiments: {schemes: [{datasets: [stripes], models: [sorted_mlp], schemes: [none, bias_noise]}]}
""",
}


class Document:
    """The blocks of a document, carried out in a copy of the repository."""

    def __init__(self, name, tree):
        self.tree, self.said = tree, ""
        self.target = ["schemes"] if name == "extending" else []  # without the rest of the report
        text = (ROOT / f"docs/{name}.md").read_text()
        self.blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
        (tree / "small.yaml").write_text(SMALL + STUDY[name])

    def dry_run(self, study):
        """What Snakemake would do for the study as it is written."""
        command = ["-m", "snakemake", "--configfile", study, "--dry-run", "--quiet", "--cores", "2"]
        return self.do([sys.executable, *command])

    def do(self, command):
        """Run a command at the root of the copy; return what it says."""
        environment = {**os.environ, "PYTHONPATH": str(self.tree / "src"), "OMP_NUM_THREADS": "1"}
        run = subprocess.run(
            command, cwd=self.tree, env=environment, text=True, capture_output=True
        )
        assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
        return run.stdout + run.stderr

    def save_files(self):
        """Every block that begins with the name of its file, and every diff."""
        for kind, text in self.blocks:
            if named := re.match(r"# (\S+\.(py|yaml))\n", text):
                (self.tree / named[1]).write_text(text)
            elif kind == "diff":
                command = ["git", "apply", "--verbose", "-"]
                run = subprocess.run(
                    command, cwd=self.tree, input=text, text=True, capture_output=True
                )
                assert run.returncode == 0, run.stderr

    def commands(self):
        """The commands of all blocks without a language, but for make."""
        lines = [line for kind, text in self.blocks if not kind for line in text.splitlines()]
        return [shlex.split(line) for line in lines if line.startswith((".venv/", "cat "))]

    def run(self):
        """Run all of them but the tests, in their order, with the study cut down."""
        for words in self.commands():
            program = Path(words[0]).name
            if program == "pytest":
                continue
            command = [sys.executable, *words[1:]] if program == "python" else words
            if program == "snakemake":
                command = [sys.executable, "-m", "snakemake", *words[1:], "--cores", "2"]
                place = command.index("--configfile") + 2
                command.insert(place, "small.yaml")
                command += self.target
            self.said += self.do(command)


@pytest.fixture
def document(tmp_path):
    def make(name):
        copy_sources(tmp_path)
        shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__py*"))
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        made = Document(name, tmp_path)
        made.save_files()
        return made

    return make


def test_the_tutorial_goes_from_pictures_to_a_table(document):
    tutorial = document("tutorial")
    tutorial.run()
    assert re.search(r"training +6 jobs", tutorial.dry_run("my_study.yaml"))
    # What is printed: the plan of the dry run, that of the run, its summary, the table, info.
    assert tutorial.said.count("to run, none to reuse") >= 2
    assert "Study mine: done after" in tutorial.said
    assert "| DWSNet  | sign flip" in tutorial.said
    assert re.search(r"^trouser .* 8 \(16\)", tutorial.said, re.M)  # of 24 objects, two views
    assert (tutorial.tree / "object.png").read_bytes().startswith(b"\x89PNG")
    assert (tutorial.tree / "results/mine/report.html").stat().st_size > 100_000


def test_the_extensions_work_and_keep_the_laws(document):
    extending = document("extending")
    extending.run()
    assert re.search(r"training +6 jobs", extending.dry_run("stripes.yaml"))
    table = (extending.tree / "results/stripes/tables/schemes.md").read_text()
    assert re.search(r"sorted MLP *\| bias noise", table)
    tests = {word for words in extending.commands() for word in words if word[:6] == "tests/"}
    assert len(tests) == 5
    chosen = "bias_noise or sorted_mlp or listed or judged or package or sets"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sorted(tests)]
    said = extending.do([*command, "-k", chosen])
    assert int(re.search(r"(\d+) passed", said)[1]) > 20


def test_snakemake_knows_what_the_readme_asks_of_it(tmp_path):
    copy_sources(tmp_path)
    lines = re.findall(r"^\.venv/bin/snakemake(.*)$", (ROOT / "README.md").read_text(), re.M)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    for line in lines:
        words = shlex.split(line, comments=True)
        command = [sys.executable, "-m", "snakemake", *words, "--dry-run", "--quiet"]
        run = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
        assert re.search(r"^Study \w+: .* to run, none to reuse$", run.stdout + run.stderr, re.M)
    assert len(lines) >= 8


def test_the_readme_asks_the_package_for_what_it_can(tmp_path):
    lines = re.findall(
        r"^\.venv/bin/python -m weightspace (.*)$", (ROOT / "README.md").read_text(), re.M
    )
    golden = ROOT / "tests/golden/v1.h5"
    for line in lines:
        words = re.sub(r"results/\S+\.h5", str(golden), line)
        words = re.sub(r"--object \d+", "--object 2", words)
        command = [sys.executable, "-m", "weightspace", *shlex.split(words)]
        subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "object.png").exists()
