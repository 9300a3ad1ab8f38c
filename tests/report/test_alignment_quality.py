"""The quality of the alignments, against plain loops and on networks whose answer is known."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats

from laws import assert_identical, assert_same_function
from weightspace.data.coordinates import grid
from weightspace.dataset.reference import align_to_reference, reference_row
from weightspace.fit.fitting import fit_sirens
from weightspace.inr_set import COLUMNS, Header, InrSet
from weightspace.report.alignment_pairs import (
    ALIGNMENTS,
    PAIR_KINDS,
    align_partners,
    draw_pairs,
)
from weightspace.report.alignment_quality import distances, matching_quality, path_quality
from weightspace.report.midpoints import read_midpoints, write_midpoints
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.store import write_inrs
from weightspace.weights import Weights, lerp

OMEGA, OFFSET, SHAPE = 30.0, 0.5, (6, 5)
CLASSES = ("sock", "hat", "glove")


def _columns(splits=("train",) * 12 + ("val",) * 3 + ("test",) * 3, views=3):
    """Objects of three classes in turn with some views each, in no order."""
    n = len(splits) * views
    rows = np.random.default_rng(0).permutation(n)
    values = {
        "object_id": 100 + rows // views,
        "view": rows % views,
        "label": rows // views % 3,
        "split": np.array(splits)[rows // views],
    }
    return {
        name: values.get(name, np.zeros(n)).astype(str if name == "split" else dtype)
        for name, dtype in COLUMNS.items()
    }


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Fits of smooth pictures, one per object, and the file that holds them."""
    columns = _columns()
    n = len(columns["view"])
    phase = torch.from_numpy(columns["object_id"]).float()[:, None]
    x, y = grid(SHAPE).T
    signals = 0.5 + 0.4 * torch.sin(2 * x + phase) * torch.cos(1.5 * y - phase)
    init = init_siren((2, 12, 12, 1), omega_0=OMEGA, generator=stream(0, "fits"), batch_size=n)
    settings = {"omega_0": OMEGA, "output_offset": OFFSET, "steps": 60, "lr": 2e-3}
    fits = fit_sirens(signals[..., None], grid(SHAPE), init=init, **settings, backend="reference")
    assert fits.mse.max() < 0.01
    inrs = InrSet(_header(fits.weights), fits.weights, columns)
    path = tmp_path_factory.mktemp("fits") / "inrs.h5"
    write_inrs(path, inrs)
    return path, inrs


def _header(w: Weights, shape=SHAPE) -> Header:
    return Header(
        dataset="pictures",
        layer_layout=w.layer_layout,
        omega_0=OMEGA,
        output_offset=OFFSET,
        coords={"shape": list(shape)},
        classes=CLASSES,
        commit="aaa",
        config={},
    )


@pytest.fixture(scope="module")
def measured(fitted):
    calls = []
    found = matching_quality(
        fitted[0], pairs=20, lams=(0.3, 0.5, 0.9), progress=lambda *x: calls.append(x)
    )
    assert calls == [(i, 18) for i in range(1, 19)]
    return found


def _mean(table, quantity, lam=None):
    """The means of a quantity by kind of pair and alignment."""
    own = table[table["quantity"] == quantity]
    own = own[own["lam"].isna()] if lam is None else own[own["lam"] == lam]
    return own.set_index(["pairs", "alignment"])["mean"]


@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_pairs_are_of_their_kind_and_of_the_training_split(kind):
    columns = _columns()
    pairs = draw_pairs(columns, kind, 100, generator=stream(0, "pairs"))
    assert pairs.shape == (100, 2)
    a, b = ({k: x[row] for k, x in columns.items()} for row in pairs.T)
    assert (a["split"] == "train").all() and (b["split"] == "train").all()
    same_object, same_label = a["object_id"] == b["object_id"], a["label"] == b["label"]
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert (same_object == (kind == "views")).all()
    assert (same_label == (kind != "other_class")).all()
    assert len(np.unique(pairs[:36, 0])) == 36  # every training network first, once each
    assert len(np.unique(pairs[:, 1])) > 20
    again = draw_pairs(columns, kind, 100, generator=stream(0, "pairs"))
    other = draw_pairs(columns, kind, 100, generator=stream(1, "pairs"))
    assert (pairs == again).all() and (pairs != other).any()


