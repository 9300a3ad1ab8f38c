from dataclasses import replace

import numpy as np
import pytest
import torch

from weightspace.data.coordinates import grid
from weightspace.data.objects import Objects, write_objects
from weightspace.report.collect import ReportError
from weightspace.report.figures.fit_quality import fit_quality_figure
from weightspace.report.figures.gallery import gallery_figure
from weightspace.report.fit_quality import fit_quality_table, read_fits
from weightspace.report.saving import save_figure
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.store import Header, InrSet, empty_columns, write_inrs
from weightspace.weights import Weights

SHAPE, OMEGA, OFFSET = (8, 6), 7.0, 0.3
CLASSES = ("sock", "hat", "glove")
N_OBJECTS, N_VIEWS = 6, 3


def _networks(n_out: int) -> Weights:
    """Views that are the networks of the objects, disturbed more from view to view."""
    layout = (2, 8, n_out)
    first = init_siren(
        layout, omega_0=OMEGA, generator=stream(0, "test"), batch_size=N_OBJECTS
    ).map(lambda x: 0.3 * x)
    repeated = first.map(lambda x: x.repeat_interleave(N_VIEWS, 0))
    size = torch.arange(N_OBJECTS * N_VIEWS) % N_VIEWS
    return Weights(
        repeated.weights, (*repeated.biases[:-1], repeated.biases[-1] + 0.02 * size[:, None])
    )


def _columns(keep: np.ndarray) -> dict[str, np.ndarray]:
    object_id = np.repeat(100 + np.arange(N_OBJECTS), N_VIEWS)
    n = len(object_id)
    columns = {
        "object_id": object_id,
        "view": np.tile(np.arange(N_VIEWS), N_OBJECTS).astype(np.int32),
        "label": (object_id - 100) % 3,
        "split": np.where(object_id < 104, "train", "test"),
        "seed": np.zeros(n, dtype=np.int64),
        "psnr": (30 + np.arange(n)).astype(np.float32),
        "attempts": (1 + (np.arange(n) == 1)).astype(np.int32),
        "steps": np.full(n, 120, dtype=np.int32),
    }
    return {name: column[keep] for name, column in columns.items()}


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def fitted(request, tmp_path):
    """Objects and the file of their networks; the last view of object 100 failed."""
    w = _networks(request.param)
    coords = {"shape": list(SHAPE), "range": [-1.0, 1.0], "order": "C", "axes": "ij"}
    header = Header(
        dataset="made_up",
        layer_layout=w.layer_layout,
        omega_0=OMEGA,
        output_offset=OFFSET,
        coords=coords,
        classes=CLASSES,
        commit="0" * 40,
        config={},
    )
    failed = np.arange(N_OBJECTS * N_VIEWS) == 2
    inrs = InrSet(header, w[torch.as_tensor(~failed)], _columns(~failed), _columns(failed))
    write_inrs(tmp_path / "inrs.h5", inrs)
    exact = siren(w[::N_VIEWS], grid(SHAPE), omega_0=OMEGA, output_offset=OFFSET)
    assert exact.min() > 0 and exact.max() < 1
    shape = (N_OBJECTS, *SHAPE, *([3] if request.param == 3 else []))
    ids = 100 + np.arange(N_OBJECTS)
    objects = Objects(
        dataset="made_up",
        images=(255 * exact).round().reshape(shape).numpy().astype(np.uint8),
        labels=(ids - 100) % 3,
        object_ids=ids,
        splits=np.where(ids < 104, "train", "test"),
        classes=CLASSES,
    )
    write_objects(tmp_path / "objects.npz", objects)
    return tmp_path / "inrs.h5", tmp_path / "objects.npz", inrs, objects


def test_gallery_renders_the_right_network_under_each_original(fitted):
    inr_path, objects_path, _, objects = fitted
    figure = gallery_figure(inr_path, objects_path, n_objects=4, n_views=2)
    panels = np.array(figure.axes).reshape(3, 4)
    # object 100 lost a view, so 101, 102 and 103 come first, one of each class
    assert [axes.get_title() for axes in panels[0]] == ["sock", "hat", "glove", "hat"]
    for column, object_id in enumerate((103, 101, 102, 104)):
        original = panels[0, column].images[0].get_array()
        assert np.allclose(original, objects.images[object_id - 100] / 255)
        exact = panels[1, column].images[0].get_array()
        assert np.abs(exact - original).max() < 0.51 / 255  # rounding of the original
        disturbed = panels[2, column].images[0].get_array()
        assert np.allclose(disturbed - exact, 0.02, atol=1e-5)


