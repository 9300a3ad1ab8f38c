"""The command line, on sets that the tests write."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from weightspace.__main__ import main
from weightspace.store import read_inrs, write_inrs


@pytest.fixture
def source(tmp_path):
    """Three objects, the first with two views."""
    root = tmp_path / "some_set"
    splits = {"train": ["view_0/1.pth", "view_1/1.pth"], "test": ["view_0/2.pth", "view_0/3.pth"]}
    torch.manual_seed(0)
    for i, path in enumerate(path for paths in splits.values() for path in paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        network = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Linear(4, 1))
        torch.save({**network.state_dict(), "label": i // 2}, root / path)
    (root / "splits.json").write_text(json.dumps(splits))
    return root


def run(*arguments):
    return main([str(x) for x in arguments])


@pytest.mark.parametrize("out", ["out", "out.safetensors"])
def test_import_export_import(source, tmp_path, capsys, out):
    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    settings = ["--shape", "5", "6", "--dataset", "pictures", "--omega-0", "20"]
    settings += ["--classes", "shirt", "shoe", "--output-offset", "0", "--axes", "ij"]
    assert run("import", source, first, *settings) == 0
    header = read_inrs(first).header
    assert (header.omega_0, header.output_offset, header.dataset) == (20, 0, "pictures")
    assert (header.coords["shape"], header.classes) == ([5, 6], ("shirt", "shoe"))
    assert run("export", first, tmp_path / out) == 0
    assert run("import", tmp_path / out, second) == 0
    assert "4 networks, 0 failed fits" in capsys.readouterr().out
    if out.endswith(".safetensors"):
        assert first.read_bytes() == second.read_bytes()
    else:
        assert read_inrs(second).header.omega_0 == 30
        assert read_inrs(second).header.dataset == "pictures"


def test_info_counts_splits_and_views(source, tmp_path, capsys):
    run("import", source, tmp_path / "a.h5")
    inrs = read_inrs(tmp_path / "a.h5")
    inrs.columns["psnr"][:] = [40, 50, 30, 20]
    inrs.columns["steps"][:] = 100
    inrs.failures.update({name: x[:1].copy() for name, x in inrs.columns.items()})
    inrs.failures["view"][:] = 9
    capsys.readouterr()
    write_inrs(tmp_path / "a.h5", inrs)
    assert run("info", tmp_path / "a.h5") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["dataset", "some_set"] in lines
    assert ["layer_layout", "2-4-1"] in lines
    assert ["train", "0", "1", "0", *["40.00"] * 7] in lines
    assert ["train", "1", "1", "0", *["50.00"] * 7] in lines
    assert ["train", "9", "0", "1", *["-"] * 7] in lines
    quantiles = [f"{x:.2f}" for x in np.quantile([30, 20], (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1))]
    assert ["test", "0", "2", "0", *quantiles] in lines


def test_info_counts_the_classes(source, tmp_path, capsys):
    run("import", source, tmp_path / "a.h5", "--classes", "shirt", "shoe")
    capsys.readouterr()
    run("info", tmp_path / "a.h5")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert any(line[:5] == ["shirt", "1", "(2)", "0", "(0)"] for line in lines)
    assert any(line[:5] == ["shoe", "0", "(0)", "2", "(2)"] for line in lines)


def test_render_draws_the_views_of_an_object(source, tmp_path, capsys):
    import matplotlib.image

    run("import", source, tmp_path / "a.h5", "--shape", "5", "6")
    columns = read_inrs(tmp_path / "a.h5").columns
    two = int(columns["object_id"][columns["view"] == 1][0])
    sizes = []
    for i, chosen in enumerate((["--object", two], ["--object", two, "--view", 1], [])):
        assert run("render", tmp_path / "a.h5", *chosen, "--out", tmp_path / f"{i}.png") == 0
        sizes.append(matplotlib.image.imread(tmp_path / f"{i}.png").shape[1])
    assert sizes[0] > 1.3 * sizes[1]  # two panels
    assert str(tmp_path / "2.png") in capsys.readouterr().out


def test_render_says_which_objects_and_views_there_are(source, tmp_path, capsys):
    run("import", source, tmp_path / "a.h5", "--shape", "5", "6")
    inrs = read_inrs(tmp_path / "a.h5")
    ids = sorted(set(inrs.columns["object_id"].tolist()))
    capsys.readouterr()
    out = tmp_path / "x.png"
    assert run("render", tmp_path / "a.h5", "--object", 77, "--out", out) == 2
    assert f"objects: {', '.join(map(str, ids))}" in capsys.readouterr().err
    two = int(inrs.columns["object_id"][inrs.columns["view"] == 1][0])
    assert run("render", tmp_path / "a.h5", "--object", two, "--view", 5, "--out", out) == 2
    assert f"no view 5 of object {two}; it has the views [0, 1]" in capsys.readouterr().err
    assert run("render", tmp_path / "a.h5", "--object", two, "--out", tmp_path / "x.gif") == 2
    assert ".gif" in capsys.readouterr().err
    assert not out.exists()


def test_info_of_an_import_says_that_the_quality_is_unknown(source, tmp_path, capsys):
    run("import", source, tmp_path / "a.h5")
    assert capsys.readouterr().out.count("unknown") == 4  # the commit, and three rows


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "gone.h5", "out"),
        ("render", "gone.h5", "--out", "x.png"),
        ("import", "gone", "a.h5"),
        ("import", "gone.safetensors", "a.h5"),
        ("import", "gone.safetensors", "a.h5", "--omega-0", "3"),
        ("import", "SOURCE", "a.h5", "--omega-0", "0"),
        ("import", "SOURCE", "a.h5", "--shape", "28"),
        ("import", "SOURCE", "a.h5", "--view-part", "7"),
        ("import", "SOURCE", "SOURCE"),
        ("import", "SOURCE", "a.h5", "--dataset", ""),
        ("import", "SOURCE", "a.h5", "--classes", "a", "a"),
        ("import", "SOURCE", "a.h5", "--split-points", "5", "2"),
        ("import", "SOURCE", "a.h5", "--shape", "100000000", "100000000"),
    ],
)
def test_bad_input_is_one_line_and_status_2(source, tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert run(*[source if x == "SOURCE" else x for x in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith(f"weightspace {arguments[0]}: ")
    assert not (tmp_path / "a.h5").exists()


def test_only_a_file_of_the_kind_is_replaced(source, tmp_path, capsys):
    h5, packed = tmp_path / "a.h5", tmp_path / "a.safetensors"
    for _ in range(2):
        assert run("import", source, h5, "--shape", "5", "6") == 0
        assert run("export", h5, packed) == 0
    before = {path: path.read_bytes() for path in (h5, packed, source / "splits.json")}
    (tmp_path / "link").symlink_to(source / "splits.json")
    capsys.readouterr()
    for arguments in (
        ("import", source, source / "splits.json"),
        ("import", source, tmp_path / "link"),
        ("import", packed, packed),
        ("export", h5, h5, "--format", "safetensors"),
    ):
        assert run(*arguments) == 2
        assert "is there and is not a" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


def test_render_says_that_out_is_a_folder_or_the_networks(source, tmp_path, capsys):
    run("import", source, tmp_path / "a.png", "--shape", "5", "6")
    before = (tmp_path / "a.png").read_bytes()
    (tmp_path / "d.png").mkdir()
    assert run("render", tmp_path / "a.png", "--out", tmp_path / "d.png") == 2
    assert "d.png is a folder: name the picture in it" in capsys.readouterr().err
    assert run("render", tmp_path / "a.png", "--out", tmp_path / "a.png") == 2
    assert "is the file of the networks" in capsys.readouterr().err
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory ran out"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory ran out"),
        (OSError(28, "No space left on device"), "the disk is full: make room there"),
        (RuntimeError("a bug"), None),
    ],
)
def test_what_a_job_says_clearly_the_command_line_does(monkeypatch, capsys, error, said):
    def fail(path):
        raise error

    monkeypatch.setattr("weightspace.__main__.summary", fail)
    if said is None:
        with pytest.raises(RuntimeError, match="a bug"):
            run("info", "a.h5")
        return
    assert run("info", "a.h5") == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_reader_that_has_had_enough_ends_it_quietly(source, tmp_path):
    run("import", source, tmp_path / "a.h5")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "weightspace", "info", str(tmp_path / "a.h5")]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


def test_it_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "weightspace", "info", str(tmp_path / "gone.h5")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "gone.h5 cannot be read" in result.stderr