def test_partners_are_drawn_evenly():
    columns = _columns(("train",) * 6, views=1)
    pairs = draw_pairs(columns, "other_class", 6000, generator=stream(0, "pairs"))
    counts = np.unique(pairs, axis=0, return_counts=True)[1]
    assert len(counts) == 24 and counts.min() > 180 and counts.max() < 330


def test_there_may_be_no_pair_of_a_kind():
    one_view = _columns(views=1)
    assert draw_pairs(one_view, "views", 5, generator=stream(0)).shape == (0, 2)
    one_each = _columns(("train", "train", "train", "test", "test", "test"))
    assert draw_pairs(one_each, "same_class", 5, generator=stream(0)).shape == (0, 2)
    one_class = {**_columns(), "label": np.zeros(54, np.int64)}
    assert draw_pairs(one_class, "other_class", 5, generator=stream(0)).shape == (0, 2)


def test_alignments_keep_the_function_and_come_closer(fitted):
    w = fitted[1].weights
    a, b, reference = w[:10], w[10:20], w[20:21]
    partners = align_partners(a, b, reference, generator=stream(0, "partners"))
    assert list(partners) == list(ALIGNMENTS)
    for moved in partners.values():
        assert_same_function(moved, b, omega_0=OMEGA)
    assert_identical(partners["none"], b)
    assert (partners["randomised"].weights[0] != b.weights[0]).flatten(1).any(1).all()
    raw = {name: (a.flatten() - x.flatten()).square().sum(1) for name, x in partners.items()}
    for name in ("permutation", "signed"):
        assert (raw[name] < raw["none"]).all() and raw[name].mean() < raw[
            f"reference_{name}"
        ].mean()


@pytest.mark.parametrize("name", ["permutation", "signed"])
def test_through_the_reference_is_as_within_the_aligned_dataset(fitted, name):
    inrs = fitted[1]
    aligned = align_to_reference(inrs, signed=name == "signed").weights
    row = reference_row(inrs.columns)
    a, b = slice(0, 10), slice(10, 20)
    partners = align_partners(
        inrs.weights[a], inrs.weights[b], inrs.weights[row : row + 1], generator=stream(0)
    )
    lam = torch.full((10,), 0.3)
    mixed = lerp(inrs.weights[a], partners[f"reference_{name}"], lam)
    assert_same_function(mixed, lerp(aligned[a], aligned[b], lam), omega_0=OMEGA)


def test_distances_against_a_plain_loop(fitted):
    a, b = fitted[1].weights[:7], fitted[1].weights[7:14]
    found = distances(a, b)
    assert list(found) == ["distance", *(f"distance_layer_{l}" for l in (1, 2, 3))]
    for i in range(7):
        sums = np.zeros((3, 2))  # of squares: difference, networks
        for l in range(3):
            for x, y in ((a.weights[l][i], b.weights[l][i]), (a.biases[l][i], b.biases[l][i])):
                for p, q in zip(x.flatten().tolist(), y.flatten().tolist(), strict=True):
                    sums[l] += (p - q) ** 2, p**2 + q**2
        for l in range(3):
            expected = sums[l, 0] / (sums[l, 1] / 2)
            assert found[f"distance_layer_{l + 1}"][i].item() == pytest.approx(expected)
        expected = sums[:, 0].sum() / (sums[:, 1].sum() / 2)
        assert found["distance"][i].item() == pytest.approx(expected)
    assert distances(a, a)["distance"].max() == 0


