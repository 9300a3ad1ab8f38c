"""Complete shards of any cut make one file; anything else is refused with one message."""

import json
import random
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from strategies import random_networks

from weightspace.dataset.assemble import AssemblyError, assemble
from weightspace.dataset.statistics import tensor_statistics
from weightspace.store import StoreError, read_inrs, write_inrs
from weightspace.weights import cat


def run(study, shards, out="out.h5", **changes):
    settings = {"objects": study.objects, "views": study.views, **changes}
    return assemble(shards, study.folder / out, **settings)


def test_the_file_holds_every_fit_sorted(study):
    e = study.entries
    shards = [study.write("b.h5", e[::2]), study.write("a.h5", e[1::2])]
    run(study, shards)
    whole = read_inrs(study.folder / "out.h5")
    found = list(
        zip(whole.columns["object_id"].tolist(), whole.columns["view"].tolist(), strict=True)
    )
    assert found == sorted(e)
    expected = cat([study.network(*entry) for entry in sorted(e)])
    assert torch.equal(whole.weights.flatten(), expected.flatten())
    assert whole.header == study.header
    row = [study.object_ids.tolist().index(i) for i, _ in found]
    np.testing.assert_array_equal(whole.columns["label"], study.labels[row])
    np.testing.assert_array_equal(whole.columns["split"], study.splits[row])


@pytest.mark.parametrize("n_shards", [2, 5, 15])
def test_any_sharding_gives_the_same_bytes(study, n_shards):
    e, failed = study.entries, [(3, 1), (60001, 0), (60001, 1)]
    run(study, [study.write("one.h5", e, failed=failed)])
    shuffled = random.Random(n_shards).sample(e, len(e))
    shards = [study.write(f"{i}.h5", shuffled[i::n_shards], failed=failed) for i in range(n_shards)]
    run(study, shards[::-1], out="again.h5")
    once, again = (study.folder / name for name in ("out.h5", "again.h5"))
    assert once.read_bytes() == again.read_bytes()


def test_failures_are_carried_over_sorted(study):
    e, failed = study.entries, [(60001, 0), (3, 1), (60001, 1)]
    run(study, [study.write("a.h5", e[::-1], failed=failed)])
    whole = read_inrs(study.folder / "out.h5")
    lost = zip(whole.failures["object_id"].tolist(), whole.failures["view"].tolist(), strict=True)
    assert list(lost) == sorted(failed)
    assert len(whole.weights) == len(e) - 3


def test_a_shard_of_failures_only_is_joined(study):
    e = study.entries
    shards = [study.write("a.h5", e[:4], failed=e[:4]), study.write("b.h5", e[4:])]
    report = run(study, shards)
    assert sum(split["failures"] for split in report.values()) == 4


def test_a_dataset_where_every_fit_failed(study):
    e = study.entries
    report = run(study, [study.write("a.h5", e, failed=e)])
    assert report["val"]["inrs"] == 0
    assert report["val"]["psnr_mean"] is None
    whole = read_inrs(study.folder / "out.h5")
    assert len(whole.weights) == 0
    assert whole.statistics is None


def test_the_report_counts_and_is_json(study):
    e = study.entries
    report = run(study, [study.write("a.h5", e, failed=[(3, 1), (60001, 1)])])
    counts = {s: [r[k] for k in ("objects", "inrs", "failures")] for s, r in report.items()}
    assert counts == {"train": [4, 11, 1], "val": [2, 2, 0], "test": [2, 3, 1]}
    # rows of the val objects are 3 and 7, so 43 and 47 dB
    assert report["val"]["psnr_mean"] == pytest.approx(45)
    assert report["val"]["psnr_min"] == pytest.approx(43)
    assert report["val"]["psnr_quantiles"]["0.5"] == pytest.approx(45)
    assert report["val"]["psnr_quantiles"]["1.0"] == pytest.approx(47)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_statistics_are_those_of_each_split(study):
    run(study, [study.write("a.h5", study.entries)])
    whole = read_inrs(study.folder / "out.h5")
    assert whole.statistics.keys() == {"train", "val", "test"}
    for split, values in whole.statistics.items():
        rows = whole.columns["split"] == split
        tensors = tensor_statistics(whole.weights[torch.from_numpy(rows)])
        assert tuple(values["mean"]) == tensors.mean
        assert tuple(values["std"]) == tensors.std
        assert values["count"] == rows.sum()
        assert values["psnr_quantiles"][0] == whole.columns["psnr"][rows].min()


def test_commits_may_differ_and_are_all_named(study):
    e = study.entries
    other = replace(study.header, commit="bbb+000")
    shards = [study.write("a.h5", e[:4], header=other), study.write("b.h5", e[4:])]
    run(study, shards)
    assert read_inrs(study.folder / "out.h5").header.commit == "000+aaa+bbb"


@pytest.fixture
def refused(study):
    """Assemble, expect a message and no file."""

    def _refused(shards, match, error=AssemblyError, **changes):
        with pytest.raises(error, match=match):
            run(study, shards, **changes)
        assert not (study.folder / "out.h5").exists()

    return _refused


def test_missing_shard_file(study, refused):
    shards = [study.write("a.h5", study.entries[:4]), study.folder / "b.h5"]
    refused(shards, "b.h5 cannot be read .No such file", StoreError)


def test_missing_entries(study, refused):
    e = study.entries
    gone = [(10, 1), (10, 2), (7, 0)]
    shard = study.write("a.h5", [entry for entry in e if entry not in gone])
    refused([shard], "3 of 18 fits are in none of the 1 shards, the first one object 10 view 1")


