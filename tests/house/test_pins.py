"""What is installed: the locks, the conda file and the list of licences agree."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import yaml

from weightspace.config.data import DatasetConfig

ROOT = Path(__file__).parents[2]
LOCKS = {name: ROOT / name for name in ("requirements.lock", "envs/cuda.lock", "envs/slurm.lock")}
HASHED = re.compile(r"(\S+)==(\S+)( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n")


def entries(lock):
    """The lines of every pin with its hashes, without comments."""
    text = re.sub(r"^#.*\n", "", LOCKS[lock].read_text(), flags=re.MULTILINE)
    return re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]


def pins(lock):
    return {entry.split(" \\")[0] for entry in entries(lock)}


def names(pins):
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[=<>; ]", pin)[0]).lower() for pin in pins}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_has_a_hash(lock):
    assert entries(lock)
    for entry in entries(lock):
        assert HASHED.fullmatch(entry), entry


def test_conda_environment_has_the_pins_of_the_lock():
    environment = yaml.safe_load((ROOT / "envs/weightspace.yaml").read_text())
    python, *_, packages = environment["dependencies"]
    assert python == "python=3.11"
    assert set(packages["pip"]) == pins("requirements.lock")


def test_the_locks_pin_every_dependency_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    base, cuda, slurm = (names(pins(lock)) for lock in LOCKS)
    assert names(project["dependencies"] + extras["dev"]) <= base
    assert names(extras["slurm"]) <= slurm
    assert not base & slurm and not cuda & (base | slurm)


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
    text = (ROOT / "docs/licences.md").read_text()
    rows = dict(re.findall(r"^\| `?([\w.-]+?)`? \| [^|]+ \| ([^|]+) \|", text, flags=re.MULTILINE))
    for lock in LOCKS:
        assert names(pins(lock)) <= names(rows)
    assert names(get_args(DatasetConfig.model_fields["source"].annotation)) <= names(rows)
    assert all(len(licence.strip()) > 2 for licence in rows.values())
