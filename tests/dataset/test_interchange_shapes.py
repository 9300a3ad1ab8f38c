"""Networks of shapes through import, export and info."""

from dataclasses import replace

import pytest
import torch

from weightspace.__main__ import main
from weightspace.dataset.assemble import with_statistics
from weightspace.dataset.interchange.convention import CONVENTIONS
from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.dataset.interchange.state_dicts import read_state_dicts, write_state_dicts
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.store import write_inrs

COORDS = {
    "signal": "sdf",
    "truncation": 0.1,
    "level": 0.5,
    "inside": "above",
    "range": [-1.0, 1.0],
    "points": 2048,
    "near": 0.8,
    "spread": 0.05,
}


@pytest.fixture
def make_shapes(study):
    """An assembled set of networks with three inputs, and its file."""

    def make(omega_0=30.0, coords=COORDS):
        inrs = study.inr_set(sorted(study.entries), failed=((3, 1),))
        generator = stream(0, "shapes")
        layout = (3, 8, 8, 1)
        w = init_siren(layout, omega_0=omega_0, generator=generator, batch_size=len(inrs.weights))
        constants = {"omega_0": omega_0, "dataset": "ldraw10", "coords": coords}
        header = replace(inrs.header, layer_layout=layout, **constants)
        inrs = with_statistics(replace(inrs, header=header, weights=w))
        write_inrs(study.folder / "shapes.h5", inrs)
        return study.folder / "shapes.h5", inrs

    return make


def outputs(inrs):
    points = 2 * torch.rand(50, 3, generator=stream(0, "points")) - 1
    header = inrs.header
    return siren(inrs.weights, points, omega_0=header.omega_0, output_offset=header.output_offset)


def run(*arguments):
    return main([str(x) for x in arguments])


@pytest.mark.parametrize("out", ["out", "out.safetensors"])
def test_exported_shapes_come_back_bit_by_bit(make_shapes, tmp_path, out):
    path, _ = make_shapes()
    assert run("export", path, tmp_path / out) == 0
    assert run("import", tmp_path / out, tmp_path / "again.h5") == 0
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("convention", [None, CONVENTIONS["nfn"]])
def test_shapes_of_another_frequency_keep_their_functions(make_shapes, tmp_path, convention):
    _, inrs = make_shapes(omega_0=20.0)
    write_state_dicts(tmp_path / "out", inrs, convention=convention)
    again = read_state_dicts(tmp_path / "out")
    assert again.header.omega_0 == 30 and again.header.coords == COORDS
    assert (outputs(again) - outputs(inrs)).abs().max() < 1e-5


def test_shapes_have_no_axes_of_pictures_and_no_grid(make_shapes, tmp_path):
    _, inrs = make_shapes()
    with pytest.raises(InterchangeError, match="the networks have 3: state the axes 'ij'"):
        write_state_dicts(tmp_path / "xy", inrs, convention=CONVENTIONS["dws"])
    assert not (tmp_path / "xy").exists()
    write_state_dicts(tmp_path / "out", inrs)
    with pytest.raises(InterchangeError, match=r"shape \(9, 9, 9\) is stated: leave it out"):
        read_state_dicts(tmp_path / "out", shape=(9, 9, 9))


def test_info_says_what_shapes_are(make_shapes, capsys):
    path, _ = make_shapes()
    assert run("info", path) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = "range [-1.0, 1.0], points 2048, near 0.8, spread 0.05"
    words = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines if line}
    assert words["layer_layout"] == "3-8-8-1"
    assert set(words["coords"].split(", ")) == set(
        f"sdf of shapes, inside above 0.5, truncation 0.1, {facts}".split(", ")
    )
    path, _ = make_shapes(coords=COORDS | {"signal": "occupancy", "truncation": None})
    assert run("info", path) == 0
    coords = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("coords"))
    assert "occupancy of shapes" in coords and "truncation" not in coords


def test_info_of_pictures_names_the_grid(study, capsys):
    path = study.write("pictures.h5", study.entries)
    assert run("info", path) == 0
    assert "coords         grid 4 x 4, axes ij" in capsys.readouterr().out
