"""Every kind of bad input is one clear message, which docs/errors.md has, and nothing is lost."""

import re
import subprocess
import sys
from pathlib import Path

import config_kinds  # noqa: F401
import download_kinds  # noqa: F401
import import_kinds  # noqa: F401
import picture_kinds  # noqa: F401
import pytest
import shape_kinds  # noqa: F401
import store_kinds  # noqa: F401
import torch
from ways import GOLDEN, KINDS, LOG, ROOT

# The rows of docs/errors.md: a kind, its message with … for what varies, and what to do.
ROW = re.compile(r"^\| ([^|]+) \| `([^|]+)` \| ([^|]+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))


def pattern(message):
    """The documented message as a regular expression."""
    return ".*".join(re.escape(part.strip()) for part in message.split("…"))


def contents():
    files = {p: p for p in Path().rglob("*") if p.is_file() and p.name != LOG}
    return {path: path.read_bytes() for path in files}


@pytest.fixture
def quiet_process(monkeypatch):
    """Keep what jobs do to their process from the other tests."""
    monkeypatch.setattr("weightspace.memory.keep_freed_memory", lambda: None)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", KINDS)
def test_bad_input_is_one_clear_message(name, tmp_path, monkeypatch, capsys, quiet_process):
    documented = {kind: message for kind, message, _ in ROWS}
    monkeypatch.chdir(tmp_path)
    for earlier in ("objects.npz", "dataset.h5"):  # results of an earlier run
        Path(earlier).write_bytes(b"before")
    Path("networks.h5").write_bytes(GOLDEN.read_bytes())  # which an import may replace
    met = KINDS[name]()
    before = contents()
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        met.run()
    err = capsys.readouterr().err
    assert caught.value.code not in (0, None)
    assert "Traceback" not in err
    assert met.names in err
    start = re.findall(r"^(?:weightspace \w+|.*?: error): ", err, flags=re.MULTILINE)
    assert len(start) == 1
    message = " ".join(err.split(start[0])[1].split())
    assert re.fullmatch(pattern(documented[name]), message), message
    assert contents() == before


def test_the_table_of_the_docs_has_every_kind_once():
    assert sorted(kind for kind, *_ in ROWS) == sorted(KINDS)
    assert len(KINDS) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config: a key twice", "config: unknown scheme"])
def test_a_bad_config_stops_snakemake(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    KINDS[name]()
    documented = {kind: message for kind, message, _ in ROWS}
    command = [sys.executable, "-m", "snakemake", "-n", "-d", str(tmp_path), "--workflow-profile"]
    command += ["none", "-s", str(ROOT / "Snakefile"), "--configfile", "study.yaml"]
    (tmp_path / "config.yaml").write_bytes((ROOT / "config.yaml").read_bytes())
    run = subprocess.run(command, capture_output=True, text=True)
    said = " ".join((run.stdout + run.stderr).split())
    assert run.returncode != 0
    assert re.search(pattern(documented[name]).removesuffix(".*"), said), said
    assert "Traceback" not in said


def test_config_files_can_be_checked_alone(tmp_path, monkeypatch):
    from weightspace.config.files import main

    monkeypatch.chdir(tmp_path)
    KINDS["config: indented with tabs"]()
    assert main([str(ROOT / "config.yaml"), "study.yaml"]) == 1
    configs = map(str, (ROOT / "workflow" / "configs").glob("*.yaml"))
    assert main([str(ROOT / "config.yaml"), *configs]) == 0
