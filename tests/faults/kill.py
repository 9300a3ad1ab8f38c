"""Kill a stage of the workflow at random moments, run it again, and compare with no kill at all.

    PYTHONPATH=src:tests/workflow python tests/faults/kill.py --moments 20 [--stage fit] [--seed 0]

Half of the kills hit all processes at once, as when a machine is lost; the others hit one job, as
when the system runs out of memory. It prints a row per stage for docs/faults.md.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
import yaml
from running import ROOT, copy_sources

PRETRAINED = "results/killed/contrastive/fashion_mnist-dws-sign_flip-views-2views/metrics.json"
STAGES = {
    "fit": ["fit"],
    "assembly": ["dataset"],
    "training": ["train", PRETRAINED],
    "aggregation": ["schemes", "contrastive", "results/killed/tables/runs.csv"],
}
STUDY = {
    "study": "killed",
    "datasets": {"fashion_mnist": {"train": 40, "val": 20, "test": 20}},
    "fit": {"steps": 400, "hidden": [16, 16], "shard_size": 25},
    "train": {"updates": 120, "evaluate_every": 10},
    "contrastive": {
        "label_fractions": [1.0],
        "pretraining": {"updates": 60, "evaluate_every": 10},
        "fine_tune": {"updates": 60, "evaluate_every": 10},
    },
    "experiments": {
        **{name: [] for name in ("overfitting", "views", "equivalence", "alignment", "strength")},
        "gap": [],
        "schemes": [{"models": ["dws"], "schemes": ["none", "mixup_aligned_signed"]}],
        "contrastive": [
            {"models": ["dws"], "schemes": ["sign_flip"], "pairs": ["views"], "views": [2]}
        ],
    },
}
# What holds times, or is written while it is not whole.
NOT_COMPARED = ("logs", "benchmarks", "unfinished")
OFTEN = "import weightspace.train.unfinished as unfinished_module\n"
OFTEN += "unfinished_module.SECONDS_BETWEEN_SAVES = 0.2\n"


@dataclass
class Found:
    """What the kills of a stage did."""

    moments: int = 0
    whole: int = 0  # files that were there after a kill
    half: int = 0  # of them, those that differ from the undisturbed ones
    wrong: int = 0  # files that differ or are missing after the second run
    redone: int = 0  # whole files that the second run made again
    left: int = 0  # temporary files after the second run
    resumed: int = 0  # trainings that went on from a saved update
    unlocked: int = 0  # kills after which Snakemake had to be unlocked
    problems: list[str] = field(default_factory=list)


class Tree:
    """A copy of the sources with its results, as they are before and after each stage."""

    def __init__(self, root, study=STUDY, stages=STAGES, cores=2):
        self.root, self.path, self.stages, self.cores = root, root / "tree", stages, cores
        self.path.mkdir(parents=True)
        copy_sources(self.path)
        shutil.rmtree(self.path / "src")  # one link to it all, for what Numba has compiled there
        (self.path / "src").symlink_to(ROOT / "src")
        for name in ("train_cell", "contrastive_cell"):
            script = self.path / f"workflow/scripts/{name}.py"
            script.write_text(script.read_text().replace("\ncell = ", f"\n{OFTEN}cell = "))
        (self.path / "killed.yaml").write_text(yaml.safe_dump(study))
        self.life = {}  # of each stage, from the first job's log to the end, in seconds

    def start(self, *arguments):
        command = [sys.executable, "-m", "snakemake", "--cores", str(self.cores), *arguments]
        command += ["--configfile", "workflow/configs/smoke.yaml", "killed.yaml"]
        own = {"PYTHONPATH": str(self.path / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.root / "said").open("wb") as said:
            return subprocess.Popen(
                command,
                cwd=self.path,
                env={**os.environ, **own},
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def run(self, *arguments):
        code = self.start(*arguments).wait()
        return code, (self.root / "said").read_text()

    def finish(self, *arguments):
        code, said = self.run(*arguments)
        assert code == 0, said

    def keep(self, name):
        copy(self.path, self.root / name)

    def back(self, name):
        copy(self.root / name, self.path)

    def learn(self, stage):
        """Run a stage undisturbed; keep what was before and after it, and how long it lived."""
        self.keep(f"before {stage}")
        started, process = time.monotonic(), self.start(*self.stages[stage])
        while process.poll() is None and not self.jobs(process):
            time.sleep(0.005)
        begun = time.monotonic() - started
        assert process.wait() == 0, (self.root / "said").read_text()
        self.life[stage] = (begun, time.monotonic() - started)
        self.keep(f"after {stage}")

    def jobs(self, process):
        """The numbers of the processes that run a script of ours."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (folder / "cmdline").read_bytes().split(b"\0")
                group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
                if group == process.pid and b"python" in command[0] and len(command) > 1:
                    found += [int(folder.name)] * (b"/scripts/" in command[1])
        return found

    def kill(self, process, *, one):
        """Kill one job, or all there is."""
        while one and process.poll() is None:
            if jobs := self.jobs(process):
                with suppress(ProcessLookupError):
                    os.kill(random.choice(jobs), signal.SIGKILL)
                process.wait()
                return
            time.sleep(0.005)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while self.jobs(process):
            time.sleep(0.01)


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)


