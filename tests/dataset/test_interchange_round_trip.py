"""Sets written in the forms of others and read again: bit by bit, or equal pictures."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from strategies import random_networks

from weightspace.data.coordinates import grid
from weightspace.dataset.assemble import assemble, with_statistics
from weightspace.dataset.interchange.convention import (
    CONVENTIONS,
    Convention,
    from_house,
    to_house,
)
from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.dataset.interchange.state_dicts import read_state_dicts, write_state_dicts
from weightspace.dataset.interchange.tensors_file import read_safetensors, write_safetensors
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.store import InrSet, empty_columns, read_inrs, write_inrs


@pytest.fixture
def whole(study):
    """An assembled set with two failed fits, one of unknown quality."""
    shard = study.inr_set(study.entries, failed=((3, 1), (60001, 0)))
    shard.failures["psnr"][0] = np.nan
    write_inrs(study.folder / "shard.h5", shard)
    path = study.folder / "whole.h5"
    assemble([study.folder / "shard.h5"], path, objects=study.objects, views=study.views)
    return read_inrs(path)


def file_of(inrs, folder):
    """The bytes of the HDF5 file, which are equal for equal sets."""
    write_inrs(folder / "any.h5", inrs)
    return (folder / "any.h5").read_bytes()


def pictures(inrs):
    omega_0, offset = inrs.header.omega_0, inrs.header.output_offset
    return siren(inrs.weights, grid((5, 6)), omega_0=omega_0, output_offset=offset)


def with_constants(inrs, **constants):
    return replace(inrs, header=replace(inrs.header, **constants), statistics=None)


def test_state_dicts_give_the_same_file(whole, tmp_path):
    write_state_dicts(tmp_path / "out", whole)
    assert file_of(read_state_dicts(tmp_path / "out"), tmp_path) == file_of(whole, tmp_path)


def test_our_own_exports_keep_their_views(whole, tmp_path):
    # Of a set none of whose first views was kept; the failed fits are numbered alike.
    rows = whole.columns["view"] > 0
    columns = {name: x[rows] for name, x in whole.columns.items()}
    weights = whole.weights[torch.from_numpy(rows)]
    later = with_statistics(replace(whole, weights=weights, columns=columns))
    write_state_dicts(tmp_path / "out", later)
    again = read_state_dicts(tmp_path / "out")
    assert again.columns["view"].min() == 1
    assert file_of(again, tmp_path) == file_of(later, tmp_path)


def test_state_dicts_alone_give_the_same_networks(whole, tmp_path):
    # Without what only we write: other readers see paths and labels.
    root = tmp_path / "out"
    write_state_dicts(root, whole)
    (root / "weightspace.json").unlink()
    splits = json.loads((root / "splits.json").read_text())
    lists = {split: {k: x[k] for k in ("path", "label")} for split, x in splits.items()}
    (root / "splits.json").write_text(json.dumps(lists))
    again = read_state_dicts(root, shape=(4, 4))
    for name in ("object_id", "view", "label", "split"):
        assert np.array_equal(again.columns[name], whole.columns[name]), name
    for x, y in zip(again.weights, whole.weights, strict=True):
        assert torch.equal(x, y)


def test_exported_files_are_as_published(whole, tmp_path):
    root = tmp_path / "out"
    write_state_dicts(root, whole)
    splits = json.loads((root / "splits.json").read_text())
    path = splits["train"]["path"][1]
    assert path == "view_2/0/3.pth"  # view 1 failed; the view is the third from the end
    assert (root / path).stat().st_size < 10_000  # its own numbers only
    state = torch.load(root / path, weights_only=True)
    label = state.pop("label")
    assert (label, splits["train"]["label"][1]) == (0, 0)
    assert list(state) == ["seq.0.weight", "seq.0.bias", "seq.1.weight", "seq.1.bias"]
    row = (whole.columns["object_id"] == 3) & (whole.columns["view"] == 2)
    first = whole.weights.weights[0][torch.from_numpy(row)][0]
    assert torch.equal(state["seq.0.weight"], first.flip(1))  # column, then row
    assert len(list(root.rglob("*.pth"))) == len(whole.weights)


@pytest.mark.parametrize(
    "constants", [{"omega_0": 20.0}, {"output_offset": 0.0}, {"omega_0": 1.0, "output_offset": 2.0}]
)
@pytest.mark.parametrize("convention", [None, CONVENTIONS["nfn"], Convention(omega_0=7.0)])
def test_other_constants_render_the_same(whole, tmp_path, constants, convention):
    # Networks as they are fitted: wilder ones amplify the rounding of their weights.
    networks = init_siren(
        (2, 3, 2), omega_0=30.0, generator=stream(0), batch_size=len(whole.weights)
    )
    whole = replace(whole, weights=networks, statistics=None)
    inrs = with_constants(whole, **constants)
    write_state_dicts(tmp_path / "out", inrs, convention=convention)
    again = read_state_dicts(tmp_path / "out")
    assert again.header.omega_0 == (convention or CONVENTIONS["dws"]).omega_0
    assert again.header.output_offset == 0.5
    assert (pictures(again) - pictures(inrs)).abs().max() < 1e-5
    assert (pictures(again) - pictures(whole)).abs().max() > 1e-2


def test_equal_constants_change_no_bit():
    # 30 times a number and back is another number for some of these.
    w = random_networks((2, 8, 8, 3), 50, seed=3, dtype=torch.float32)
    for convention in CONVENTIONS.values():
        files = from_house(w, omega_0=30.0, output_offset=0.5, convention=convention)
        for x, y in zip(to_house(files, convention), w, strict=True):
            assert torch.equal(x, y)


@pytest.mark.parametrize("n_hidden", [0, 1, 3])
def test_a_convention_is_a_rule(n_hidden):
    # The oracle: the rule of `Convention`, point by point in double precision.
    layout = (2, *[4] * n_hidden, 2)
    w = random_networks(layout, 3, seed=1, dtype=torch.float64)
    convention = Convention(omega_0=11.0, output_offset=-0.25, output_scale=0.3, axes="xy")
    files = from_house(w, omega_0=30.0, output_offset=0.5, convention=convention)
    points = grid((3, 4)).double()
    expected = siren(w, points, omega_0=30.0, output_offset=0.5)
    for i in range(3):
        for point, value in zip(points, expected[i], strict=True):
            x = point.flip(0)
            for l in range(n_hidden + 1):
                x = files.weights[l][i] @ x + files.biases[l][i]
                x = torch.sin(11 * x) if l < n_hidden else 0.3 * x - 0.25
            assert (x - value).abs().max() < 1e-9


def test_a_set_may_be_empty_or_of_other_inputs(make_other, tmp_path):
    inrs = make_other((3, 4, 1), 4)
    write_state_dicts(tmp_path / "three", inrs)
    again = read_state_dicts(tmp_path / "three")
    assert file_of(replace(again, statistics=None), tmp_path) == file_of(inrs, tmp_path)
    for other in (inrs, make_other((1, 1), 0)):
        write_safetensors(tmp_path / "a.safetensors", other)
        assert file_of(read_safetensors(tmp_path / "a.safetensors"), tmp_path) == file_of(
            other, tmp_path
        )


@pytest.fixture
def make_other(whole):
    def make(layout, n):
        header = replace(
            whole.header,
            layer_layout=layout,
            coords={"shape": [4] * layout[0]},
            classes=(),
            dataset="größer",
        )
        columns = {name: x[:n] for name, x in whole.columns.items()}
        networks = random_networks(layout, max(n, 1), seed=0, dtype=torch.float32)[:n]
        return InrSet(header, networks, columns, empty_columns())

    return make


def test_export_fills_a_new_folder_only(whole, tmp_path):
    (tmp_path / "out").mkdir()
    write_state_dicts(tmp_path / "out", whole)
    for there in ("out", "any.h5"):
        file_of(whole, tmp_path)
        with pytest.raises(InterchangeError, match="is there and not empty: give a new folder"):
            write_state_dicts(tmp_path / there, whole)


def test_a_broken_off_export_is_no_set(whole, tmp_path):
    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_state_dicts(tmp_path / "new" / "out", whole, progress=stop)
    assert not list((tmp_path / "new").iterdir())


def test_an_export_to_a_full_disk_leaves_nothing_and_can_be_run_again(whole, tmp_path, monkeypatch):
    write, done = Path.write_bytes, []

    def full(path, content):
        done.append(path)
        if len(done) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    out = tmp_path / "new" / "out"
    with pytest.raises(OSError, match="No space left") as caught:
        write_state_dicts(out, whole)
    assert str(caught.value) == f"[Errno 28] No space left on device: '{out}'"
    assert not list(out.parent.iterdir())
    out.mkdir()
    write_state_dicts(out, whole)
    assert [x.name for x in out.parent.iterdir()] == ["out"]


def test_an_export_does_not_replace_the_folder_where_one_is(whole, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InterchangeError, match="give a new folder in it"):
        write_state_dicts(".", whole)


def test_safetensors_give_the_same_file(whole, tmp_path):
    write_safetensors(tmp_path / "a.safetensors", whole)
    again = read_safetensors(tmp_path / "a.safetensors")
    assert file_of(again, tmp_path) == file_of(whole, tmp_path)
    write_safetensors(tmp_path / "b.safetensors", again)
    first, second = ((tmp_path / f"{x}.safetensors").read_bytes() for x in "ab")
    assert first == second


def test_safetensors_can_be_read_without_us(whole, tmp_path):
    write_safetensors(tmp_path / "a.safetensors", whole)
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        about = json.loads(file.metadata()["weightspace"])
        assert torch.equal(file.get_tensor("weights.1"), whole.weights.weights[1])
        assert torch.equal(file.get_tensor("biases.0"), whole.weights.biases[0])
        split = [about["texts"][i] for i in file.get_tensor("columns.split").tolist()]
        labels = file.get_tensor("columns.label").tolist()
    assert about["attributes"]["omega_0"] == 30
    assert split == whole.columns["split"].tolist()
    assert labels == whole.columns["label"].tolist()


def test_damaged_safetensors_are_refused(whole, tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, whole)
    content = path.read_bytes()
    header_end = 8 + int.from_bytes(content[:8], "little")
    for place in range(header_end, len(content), 13):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(InterchangeError, match=r"a\.safetensors is truncated, damaged"):
            read_safetensors(path)
    for end in (0, 4, header_end, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(InterchangeError, match=r"a\.safetensors is truncated, damaged"):
            read_safetensors(path)


def test_other_safetensors_are_refused(whole, tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "a.safetensors"
    with pytest.raises(InterchangeError, match="cannot be read"):
        read_safetensors(path)
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(InterchangeError, match="has no 'weightspace' in its metadata"):
        read_safetensors(path)
    for about, expected in (
        ({"attributes": {"version": 2}}, "has version 2, this weightspace reads up to 1"),
        ({"attributes": {"version": 1}}, "is truncated, damaged"),
        ([], "is truncated, damaged"),
    ):
        save_file({"x": np.zeros(3)}, path, {"weightspace": json.dumps(about)})
        with pytest.raises(InterchangeError, match=expected):
            read_safetensors(path)
    with pytest.raises(InterchangeError, match="could not be written"):
        write_safetensors(tmp_path, whole)
