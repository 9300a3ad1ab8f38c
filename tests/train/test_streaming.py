"""Networks that stay in their file are trained on as those in memory are."""

from dataclasses import replace
from functools import partial
from itertools import islice, pairwise

import h5py
import numpy as np
import pytest
import torch

from weightspace import store_writer
from weightspace.dataset.inr_dataset import InrDataset, load_inr_dataset
from weightspace.dataset.statistics import tensor_statistics
from weightspace.dataset.stored_weights import StoredWeights
from weightspace.inr_set import COLUMNS
from weightspace.models import MODELS
from weightspace.store import Header, InrSet, StoreError, write_inrs
from weightspace.train import supervised
from weightspace.train.batches import examples
from weightspace.train.cell import train_cell
from weightspace.train.contrastive_cell import train_contrastive_cell
from weightspace.train.pairs import PairTable, view_pairs
from weightspace.train.selection import needed
from weightspace.train.unfinished import UnfinishedCell
from weightspace.weights import cat

NETWORK_BYTES = 4 * (2 * 3 + 3 + 3 * 2 + 2)


@pytest.fixture
def file(inrs, tmp_path, monkeypatch):
    """The path of a file of 48 training objects of four views, whose chunks hold 7 networks."""
    splits = {
        "train": inrs(48, views=4, seed=1),
        "val": inrs(12, views=2, seed=2, first_id=100),
        "test": inrs(10, views=2, seed=3, first_id=200),
    }
    monkeypatch.setattr(store_writer, "_CHUNK_BYTES", 4 * 6 * 7)
    columns = {name: np.ones(0, dtype) for name, dtype in COLUMNS.items()}
    n = sum(map(len, splits.values()))
    columns = {k: np.ones(n, x.dtype) for k, x in columns.items() if k != "split"}
    for name, attribute in (("object_id", "object_ids"), ("view", "views"), ("label", "labels")):
        values = torch.cat([getattr(d, attribute) for d in splits.values()]).numpy()
        columns[name] = values.astype(COLUMNS[name])
    columns["split"] = np.repeat(list(splits), [len(d) for d in splits.values()])
    header = Header(
        dataset="made_up",
        layer_layout=(2, 3, 2),
        omega_0=30.0,
        output_offset=0.5,
        coords={},
        classes=("a", "b"),
        commit="0",
        config={},
    )
    write_inrs(
        tmp_path / "a.h5", InrSet(header, cat([d.weights for d in splits.values()]), columns)
    )
    return tmp_path / "a.h5"


def streamed(file, *, share=4, **settings):
    """The splits, of which a memory of 1 / share of the training split is allowed."""
    memory = int(192 * NETWORK_BYTES / share)
    return load_inr_dataset(file, memory=memory, **settings)