def test_independent_networks_have_distance_two():
    a, b = (
        init_siren((2, 32, 32, 1), omega_0=OMEGA, generator=stream(s), batch_size=300)
        for s in (0, 1)
    )
    assert distances(a, b)["distance"].mean().item() == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("d_out", [1, 3])
def test_path_quality_against_a_plain_loop(d_out):
    generator = stream(0, "functions", d_out)
    f_a, f_b, mixed = (2 * torch.rand(4, 9, d_out, generator=generator) - 0.5 for _ in range(3))
    lam = 0.3
    found = path_quality(f_a, f_b, mixed, lam)
    variances = []
    for f in (*f_a, *f_b):
        for values in f.T.tolist():
            variances.append(np.mean([(v - np.mean(values)) ** 2 for v in values]))
    for i in range(4):
        errors, picture_errors = [], []
        for a, b, m in zip(*(f[i].flatten().tolist() for f in (f_a, f_b, mixed)), strict=True):
            errors.append((m - (lam * a + (1 - lam) * b)) ** 2)
            a, b, m = (min(max(x, 0.0), 1.0) for x in (a, b, m))
            picture_errors.append((m - (lam * a + (1 - lam) * b)) ** 2)
        expected = np.mean(errors) / np.mean(variances)
        assert found["function_error"][i].item() == pytest.approx(expected, rel=1e-5)
        expected = -10 * np.log10(np.mean(picture_errors))
        assert found["psnr"][i].item() == pytest.approx(expected, rel=1e-5)


def test_the_table_holds_the_means_and_intervals_of_the_pairs(fitted, measured):
    inrs, table = fitted[1], measured[0]
    rows = draw_pairs(inrs.columns, "views", 20, generator=stream(0, "alignment", "views"))
    a, b = (inrs.weights[torch.from_numpy(x)] for x in rows.T)
    f_a, f_b, mixed = (
        siren(w, grid(SHAPE), omega_0=OMEGA, output_offset=OFFSET)
        for w in (a, b, lerp(a, b, torch.full((20,), 0.9)))
    )
    values = {
        ("distance", None): distances(a, b)["distance"],
        ("function_error", 0.9): path_quality(f_a, f_b, mixed, 0.9)["function_error"],
        ("psnr", 0.9): path_quality(f_a, f_b, mixed, 0.9)["psnr"],
    }
    for (quantity, lam), x in values.items():
        own = table[(table["pairs"] == "views") & (table["alignment"] == "none")]
        own = own[own["quantity"] == quantity]
        row = own[own["lam"].isna() if lam is None else own["lam"] == lam].iloc[0]
        low, high = stats.t.interval(0.95, 19, x.mean().item(), stats.sem(x.numpy()))
        assert row["n"] == 20 and row["mean"] == pytest.approx(x.mean().item(), rel=1e-5)
        assert (row["mean"] - row["ci95"], row["mean"] + row["ci95"]) == pytest.approx(
            (low, high), rel=1e-4
        )


def test_every_number_is_there_once(measured):
    table = measured[0]
    assert table["dataset"].unique() == ["pictures"]
    quantities = 4 + 2 * 3
    assert len(table) == len(PAIR_KINDS) * len(ALIGNMENTS) * quantities
    assert not table.duplicated(["pairs", "alignment", "quantity", "lam"]).any()
    assert np.isfinite(table[["mean", "ci95"]]).all(axis=None)


def test_better_alignments_come_closer_on_fits(measured):
    distance, error = _mean(measured[0], "distance"), _mean(measured[0], "function_error", 0.9)
    for kind, values in product(PAIR_KINDS, (distance, error)):
        none, randomised, permutation, signed = values[kind].loc[list(ALIGNMENTS)[:4]]
        assert signed < permutation < 0.7 * min(none, randomised)
        for name in ("permutation", "signed"):
            assert values[kind][name] < values[kind][f"reference_{name}"] < none
    assert (distance.xs("none", level=1) - 2).abs().max() < 0.3


