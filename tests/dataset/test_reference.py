"""Alignment to one reference network: what changes in a dataset, and what must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from laws import assert_close, assert_identical
from weightspace.data.coordinates import grid
from weightspace.dataset.assemble import assemble
from weightspace.dataset.reference import CHUNK, align_to_reference, reference_row
from weightspace.dataset.statistics import tensor_statistics
from weightspace.inr_set import COLUMNS, Header, InrSet, empty_columns
from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.store import read_inrs, write_inrs
from weightspace.symmetry.permutation import permute
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights

SIGNED = pytest.mark.parametrize("signed", [False, True])
OMEGA = 30.0


def _networks(layout: tuple[int, ...], n: int, seed: int = 0) -> Weights:
    """SIRENs with biases, as fits have them."""
    w = init_siren(layout, omega_0=OMEGA, generator=stream(seed, "test"), batch_size=n)
    biases = (
        0.02 * torch.randn(b.shape, generator=stream(seed, l)) for l, b in enumerate(w.biases)
    )
    return Weights(w.weights, tuple(biases))


def _inr_set(w: Weights, **config) -> InrSet:
    """Two views of each object; the first objects are those of the test split."""
    n = len(w)
    split = np.where(np.arange(n) < n // 3, "test", "train")
    object_id = np.where(split == "test", 60_000, 0) + np.arange(n)[::-1] // 2
    values = {"object_id": object_id, "view": np.arange(n)[::-1] % 2, "split": split}
    columns = {
        name: values.get(name, np.zeros(n)).astype(split.dtype if name == "split" else dtype)
        for name, dtype in COLUMNS.items()
    }
    header = Header(
        dataset="pictures",
        layer_layout=w.layer_layout,
        omega_0=OMEGA,
        output_offset=0.5,
        coords={"shape": [5, 5]},
        classes=("one",),
        commit="aaa",
        config=config,
    )
    return InrSet(header, w, columns, empty_columns())


def _distance(w: Weights, row: int) -> torch.Tensor:
    flat = w.flatten()
    return (flat - flat[row]).square().sum(1)


@SIGNED
def test_the_functions_stay_the_same(signed):
    inrs = _inr_set(_networks((2, 12, 12, 1), 40))
    aligned = align_to_reference(inrs, signed=signed)
    before, after = (
        siren(w.to(torch.float64), grid((9, 9)).double(), omega_0=OMEGA)
        for w in (inrs.weights, aligned.weights)
    )
    assert (after - before).abs().max() <= 1e-5 * before.abs().max()
    moved = (inrs.weights.flatten() != aligned.weights.flatten()).any(1)
    assert moved.sum() == 39  # all but the reference


@SIGNED
def test_the_reference_itself_stays_as_it_is(signed):
    inrs = _inr_set(_networks((2, 12, 12, 1), 40))
    for reference in (None, 0, 17):
        row = reference_row(inrs.columns) if reference is None else reference
        aligned = align_to_reference(inrs, signed=signed, reference=reference)
        assert_identical(aligned.weights[row : row + 1], inrs.weights[row : row + 1])
        assert aligned.header.config["reference"] == {
            "object_id": inrs.columns["object_id"][row],
            "view": inrs.columns["view"][row],
            "signed": signed,
        }


def test_the_reference_is_the_first_view_of_the_first_training_object():
    columns = {
        "object_id": np.array([1, 7, 4, 4, 9]),
        "view": np.array([0, 0, 2, 1, 0]),
        "split": np.array(["test", "train", "train", "train", "val"]),
    }
    assert reference_row(columns) == 3
    with pytest.raises(ValueError, match="the split 'train' has none"):
        reference_row({**columns, "split": np.full(5, "val")})


@SIGNED
def test_a_planted_element_is_removed_with_one_hidden_layer(signed):
    one = _networks((2, 10, 1), 1)
    w = one[torch.zeros(30, dtype=torch.long)]
    perms = (torch.rand(30, 10, generator=stream(1, "perms")).argsort(1),)
    signs = (1 - 2.0 * (torch.rand(30, 10, generator=stream(1, "signs")) < 0.5),)
    moved = permute(w, perms)
    inrs = _inr_set(flip_signs(moved, signs) if signed else moved)
    aligned = align_to_reference(inrs, signed=signed).weights
    row = reference_row(inrs.columns)
    assert (_distance(inrs.weights, row) > 0.1).sum() >= 28
    assert_identical(aligned, inrs.weights[torch.full((30,), row)])


def test_signs_come_closer_than_permutations_and_these_than_nothing():
    inrs = _inr_set(_networks((2, 16, 16, 1), 60))
    row = reference_row(inrs.columns)
    none, permutation, signed = (
        _distance(x.weights, row)
        for x in (inrs, *(align_to_reference(inrs, signed=s) for s in (False, True)))
    )
    assert (permutation <= none + 1e-6).all() and (signed <= none + 1e-6).all()
    assert signed.mean() < 0.8 * permutation.mean() < 0.4 * none.mean()


@SIGNED
def test_threads_and_chunks_change_nothing(signed, monkeypatch):
    inrs = _inr_set(_networks((2, 8, 8, 1), 2 * CHUNK + 5))
    calls = []
    whole = align_to_reference(inrs, signed=signed, progress=lambda *x: calls.append(x))
    assert calls == [(CHUNK, 2 * CHUNK + 5), (2 * CHUNK, 2 * CHUNK + 5), (2 * CHUNK + 5,) * 2]
    monkeypatch.setattr("weightspace.dataset.reference.CHUNK", 37)
    assert_identical(align_to_reference(inrs, signed=signed, threads=3).weights, whole.weights)


@SIGNED
def test_an_assembled_file_keeps_all_but_weights_and_moments(study, signed, tmp_path):
    failed = [(12, 1)]
    path = study.write("shard.h5", study.entries, failed=failed)
    assemble([path], tmp_path / "whole.h5", objects=study.objects, views=study.views)
    before = read_inrs(tmp_path / "whole.h5")
    aligned = align_to_reference(before, signed=signed)
    write_inrs(tmp_path / "aligned.h5", aligned)
    after = read_inrs(tmp_path / "aligned.h5")

    for name in ("columns", "failures"):
        found, expected = getattr(after, name), getattr(before, name)
        assert all((found[key] == x).all() for key, x in expected.items())
    assert after.header.config.pop("reference")["object_id"] == 3
    assert after.header == before.header
    assert before.statistics is not None and after.statistics is not None
    assert set(after.statistics) == set(before.statistics)
    for split, values in after.statistics.items():
        own = after.weights[torch.from_numpy(after.columns["split"] == split)]
        assert values["mean"].tolist() == list(tensor_statistics(own).mean)
        assert values["std"].tolist() == list(tensor_statistics(own).std)
        for key in ("count", "psnr_quantiles"):
            assert (values[key] == before.statistics[split][key]).all()
    changed = any(
        (after.statistics[s]["mean"] != x["mean"]).any() for s, x in before.statistics.items()
    )
    assert changed or not signed


def test_nothing_is_written_into_the_set():
    inrs = _inr_set(_networks((2, 8, 1), 12), seed=3)
    copy = inrs.weights.map(torch.clone)
    align_to_reference(inrs, signed=True)
    assert_identical(inrs.weights, copy)
    assert inrs.header.config == {"seed": 3}


def test_what_can_not_be_aligned_is_refused():
    inrs = _inr_set(_networks((2, 8, 1), 12))
    for row in (-1, 12):
        with pytest.raises(ValueError, match=f"row {row}; there are 12 networks"):
            align_to_reference(inrs, signed=True, reference=row)
    aligned = align_to_reference(inrs, signed=False)
    with pytest.raises(ValueError, match=r"aligned already, to .*'signed': False"):
        align_to_reference(aligned, signed=True)
    test = replace(inrs, columns={**inrs.columns, "split": np.full(12, "test")})
    with pytest.raises(ValueError, match="split 'train' has none"):
        align_to_reference(test, signed=True)


def test_a_set_without_statistics_gets_none():
    inrs = _inr_set(_networks((2, 8, 1), 12))
    assert align_to_reference(inrs, signed=True).statistics is None
    w = _networks((2, 8, 1), 12)
    assert_close(
        align_to_reference(_inr_set(w), signed=True).weights.weights[1].norm(), w.weights[1].norm()
    )