def test_an_entry_in_two_shards(study, refused):
    e = study.entries
    shards = [study.write("a.h5", e[:6]), study.write("b.h5", e[5:])]
    refused(shards, f"object {e[5][0]} view {e[5][1]} is in .*a.h5 and again in .*b.h5: delete")


def test_an_entry_fitted_here_and_failed_there(study, refused):
    e = study.entries
    shards = [study.write("a.h5", e), study.write("b.h5", e[:1], failed=e[:1])]
    refused(shards, "object 3 view 0 is in .*a.h5 and again in .*b.h5")


def test_the_same_shard_twice(study, refused):
    path = study.write("a.h5", study.entries)
    refused([path, str(path)], "2 shards were given, 1 of them different")


def test_no_shard(refused):
    refused([], "0 shards were given")


@pytest.mark.parametrize("entry", [(12, 1), (99, 0), (70000, 0)])
def test_an_entry_that_was_not_asked_for(study, refused, entry):
    e = study.entries
    strange = study.inr_set([*e, (12, 1)])
    at = (strange.columns["object_id"] == 12) & (strange.columns["view"] == 1)
    strange.columns["object_id"][at], strange.columns["view"][at] = entry
    write_inrs(study.folder / "a.h5", strange)
    refused(
        [study.folder / "a.h5"],
        f"a.h5 holds object {entry[0]} view {entry[1]}, which is not among the objects and views",
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"dataset": "others"}, "b.h5 has dataset 'others', but .*a.h5 has 'pictures': delete"),
        ({"omega_0": 10.0}, "b.h5 has omega_0 10.0, but .*a.h5 has 30.0"),
        ({"output_offset": 0.0}, "b.h5 has output_offset 0.0"),
        ({"coords": {"shape": [2, 8]}}, "b.h5 has coords "),
        ({"config": {"steps": 120, "lr": 0.001}}, "b.h5 has config .*0.001.*, but .*0.002"),
        ({"classes": ("shirt", "shoe")}, "b.h5 has classes "),
        ({"activation": "relu"}, "b.h5 has activation 'relu'"),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_a_shard_of_another_kind_of_fit(study, refused, change, match):
    e = study.entries
    other = replace(study.header, **change)
    shards = [study.write("a.h5", e[:6]), study.write("b.h5", e[6:], header=other)]
    refused(shards, match)


def test_a_shard_of_another_layout(study, refused):
    e = study.entries
    part = study.inr_set(e[6:])
    wide = random_networks((2, 4, 2), len(part.weights), dtype=torch.float32)
    header = replace(part.header, layer_layout=(2, 4, 2))
    write_inrs(study.folder / "b.h5", replace(part, header=header, weights=wide))
    shards = [study.write("a.h5", e[:6]), study.folder / "b.h5"]
    refused(shards, r"b.h5 has layer_layout \(2, 4, 2\), but .*a.h5 has \(2, 3, 2\)")


def test_all_shards_of_another_dataset(study, refused):
    shards = [study.write("a.h5", study.entries)]
    refused(shards, "a.h5 holds fits of 'pictures'; expected 'shapes'", dataset="shapes")
    run(study, shards, dataset="pictures")


@pytest.mark.parametrize("failed", [(), [(7, 2)]], ids=["fitted", "failed"])
@pytest.mark.parametrize(("name", "value"), [("label", 0), ("split", "val")])
def test_labels_and_splits_are_those_of_the_objects(study, refused, name, value, failed):
    e = study.entries
    inrs = study.inr_set(e, failed=failed)
    columns = inrs.failures if failed else inrs.columns
    at = (columns["object_id"] == 7) & (columns["view"] == 2)
    columns[name][at] = value
    write_inrs(study.folder / "a.h5", inrs)
    shards = [study.folder / "a.h5"]
    right = {"label": 1, "split": "train"}[name]
    refused(shards, f"a.h5 gives object 7 view 2 the {name} {value!r}; the object has {right!r}")


def test_a_truncated_shard(study, refused):
    e = study.entries
    shards = [study.write("a.h5", e[:6]), study.write("b.h5", e[6:])]
    content = shards[1].read_bytes()
    shards[1].write_bytes(content[: len(content) // 2])
    refused(shards, "b.h5 is truncated or damaged .*delete it and run again", StoreError)


def test_a_shard_of_a_newer_version(study, refused):
    shard = study.write("a.h5", study.entries)
    with h5py.File(shard, "a") as file:
        file.attrs["version"] = 2
    refused([shard], "a.h5 has version 2, this weightspace reads up to 1: update", StoreError)


def test_objects_that_cannot_be(study, refused):
    shards = [study.write("a.h5", study.entries)]
    ids, labels, splits = study.objects
    for objects, match in (
        ((ids, labels[1:], splits), "8 object_ids, 8 of them different, 7 labels and 8 splits"),
        ((ids * 0, labels, splits), "8 object_ids, 1 of them different"),
    ):
        refused(shards, match, objects=objects)
    refused(shards, "objects have the split 'test'; views has only", views={"train": 3, "val": 1})


def test_shards_and_objects_are_left_alone(study):
    e = study.entries
    shards = [study.write("a.h5", e[:6]), study.write("b.h5", e[6:])]
    before = [path.read_bytes() for path in shards]
    run(study, shards)
    assert [path.read_bytes() for path in shards] == before
    for x, y in zip(study.objects, type(study)(study.folder).objects, strict=True):
        np.testing.assert_array_equal(x, y)