def test_a_pair_in_one_orbit_has_no_error_once_it_is_aligned(tmp_path):
    one = init_siren((2, 10, 1), omega_0=OMEGA, generator=stream(0, "one"))
    columns = _columns()
    n = len(columns["view"])
    same = one[torch.zeros(n, dtype=torch.long)]
    moved = align_partners(same, same, one, generator=stream(1, "orbit"))["randomised"]
    write_inrs(tmp_path / "orbit.h5", InrSet(_header(moved), moved, columns))
    table, midpoints = matching_quality(tmp_path / "orbit.h5", pairs=5, lams=(0.5,), dataset="x")
    assert table["dataset"].unique() == ["x"]
    for quantity, lam in (("distance", None), ("function_error", 0.5)):
        means = _mean(table, quantity, lam).unstack()
        assert (means[["none", "randomised"]] > 0.1).all(axis=None)
        assert means.drop(columns=["none", "randomised"]).max(axis=None) < 1e-9
    assert (midpoints.psnr[:, 2:] > 100).all() and (midpoints.psnr[:, :2] < 60).all()


def test_the_numbers_follow_from_the_seed(fitted, measured):
    settings = {"pairs": 20, "lams": (0.3, 0.5, 0.9)}
    again = matching_quality(fitted[0], **settings)
    assert again[0].equals(measured[0])
    assert (again[1].pictures == measured[1].pictures).all()
    other = matching_quality(fitted[0], **settings, seed=1)[0]
    assert not np.isclose(other["mean"], measured[0]["mean"]).all()


def test_examples_are_the_first_pairs_at_each_lam(fitted, measured, tmp_path):
    inrs, midpoints = fitted[1], measured[1]
    assert midpoints.kinds.tolist() == [k for k in PAIR_KINDS for _ in range(2)]
    assert midpoints.lams.tolist() == [0.5, 0.9] * 3
    assert midpoints.pictures.shape == (6, 9, *SHAPE, 1)
    assert midpoints.pictures.min() >= 0 and midpoints.pictures.max() <= 1
    kind = "other_class"
    rows = draw_pairs(inrs.columns, kind, 20, generator=stream(0, "alignment", kind))[0]
    row = list(midpoints.kinds).index(kind) + 1
    outputs = siren(
        inrs.weights[torch.from_numpy(rows)], grid(SHAPE), omega_0=OMEGA, output_offset=OFFSET
    )
    a, b = outputs.clamp(0, 1).reshape(2, *SHAPE, 1).numpy()
    assert np.allclose(midpoints.pictures[row, 0], a, atol=1e-6)
    assert np.allclose(midpoints.pictures[row, 1], b, atol=1e-6)
    assert np.allclose(midpoints.pictures[row, 2], 0.9 * a + 0.1 * b, atol=1e-6)
    assert midpoints.classes[row].tolist() == [CLASSES[i] for i in inrs.columns["label"][rows]]
    errors = (midpoints.pictures[:, 3:] - midpoints.pictures[:, 2:3]) ** 2
    assert np.allclose(midpoints.psnr, -10 * np.log10(errors.mean((2, 3, 4))), atol=1e-3)
    write_midpoints(tmp_path / "a.npz", midpoints)
    write_midpoints(tmp_path / "b.npz", read_midpoints(tmp_path / "a.npz"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_can_not_be_measured_is_refused(fitted, tmp_path):
    path, inrs = fitted
    for settings in ({"pairs": 0}, {"examples": -1}, {"lams": (0.5, 1.5)}):
        with pytest.raises(ValueError, match="at least one pair"):
            matching_quality(path, **settings)
    one = int(np.flatnonzero(inrs.columns["split"] == "train")[0])
    alone = {name: x[one : one + 1] for name, x in inrs.columns.items()}
    write_inrs(tmp_path / "one.h5", InrSet(inrs.header, inrs.weights[one : one + 1], alone))
    with pytest.raises(ValueError, match="one training network"):
        matching_quality(tmp_path / "one.h5")
