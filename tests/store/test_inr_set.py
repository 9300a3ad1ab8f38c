"""A set that breaks a rule of the format cannot be made."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weightspace.inr_set import InrSet


def with_column(inrs, group, name, x):
    return replace(inrs, **{group: {**getattr(inrs, group), name: x}})


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_are_finite(make, value):
    inrs = make(3)
    inrs.weights.biases[1][2, 0] = value
    with pytest.raises(ValueError, match=r"biases\[1\] of network 2 holds NaN or infinity.*fail"):
        replace(inrs)


def test_weights_are_float32_of_the_header_without_channels(make):
    inrs = make(3)
    for wrong, match in (
        (inrs.weights.to(torch.float64), "must be torch.float32"),
        (make(3, layer_layout=(2, 4, 1)).weights, r"needs layer_layout \(2, 3, 1\)"),
        (inrs.weights.map(lambda x: x[..., None]), r"channels \(1,\)"),
        (inrs.weights[:2], "columns have 3 entries; 2 networks need 2"),
    ):
        with pytest.raises(ValueError, match=match):
            replace(inrs, weights=wrong)


@pytest.mark.parametrize("group", ["columns", "failures"])
def test_columns_are_complete_and_of_their_kind(make, group):
    inrs = make(3, n_failures=3)
    columns = getattr(inrs, group)
    for wrong, match in (
        ({k: v for k, v in columns.items() if k != "seed"}, "it needs .*'seed'"),
        ({**columns, "mood": columns["seed"]}, "has .*'mood'"),
        ({**columns, "steps": columns["steps"].astype(np.int64)}, "is int64.*must be int32"),
        ({**columns, "psnr": columns["psnr"][:2]}, r"\(2,\).*must be float32 \(3,\)"),
        ({**columns, "view": columns["view"] - 1}, "holds -1; views count from 0"),
        ({**columns, "label": columns["label"] + 1}, "runs from 1 to 2; there are 2 classes"),
        ({**columns, "label": columns["label"] - 1}, "runs from -1 to 0; there are 2 classes"),
    ):
        with pytest.raises(ValueError, match=match):
            replace(inrs, **{group: wrong})


def test_labels_without_classes_are_free(make):
    replace(make(3, classes=()), columns=make(3).columns | {"label": np.array([-1, 99, 5])})


def test_a_kept_fit_has_a_psnr(make):
    psnr = np.array([40, np.nan, 40], np.float32)
    with pytest.raises(ValueError, match="NaN at entry 1; such a fit is a failure"):
        with_column(make(3), "columns", "psnr", psnr)


def test_an_entry_is_there_once_fitted_or_failed(make):
    inrs = make(3)
    with pytest.raises(ValueError, match="object 0 view 1 appears 2 times"):
        with_column(inrs, "columns", "view", np.array([1, 1, 0], np.int32))
    lost = {name: x[2:] for name, x in inrs.columns.items()}
    with pytest.raises(ValueError, match="object 1 view 0 appears 2 times"):
        replace(inrs, failures=lost)


def test_statistics_have_their_shapes(make):
    good = {
        "count": np.array(2, np.int64),
        "psnr_quantiles": np.zeros(7),
        "mean": np.zeros(4),
        "std": np.ones(4),
    }
    replace(make(3), statistics={"train": good})
    for wrong, match in (
        ({"train": {**good, "std": np.ones(3)}}, r"\['std'\] is float64 \(3,\).* \(4,\)"),
        ({"train": {**good, "count": np.array(2.0)}}, "must be int64"),
        ({"train": {"count": good["count"]}}, "needs .*'mean'"),
        ({"a/b": good}, "'a/b' is not a split"),
    ):
        with pytest.raises(ValueError, match=match):
            replace(make(3), statistics=wrong)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"layer_layout": (2,)}, "at least two widths"),
        ({"layer_layout": (2, 0, 1)}, "all positive"),
        ({"omega_0": 0.0}, "omega_0 is 0.0; it must be positive"),
        ({"omega_0": float("nan")}, "omega_0 is nan"),
        ({"output_offset": float("inf")}, "output_offset is inf"),
        ({"config": {"x": {1, 2}}}, "config must be plain JSON: .*set"),
        ({"coords": {"x": float("nan")}}, "coords must be plain JSON"),
    ],
)
def test_a_header_that_cannot_be(make, change, match):
    with pytest.raises(ValueError, match=match):
        replace(make(0).header, **change)


def test_failures_are_none_by_default(make):
    inrs = make(2)
    again = InrSet(inrs.header, inrs.weights, inrs.columns)
    assert all(len(x) == 0 for x in again.failures.values())
    assert again.failures is not InrSet(inrs.header, inrs.weights, inrs.columns).failures