def test_gallery_computes_the_psnr_from_what_it_shows(fitted):
    inr_path, objects_path, *_ = fitted
    figure = gallery_figure(inr_path, objects_path, n_objects=2, n_views=3)
    panels = np.array(figure.axes).reshape(4, 2)
    for column in panels.T:
        original = column[0].images[0].get_array()
        for axes in column[1:]:
            mse = np.mean((axes.images[0].get_array() - original) ** 2)
            assert axes.get_title() == f"{-10 * np.log10(mse):.1f} dB"
    # 0.04 beside the original: 28 dB, whatever the psnr that the file states
    assert float(panels[3, 0].get_title().split()[0]) == pytest.approx(27.96, abs=0.1)


def test_gallery_shows_failures_and_every_object_if_asked(fitted, tmp_path):
    _, objects_path, inrs, _ = fitted
    one_lost = np.flatnonzero((inrs.columns["view"] != 1) | (inrs.columns["object_id"] == 100))
    part = InrSet(
        inrs.header,
        inrs.weights[torch.as_tensor(one_lost)],
        {name: column[one_lost] for name, column in inrs.columns.items()},
    )
    write_inrs(tmp_path / "part.h5", part)
    figure = gallery_figure(tmp_path / "part.h5", objects_path, n_objects=100)
    panels = np.array(figure.axes).reshape(4, N_OBJECTS)
    words = {(r, c) for r in range(4) for c in range(6) if panels[r, c].texts}
    assert len(words) == 6 and {r for r, _ in words} == {2, 3}
    assert [axes.get_ylabel() for axes in panels[:, 0]] == [
        "original",
        "view 0",
        "view 1",
        "view 2",
    ]
    save_figure(figure, [tmp_path / "gallery.png", tmp_path / "gallery.pdf"])


def test_gallery_of_other_objects(fitted, tmp_path):
    inr_path, _, _, objects = fitted
    other = replace(objects, object_ids=objects.object_ids + 500)
    write_objects(tmp_path / "other.npz", other)
    with pytest.raises(ReportError, match=r"lacks the objects \[103, 101\].*that were fitted"):
        gallery_figure(inr_path, tmp_path / "other.npz", n_objects=2)


def test_gallery_of_shapes(fitted, tmp_path):
    _, objects_path, inrs, _ = fitted
    header = Header(**{**vars(inrs.header), "coords": {"shape": [4, 4, 3]}})
    write_inrs(tmp_path / "shapes.h5", InrSet(header, inrs.weights, inrs.columns))
    with pytest.raises(ReportError, match="a picture needs a shape of two axes"):
        gallery_figure(tmp_path / "shapes.h5", objects_path)


def test_fit_quality_counts_and_summarises(fitted):
    table = fit_quality_table(read_fits(fitted[0])).set_index("split")
    assert list(table.index) == ["train", "test"]
    train = table.loc["train"]
    assert (train["objects"], train["views"], train["inrs"], train["failed"]) == (4, 3, 11, 1)
    psnr = np.delete(30.0 + np.arange(12), 2)
    assert train["refitted"] == 1 and train["steps_mean"] == 120
    assert train["psnr_min"] == 30 and train["psnr_max"] == 41
    assert train["psnr_median"] == np.median(psnr)
    assert train["psnr_mean"] == pytest.approx(psnr.mean())
    assert table.loc["test"]["failed"] == 0


def test_fit_quality_figure_states_failures_minimum_and_median(fitted):
    figure = fit_quality_figure(read_fits(fitted[0]))
    train, test = figure.axes
    title = train.get_title(loc="left")
    assert title == ("train: 11 networks of 4 objects, 1 failed; minimum 30.0 dB, median 36.0 dB")
    assert sum(patch.get_height() for patch in train.patches) == 11
    assert sum(patch.get_height() for patch in test.patches) == 6
    assert [line.get_xdata()[0] for line in train.lines] == [30.0, 36.0]


def test_exact_fits_and_a_split_that_failed_throughout(fitted, tmp_path):
    *_, inrs, _ = fitted
    train = np.flatnonzero(inrs.columns["split"] == "train")
    kept = {name: column[train] for name, column in inrs.columns.items()}
    kept["psnr"] = np.where(np.arange(len(train)) == 0, np.inf, kept["psnr"]).astype(np.float32)
    lost = {name: column[inrs.columns["split"] == "test"] for name, column in inrs.columns.items()}
    part = InrSet(inrs.header, inrs.weights[torch.as_tensor(train)], kept, lost)
    write_inrs(tmp_path / "part.h5", part)
    fits = read_fits(tmp_path / "part.h5")
    table = fit_quality_table(fits).set_index("split")
    assert table.loc["test"]["inrs"] == 0 and table.loc["test"]["failed"] == 6
    save_figure(fit_quality_figure(fits), [tmp_path / "quality.png"])


def test_a_file_without_networks(fitted, tmp_path):
    *_, inrs, _ = fitted
    empty = InrSet(inrs.header, inrs.weights[:0], empty_columns(), inrs.failures)
    write_inrs(tmp_path / "empty.h5", empty)
    with pytest.raises(ReportError, match="holds no network"):
        read_fits(tmp_path / "empty.h5")