def results(tree):
    """The finished files, by their paths."""
    folder = tree / "results"
    found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    named = {str(p.relative_to(folder)): p for p in found}
    return {k: p for k, p in named.items() if not set(NOT_COMPARED) & set(Path(k).parts)}


def content(path):
    """What a file says, but for times."""
    if path.suffix == ".json":
        return without_seconds(json.loads(path.read_text()))
    if path.name == "runs.csv":
        return pd.read_csv(path).drop(columns="seconds").to_csv()
    if path.name == "report.html":
        text = path.read_text()
        return text[:15], text.rstrip()[-7:]
    return path.read_bytes()


def without_seconds(x):
    if isinstance(x, dict):
        return {k: without_seconds(v) for k, v in x.items() if k != "seconds"}
    return [without_seconds(v) for v in x] if isinstance(x, list) else x


def same(path, other):
    try:
        return content(path) == content(other)
    except (ValueError, KeyError, OSError):  # cut off
        return False


def strike(tree, stage, moment, found, *, one):
    """Kill a stage at a moment, in seconds, and see what a second run makes of it."""
    tree.back(f"before {stage}")
    expected, old = results(tree.root / f"after {stage}"), results(tree.path)
    started, process = time.monotonic(), tree.start(*tree.stages[stage])
    while process.poll() is None and time.monotonic() < started + moment:
        time.sleep(0.005)
    if process.poll() is not None:  # too late: it is faster than it was when it was learnt
        begun, _ = tree.life[stage]
        tree.life[stage] = (min(begun, 3.0), time.monotonic() - started)
        return
    found.moments += 1
    tree.kill(process, one=one)

    there = results(tree.path)
    half = [name for name, path in there.items() if not same(path, expected[name])]
    stats = {name: path.stat() for name, path in there.items() if name not in old}
    code, said = tree.run(*tree.stages[stage])
    if "--unlock" in said:
        found.unlocked += 1
        tree.finish("--unlock")
        code, said = tree.run(*tree.stages[stage])

    after, problems = results(tree.path), len(found.problems)
    wrong = [n for n, p in expected.items() if n not in after or not same(p, after[n])]
    wrong += [name for name in after if name not in expected]
    redone = [n for n, s in stats.items() if n not in wrong and changed(s, after[n].stat())]
    left = [str(p) for p in (tree.path / "results").rglob(".*.part")]
    left += [str(p) for p in (tree.path / "results").rglob("unfinished")]
    found.whole += len(stats)
    found.half += len(half)
    found.wrong += len(wrong)
    found.redone += len(redone)
    found.left += len(left)
    logs = (tree.path / "results").rglob("logs/*cell/*.log")
    found.resumed += sum(path.read_text().count("going on after") for path in logs)
    for what, names in (("half", half), ("wrong", wrong), ("left", left)):
        found.problems += [f"{moment:.2f} s: {what}: {name}" for name in names]
    if code:
        found.problems.append(f"{moment:.2f} s: the second run failed: {said[-2000:]}")
    victim, bad = "a job" if one else "all", len(found.problems) - problems
    print(f"{stage} {found.moments}: {victim} at {moment:.1f} s, {bad} problems", file=sys.stderr)


def changed(stat, other):
    return (stat.st_ino, stat.st_mtime_ns) != (other.st_ino, other.st_mtime_ns)


def harm(tree, stage, moments, seed=0):
    """Kill a stage at random moments."""
    draw, found = random.Random(f"{seed} {stage}"), Found()
    while found.moments < moments:
        one = (found.moments + seed) % 2 == 1
        strike(tree, stage, draw.uniform(*tree.life[stage]), found, one=one)
    tree.back(f"after {stage}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--stage", choices=STAGES, action="append")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        tree = Tree(Path(root))
        tree.finish("results/killed/objects/fashion_mnist.npz")
        for stage in STAGES:
            tree.learn(stage)
            if stage in (arguments.stage or STAGES):
                begun = time.monotonic()
                found = harm(tree, stage, arguments.moments, arguments.seed)
                shown = {k: v for k, v in asdict(found).items() if k != "problems"}
                life = "{:.1f}-{:.1f}".format(*tree.life[stage])
                print(stage, shown, f"life {life} s, {time.monotonic() - begun:.0f} s", flush=True)
                print("".join(f"  {problem}\n" for problem in found.problems), end="", flush=True)


if __name__ == "__main__":
    main()