def draw(dataset, count, batch_size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return list(islice(examples(dataset, batch_size=batch_size, generator=generator), count))


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_large_splits_stay_in_the_file_and_small_ones_do_not(file):
    splits = streamed(file)
    assert isinstance(splits["train"].inputs, StoredWeights)
    assert {len(d) for d in splits.values()} == {192, 24, 20}
    assert not isinstance(splits["test"][:5].inputs, StoredWeights)
    assert not isinstance(streamed(file, share=0.5)["train"].inputs, StoredWeights)


def test_what_is_read_is_what_memory_holds(file):
    there, here = streamed(file)["train"], load_inr_dataset(file)["train"]
    mask = torch.arange(192) % 5 == 1
    index = torch.tensor([191, 3, 4, 77, 0, 12])
    for chosen in (slice(30, 55), index, mask):
        assert equal(there.inputs[chosen], here.inputs[chosen])
        assert torch.equal(there[chosen].labels, here[chosen].labels)
    a, b = there.select(views=3, objects=40), here.select(views=3, objects=40)
    assert isinstance(a.inputs, StoredWeights)
    assert equal(a.inputs[:], b.inputs)
    assert a.input_settings == b.input_settings
    assert tensor_statistics(a.inputs) == tensor_statistics(b.inputs)
    assert there.to("meta").inputs[:3].device.type == "meta"


@pytest.mark.parametrize(("share", "batch_size"), [(2, 16), (4, 5), (4, 192), (50, 7), (4, 500)])
@pytest.mark.parametrize("views", [None, 2])
def test_every_epoch_holds_every_network_once(file, share, batch_size, views):
    dataset = streamed(file, share=share)["train"].select(views=views)
    n = len(dataset)
    drawn = draw(dataset, 3 * n // batch_size + 1, batch_size)
    assert all(i.shape == (batch_size,) == (len(w),) for i, w in drawn)
    order = torch.cat([i for i, _ in drawn])
    for epoch in order[: len(order) // n * n].view(-1, n):
        assert epoch.sort().values.tolist() == list(range(n))
    for index, w in drawn[:5]:
        assert equal(w, dataset.inputs[index])


def test_the_order_is_a_function_of_the_generator(file):
    dataset = streamed(file)["train"]
    a, again, other = (draw(dataset, 20, 24, seed) for seed in (0, 0, 1))
    assert all(torch.equal(i, j) for (i, _), (j, _) in zip(a, again, strict=True))
    assert not torch.equal(a[0][0], other[0][0])
    epochs = torch.cat([i for i, _ in a])[: 2 * 192].view(2, 192)
    assert not torch.equal(epochs[0], epochs[1])


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("skip", [1, 7, 8, 40])
def test_batches_left_out_change_no_other_and_are_not_read(file, monkeypatch, memory, skip):
    dataset = (load_inr_dataset(file) if memory else streamed(file))["train"]
    expected = draw(dataset, skip + 5, 24)[skip:]
    read, original = [], StoredWeights.__getitem__
    monkeypatch.setattr(
        StoredWeights, "__getitem__", lambda w, i: read.append(len(i)) or original(w, i)
    )
    generator = torch.Generator().manual_seed(0)
    left = examples(dataset, batch_size=24, generator=generator, skip=skip)
    for (i, v), (j, w) in zip(expected, islice(left, 5), strict=True):
        assert torch.equal(i, j)
        assert equal(v, w)
    # 12 networks in a window: those of the batches, of the one begun, and of the one ahead.
    assert sum(read) <= (0 if memory else 5 * 24 + 4 * 12)


def test_the_order_does_not_depend_on_how_fast_is_read(file, monkeypatch):
    dataset = streamed(file)["train"]
    quick = draw(dataset, 20, 24)
    read, turn = StoredWeights.__getitem__, iter(range(10**6))

    def slow(self, index):
        if next(turn) % 3 == 0:
            torch.randn(300, 300) @ torch.randn(300, 300)
            __import__("time").sleep(0.01)
        return read(self, index)

    monkeypatch.setattr(StoredWeights, "__getitem__", slow)
    for (i, v), (j, w) in zip(quick, draw(dataset, 20, 24), strict=True):
        assert torch.equal(i, j)
        assert equal(v, w)


def test_a_window_is_shuffled_and_holds_several_chunks(file):
    dataset = streamed(file)["train"]  # 48 networks are allowed, 12 in a window, 7 in a chunk
    large = streamed(file, share=1.1)["train"]  # 43 in a window: six chunks
    first = draw(large, 1, 42)[0][0]
    assert len((first // 7).unique()) in (6, 7)
    assert (first.diff() == 1).float().mean() < 0.3
    assert len((draw(dataset, 1, 7)[0][0] // 7).unique()) == 1


SETTINGS = {
    "scheme": {"augment": [{"kind": "gaussian_noise", "scale": 0.1}], "mix": {"kind": "direct"}},
    "views": 2,
    "train_views": 3,
    "seeds": [0, 1],
    "updates": 12,
    "batch_size": 8,
    "lr": 0.02,
    "weight_decay": 1e-3,
    "warmup": 2,
    "evaluate_every": 4,
}


@pytest.mark.parametrize("kind", ["mlp", "dws"])
def test_a_streamed_training_is_the_one_in_memory_in_the_same_order(file, monkeypatch, kind):
    assert kind in MODELS
    settings = {"mlp": {"width": 16, "depth": 1}, "dws": {"channels": 4, "depth": 2}}[kind]
    settings = SETTINGS | {"model": {"kind": kind, **settings}}
    keep = partial(needed, views=2, train_views=3, pool=False)
    there = streamed(file, keep=keep)
    orders = []

    def watched(dataset, **given):
        orders.append([])
        for index, x in examples(dataset, **given):
            orders[-1].append(index)
            yield index, x

    def replayed(dataset, **_):
        assert isinstance(dataset, InrDataset) and not isinstance(dataset.inputs, StoredWeights)
        for index in orders.pop(0):
            yield index, dataset.inputs[index]

    monkeypatch.setattr(supervised, "examples", watched)
    a = train_cell(there, **settings)
    monkeypatch.setattr(supervised, "examples", replayed)
    b = train_cell(load_inr_dataset(file, keep=keep), **settings)
    assert a.models.statistics == b.models.statistics
    for p, q in zip(a.predictions, b.predictions, strict=True):
        assert torch.equal(p.logits, q.logits)
    assert a.history == b.history
    assert [r["internal_accuracy"] for r in a.runs] == [r["internal_accuracy"] for r in b.runs]
    assert a.train_inrs == 96


def test_damage_that_is_met_late_is_an_error_with_the_file(file):
    dataset = streamed(file)["train"]
    batches = examples(dataset, batch_size=8, generator=torch.Generator().manual_seed(0))
    seen = {int(i) // 7 for _ in range(4) for i in next(batches)[0]}
    chunk = max(set(range(192 // 7)) - seen)
    with h5py.File(file) as opened:
        offset = opened["weights/1"].id.get_chunk_info(chunk).byte_offset
    with file.open("r+b") as raw:
        raw.seek(offset + 2)
        byte = raw.read(1)[0]
        raw.seek(offset + 2)
        raw.write(bytes([byte ^ 4]))
    with pytest.raises(StoreError, match=r"a\.h5 is truncated or damaged.*delete it and run again"):
        for _ in range(30):
            next(batches)


def test_a_weight_that_is_no_number_is_an_error(file):
    dataset = streamed(file)["train"]
    with h5py.File(file, "r+") as opened:
        opened["biases/0"][80] = np.nan
    with pytest.raises(StoreError, match=r"a\.h5 breaks the format: biases/0 holds NaN"):
        tensor_statistics(dataset.inputs)


def test_the_leaky_mix_needs_its_pool_in_memory(file):
    settings = SETTINGS | {"model": {"kind": "mlp", "width": 4, "depth": 1}}
    settings |= {"scheme": {"augment": [], "mix": {"kind": "leaky"}}, "objects": 40}
    with pytest.raises(ValueError, match=r"train\.memory_mb allows 0 MB .* raise it"):
        train_cell(streamed(file), **settings)


def test_pairs_need_the_networks_in_memory(file):
    dataset = streamed(file)["train"]
    given = {"batch_size": 8, "generator": torch.Generator()}
    message = r"pairs are drawn from anywhere among 192 networks"
    for draw_pairs in (
        lambda: PairTable.of(dataset, pairs="views"),
        lambda: next(view_pairs(dataset, **given)),
    ):
        with pytest.raises(ValueError, match=message):
            draw_pairs()
    PairTable.of(replace(dataset, weights=dataset.inputs[:]), pairs="views")


def test_an_ended_contrastive_cell_is_not_taken_up_with_another_memory(file, tmp_path):
    """The order of its batches is another then."""
    training = {"batch_size": 8, "lr": 0.01, "weight_decay": 0.0, "warmup": 1, "updates": 2}
    training |= {"evaluate_every": 2}
    kept = []
    for share in (4, 2, 4):
        train_contrastive_cell(
            streamed(file, share=share),
            model={"kind": "mlp", "width": 4, "depth": 1},
            embedding=3,
            scheme=None,
            pairs=None,
            views=4,
            seeds=[0],
            label_fractions=[1.0],
            pretraining={"projection": 2, "temperature": 0.5, **training},
            fine_tune=training,
            l2=[1.0],
            unfinished=UnfinishedCell(tmp_path / str(len(kept))),
        )
        kept.append({path.name for path in (tmp_path / str(len(kept))).iterdir()})
    assert kept[0] == kept[2]
    assert not kept[0] & kept[1]


def test_the_windows_keep_to_the_memory(file, monkeypatch):
    dataset = streamed(file, share=2)["train"]  # 96 networks are allowed
    sizes = []
    read = StoredWeights.__getitem__

    def noted(self, index):
        found = read(self, index)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(StoredWeights, "__getitem__", noted)
    draw(dataset, 40, 10)
    assert max(a + b for a, b in pairwise(sizes)) <= 48
    assert max(sizes) > 14
