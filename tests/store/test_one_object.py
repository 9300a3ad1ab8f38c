"""The picture of one object: the panels are what its networks show."""

import numpy as np
import pytest
from fitted_shapes import LOST, SIREN, constant, fitted

from weightspace.data.coordinates import grid
from weightspace.fit.shape_quality import level_set
from weightspace.report.collect import ReportError
from weightspace.report.figures import one_object
from weightspace.report.figures.one_object import object_figure
from weightspace.siren import siren
from weightspace.store import write_inrs


@pytest.mark.parametrize(("d_out", "shape"), [(1, (4, 6, 1)), (3, (4, 6, 3))])
def test_a_picture_is_what_the_network_gives_at_the_pixels(make, tmp_path, d_out, shape):
    coords = {"shape": [4, 6], "range": [-1.0, 1.0], "order": "C", "axes": "ij"}
    inrs = make(6, layer_layout=(2, 5, d_out), coords=coords)
    write_inrs(tmp_path / "a.h5", inrs)
    figure = object_figure(tmp_path / "a.h5", 1)  # its two views are rows 2 and 3
    assert [axes.get_title() for axes in figure.axes] == ["view 0, 40.2 dB", "view 1, 40.4 dB"]
    values = siren(inrs.weights[2:4], grid((4, 6)), omega_0=30.0, output_offset=0.5)
    for axes, expected in zip(figure.axes, values, strict=True):
        drawn = np.asarray(axes.images[0].get_array()).reshape(shape)
        assert np.allclose(drawn, expected.reshape(shape).clip(0, 1), atol=1e-6)
    (alone,) = object_figure(tmp_path / "a.h5", 1, 1).axes
    assert alone.get_title() == "view 1, 40.4 dB"
    (first, _) = object_figure(tmp_path / "a.h5").axes
    assert first.get_title() == "view 0, 40.0 dB"


def test_a_shape_is_the_level_set_of_the_network(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(one_object, "RESOLUTION", 16)
    monkeypatch.setattr(one_object, "draw_triangles", lambda axes, x, colour: drawn.append(x))
    inrs = constant(fitted(), [1])
    write_inrs(tmp_path / "a.h5", inrs)
    object_figure(tmp_path / "a.h5", 10)
    surface = level_set(inrs.weights[:1], **SIREN, resolution=16)
    assert [len(triangles) for triangles in drawn] == [len(surface.triangles), 0]
    with pytest.raises(ReportError, match=rf"no view {LOST[1]} .*the fits of its views \[0\]"):
        object_figure(tmp_path / "a.h5", *LOST)
