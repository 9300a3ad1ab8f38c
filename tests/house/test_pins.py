"""What is installed: the locks, the conda file and the list of licences agree."""

import re
import tomllib
from collections import Counter
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import get_args

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from weightspace.config.data import DatasetConfig

ROOT = Path(__file__).parents[2]
EXTRAS = ("slurm", "cluster-generic", "uv")
BASE, CUDA, *OF_EXTRAS = (
    "requirements.lock",
    "envs/cuda.lock",
    *(f"envs/{x}.lock" for x in EXTRAS),
)
LOCKS = {name: ROOT / name for name in (BASE, CUDA, *OF_EXTRAS)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROW = re.compile(r"^\| `?([^ |`]+)`? \| ([^|]+) \| ([^|]+) \| ([^|]*?) ?\|$", re.MULTILINE)
HASHED = re.compile(r"(\S+)==(\S+)( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n")


def entries(lock):
    """The lines of every pin with its hashes, without comments."""
    text = re.sub(r"^#.*\n", "", LOCKS[lock].read_text(), flags=re.MULTILINE)
    return re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]


def pins(lock):
    return {entry.split(" \\")[0] for entry in entries(lock)}


def versions(*locks):
    """The version of each package in locks, by its normalised name."""
    found = [Requirement(pin) for lock in locks for pin in pins(lock)]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in found}


def unmet(wanted, pinned):
    """What `wanted` requires, and what that requires in turn, and is not pinned, or otherwise.

    It is what is required on this platform of packages that are installed here.
    """
    left, seen, faults = [Requirement(x) for x in wanted], set(), []
    while left:
        r = left.pop()
        name = canonicalize_name(r.name)
        if name not in pinned or not r.specifier.contains(pinned[name], prereleases=True):
            faults.append(f"{r} (pinned: {pinned.get(name)})")
        for extra in ("", *r.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                marked = ((x, x.marker) for x in _requires(name))
                left += [x for x, mark in marked if not mark or mark.evaluate({"extra": extra})]
    return faults


def _requires(name):
    try:
        return [Requirement(x) for x in requires(name) or ()]
    except PackageNotFoundError:  # of an extra, or of torch for another device
        return []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_has_a_hash(lock):
    assert entries(lock)
    for entry in entries(lock):
        assert HASHED.fullmatch(entry), entry


def test_conda_environment_has_the_pins_of_the_lock():
    environment = yaml.safe_load((ROOT / "envs/weightspace.yaml").read_text())
    python, *_, packages = environment["dependencies"]
    assert python == "python=3.11"
    assert set(packages["pip"]) == pins(BASE) | pins(CUDA)


def test_the_locks_pin_every_dependency_once():
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {"dev", *EXTRAS}
    assert not unmet(PROJECT["dependencies"] + extras["dev"], versions(BASE, CUDA))
    for name, lock in zip(EXTRAS, OF_EXTRAS, strict=True):
        assert not unmet(extras[name], versions(BASE, CUDA, lock))
    locked = Counter(name for lock in LOCKS for name in versions(lock))
    assert set(locked.values()) == {1}


def test_a_missing_and_a_wrong_pin_are_found():
    pinned, wanted = versions(BASE, CUDA), PROJECT["dependencies"]
    without = {name: version for name, version in pinned.items() if name != "llvmlite"}
    assert [x.split("<")[0].split(">")[0] for x in unmet(wanted, without)] == ["llvmlite"]
    (fault,) = unmet(wanted, {**pinned, "h5py": "3.0"})
    assert fault == "h5py>=3.15 (pinned: 3.0)"


def test_a_rule_has_no_retries_and_its_retry_gets_more_memory():
    # With retries of its own, a rule is repeated inside the allocation of Slurm that was too small.
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            assert "retries:" not in rule
            if "script:" in rule and "localrule: True" not in rule:
                resources = rule.split("resources:")[1].split("params:")[0]
                assert "attempt" in resources.split("mem_mb=")[1].split("runtime=")[0], rule


def test_the_slurm_profile_repeats_what_is_right_everywhere():
    default, slurm = (
        yaml.safe_load((ROOT / f"workflow/profiles/{name}/config.yaml").read_text())
        for name in ("default", "slurm")
    )
    for key in default.keys() - {"cores", "resources", "default-resources"}:
        assert slurm[key] == default[key]
    assert default["default-resources"].keys() <= slurm["default-resources"].keys()


def test_every_dependency_and_dataset_has_a_licence():
    datasets, packages = (ROOT / "docs/licences.md").read_text().split("## Packages")
    sources = {name for name, *_ in ROW.findall(datasets) if name != "source"}
    assert sources == set(get_args(DatasetConfig.model_fields["source"].annotation))
    rows = ROW.findall(packages)
    listed = [(canonicalize_name(name), version, lock) for name, version, _, lock in rows]
    locked = [
        (name, version, path.name)
        for lock, path in LOCKS.items()
        for name, version in versions(lock).items()
    ]
    assert sorted(x for x in listed if x[0] != "package") == sorted(locked)
    assert not [row for row in rows if len(row[2]) < 3 or "stated" in row[2].lower()]
