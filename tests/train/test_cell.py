import dataclasses
import math

import pytest
import torch

import weightspace.train.cell as cell_module
from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.dataset.statistics import tensor_statistics
from weightspace.models import PIXEL_MODELS
from weightspace.rng import stream
from weightspace.train.accuracy import scores
from weightspace.train.cell import train_cell
from weightspace.train.selection import select_training
from weightspace.train.steps import DivergedError
from weightspace.train.supervised import predict, train_together

MODEL = {"kind": "mlp", "width": 16, "depth": 1}
PIXEL_MODEL = {"kind": "pixel_cnn", "channels": 4, "depth": 2}
POINT_CASES = [("pointnet", 3), ("pointnet_occupancy", 4)]
SCHEMES = {
    "none": {"augment": [], "mix": None},
    **{name: {"augment": [{"kind": name}], "mix": None} for name in AUGMENTATIONS},
    **{name: {"augment": [], "mix": {"kind": name}} for name in MIXES},
    "self_mixup_of_two": {
        "augment": [
            {"kind": "self_mixup", "augment": [{"kind": "phase_shift"}, {"kind": "permutation"}]}
        ]
    },
    "combination": {
        "augment": [{"kind": "translate"}, {"kind": "gaussian_noise"}, {"kind": "sign_flip"}],
        "mix": {"kind": "aligned", "hard_labels": True},
        "label_smoothing": 0.2,
    },
    "both": {"augment": [{"kind": "gaussian_noise", "scale": 0.1}], "mix": {"kind": "direct"}},
    "consistency": {"augment": [{"kind": "self_mixup"}], "consistency": 1.0},
    "raw_weights": {"standardise": False},
}
HONEST = [name for name in SCHEMES if name != "leaky"]
SETTINGS = {
    "model": MODEL,
    "scheme": SCHEMES["both"],
    "views": 2,
    "objects": None,
    "seeds": [0],
    "updates": 12,
    "batch_size": 8,
    "lr": 0.02,
    "weight_decay": 1e-3,
    "warmup": 2,
    "evaluate_every": 4,
}


def train(splits, **settings):
    return train_cell(splits, **{**SETTINGS, **settings})


def content(result, seed):
    """Everything a cell says about a seed, but for times."""
    rows = [{k: v for k, v in r.items() if k != "seconds"} for r in result.runs]
    return (
        [r for r in rows if r["seed"] == seed],
        [r for r in result.history if r["seed"] == seed],
        {k: v.tolist() for k, v in result.models.states[seed].items()},
        [p.logits.tolist() for p in result.predictions if p.seed == seed],
        result.models.statistics,
    )


def point_splits(points, channels, sizes):
    """Points of the three splits, with that many objects."""
    names = ("train", "val", "test")
    return {
        name: points(n, seed=seed, first_id=100 * seed, channels=channels)
        for seed, (name, n) in enumerate(zip(names, sizes, strict=True))
    }


@pytest.fixture
def spied(monkeypatch):
    """What each training of a cell started from and what each of its batches was."""
    log = []

    def spy(models, train, val, *, augment, **settings):
        (model,) = models
        log.append(([p.detach().clone() for p in model.parameters()], []))

        def watch(w, *, generator):
            log[-1][1].append(w.flatten())
            return augment(w, generator=generator)

        return train_together(models, train, val, augment=watch, **settings)

    monkeypatch.setattr(cell_module, "train_together", spy)
    return log


# -- repetition ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [MODEL, {"kind": "dws", "channels": 4, "depth": 2}])
def test_repeats_bitwise(splits, model):
    torch.manual_seed(0)
    first = train(splits, model=model)
    torch.manual_seed(1)
    assert content(train(splits, model=model), 0) == content(first, 0)


@pytest.mark.parametrize("kind", PIXEL_MODELS)
def test_models_of_pixels_repeat_bitwise(pictures, kind):
    settings = {"model": {"kind": kind, "depth": 1}, "scheme": {}, "views": 1}
    first, again = (train(pictures, **settings) for _ in range(2))
    assert content(first, 0) == content(again, 0)
    alone, both = (train(pictures, **settings, seeds=s) for s in ([1], [0, 1]))
    assert content(alone, 1) == content(both, 1)
    assert content(both, 0) == content(first, 0)
    assert content(both, 0)[2] != content(both, 1)[2]


@pytest.mark.parametrize(("kind", "channels"), POINT_CASES)
def test_models_of_points_repeat_bitwise(points, kind, channels):
    splits = point_splits(points, channels, (16, 8, 6))
    torch.use_deterministic_algorithms(True)  # as the script does
    try:
        settings = {"model": {"kind": kind, "width": 8}, "scheme": {}, "views": 1}
        first, again = (train(splits, **settings) for _ in range(2))
        alone, both = (train(splits, **settings, seeds=s) for s in ([1], [0, 1]))
    finally:
        torch.use_deterministic_algorithms(False)
    assert content(first, 0) == content(again, 0) == content(both, 0)
    assert content(alone, 1) == content(both, 1)
    assert first.models.input_settings == {"point_channels": channels}


def test_a_seed_does_not_depend_on_the_other_seeds(splits):
    both, reverse, alone = (train(splits, seeds=s) for s in ([0, 1], [1, 0], [1]))
    assert content(both, 1) == content(alone, 1) == content(reverse, 1)
    assert content(both, 0) == content(reverse, 0)
    assert content(both, 0)[2] != content(both, 1)[2]


def test_schemes_share_initialisation_and_batches(splits, spied):
    results = [train(splits, scheme=scheme, seeds=[3]) for scheme in SCHEMES.values()]
    (parameters, order), *others = spied
    assert len(order) == 12
    for name, (other_parameters, other_order) in zip(list(SCHEMES)[1:], others, strict=True):
        assert all(map(torch.equal, parameters, other_parameters))
        same = torch.equal(torch.stack(order), torch.stack(other_order))
        assert same == (name != "consistency")  # its batches are pairs of views
    states = [content(r, 3)[2] for r in results]
    assert all(a != b for i, a in enumerate(states) for b in states[:i])


def test_without_standardisation_the_weights_are_read_as_they_are(splits):
    standardised, raw = (train(splits, scheme=SCHEMES[name]) for name in ("none", "raw_weights"))
    assert any(standardised.models.statistics.mean)
    assert set(raw.models.statistics.mean) == {0.0} and set(raw.models.statistics.std) == {1.0}


def test_seeds_differ_in_initialisation_and_batches(splits, spied):
    train(splits, seeds=[0, 1])
    (parameters, order), (other_parameters, other_order) = spied
    assert not all(map(torch.equal, parameters, other_parameters))
    assert not torch.equal(torch.stack(order), torch.stack(other_order))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_makes_the_same_updates(splits, spied, scheme):
    calls = []
    result = train(
        splits, scheme=SCHEMES[scheme], seeds=[0, 1], progress=lambda *c: calls.append(c)
    )
    assert [len(order) for _, order in spied] == [12, 12]
    assert calls == [(done, 24) for done in range(1, 25)]
    assert [run["updates"] for run in result.runs] == [12, 12]


# -- what is seen ----------------------------------------------------------------------------


def learnt(result):
    """All that a cell learnt, without what it says of examples that it did not train on."""
    selected = [
        {k: v for k, v in run.items() if k in ("seed", "best_update")} for run in result.runs
    ]
    losses = [(row["loss"], row["train_loss"]) for row in result.history]
    return selected, losses, content(result, 0)[2], result.models.statistics


def spoiled(dataset, mask):
    """A copy with NaN in the networks of a mask: a use of one makes a loss or a score NaN."""
    w = dataset.weights.map(lambda x: x.clone())
    for x in w:
        x[mask] = math.nan
    return dataclasses.replace(dataset, weights=w)


def excluded_views(dataset):
    """The views that a cell of 2 views excludes, of those that any cell may train on."""
    return (dataset.views == 2) & torch.isin(
        dataset.object_ids, dataset.select(objects=8).object_ids
    )


@pytest.mark.parametrize("scheme", HONEST)
def test_nothing_outside_the_selection_is_ever_used(splits, scheme):
    # Excluded and internal views, excluded objects, and further views of the other splits.
    part = {"views": 2, "objects": 8, "train_views": 3}
    kept = splits["train"].select(objects=8).object_ids
    other = (splits["train"].views >= 2) | ~torch.isin(splits["train"].object_ids, kept)
    assert other.sum() == 48
    poisoned = {
        "train": spoiled(splits["train"], other),
        **{name: spoiled(splits[name], splits[name].views >= 1) for name in ("val", "test")},
    }
    result = train(poisoned, scheme=SCHEMES[scheme], **part)
    clean = train(splits, scheme=SCHEMES[scheme], **part)
    assert learnt(result) == learnt(clean)
    # The internal views are evaluated, so that of all the results theirs alone differs.
    for run in (*result.runs, *clean.runs):
        assert run.pop("internal_accuracy") is not None
    assert content(result, 0) == content(clean, 0)
    assert result.predictions[0].logits.isfinite().all()


def test_the_leaky_mix_uses_excluded_views(splits):
    # What the test above looks for, it finds.
    poisoned = {**splits, "train": spoiled(splits["train"], excluded_views(splits["train"]))}
    with pytest.raises(DivergedError):
        train(poisoned, scheme=SCHEMES["leaky"], views=2, objects=8, train_views=3)


def test_the_leak_is_of_views_of_training_objects_alone(splits):
    dataset, part = splits["train"], {"views": 2, "objects": 8, "train_views": 3}
    kept = torch.isin(dataset.object_ids, dataset.select(objects=8).object_ids)
    poisoned = {**splits, "train": spoiled(dataset, (dataset.views >= 3) | ~kept)}
    scheme = SCHEMES["leaky"]
    result = train(poisoned, scheme=scheme, **part)
    assert learnt(result) == learnt(train(splits, scheme=scheme, **part))


def test_targets_of_the_leak_are_those_of_the_pool(splits):
    # A network is replaced by a partner; of three in four partners the labels are exchanged.
    dataset = splits["train"]
    scheme = {"mix": {"kind": "leaky", "low": 0.0, "high": 0.0}}
    settings = {"scheme": scheme, "views": 1, "updates": 60, "evaluate_every": 60}
    labels = torch.where(dataset.views == 0, dataset.labels, 1 - dataset.labels)
    liar = dataclasses.replace(dataset, labels=labels)
    honest, lied_to = (train({**splits, "train": d}, **settings) for d in (dataset, liar))
    assert honest.runs[0]["val_accuracy"] > 0.8
    assert lied_to.runs[0]["val_accuracy"] < 0.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_validation_and_test_objects_never_train(splits, scheme):
    # With one evaluation, at the end, there is nothing to select.
    other = {
        name: dataclasses.replace(
            splits[name],
            weights=splits[name].weights.map(lambda x: 100 * x + 7),
            labels=1 - splits[name].labels,
        )
        for name in ("val", "test")
    }
    settings = {"scheme": SCHEMES[scheme], "evaluate_every": 12, "train_views": 3}
    a, b = train(splits, **settings), train({**splits, **other}, **settings)
    assert learnt(a) == learnt(b)
    assert a.history[0]["val_loss"] != b.history[0]["val_loss"]
    assert a.runs[0]["test_loss"] != b.runs[0]["test_loss"]


def test_images_of_other_splits_and_objects_never_train(pictures):
    def noise(dataset, mask):
        images = dataset.images.clone()
        images[mask] = 255 - images[mask]
        return dataclasses.replace(dataset, images=images)

    kept = pictures["train"].select(objects=8).object_ids
    settings = {"model": PIXEL_MODEL, "scheme": {}, "views": 1, "objects": 8, "evaluate_every": 12}
    other = {
        "train": noise(pictures["train"], ~torch.isin(pictures["train"].object_ids, kept)),
        **{name: noise(pictures[name], pictures[name].views == 0) for name in ("val", "test")},
    }
    a, b = train(pictures, **settings), train(other, **settings)
    assert learnt(a) == learnt(b)
    assert a.history[0]["val_loss"] != b.history[0]["val_loss"]


@pytest.mark.parametrize("mix", [m for m in MIXES if m != "leaky"])
def test_partners_come_from_the_batch(inrs, monkeypatch, mix):
    # The last biases are never permuted or flipped: there each network carries its own index.
    n, batch_size = 24, 6
    dataset = inrs(n)
    marked = dataset.weights.map(lambda x: x.clone())
    wide = torch.nn.functional.pad(marked.weights[-1], (0, 0, 0, n - 2))
    marked = type(marked)((*marked.weights[:-1], wide), (*marked.biases[:-1], torch.eye(n)))
    train_set = dataclasses.replace(dataset, weights=marked)
    batches, mixtures = [], []

    class Watched:
        def __call__(self, w, target, *, generator):
            batches.append({row.argmax().item() for row in w.biases[-1]})
            mixed = MIXES[mix]()(w, target, generator=generator)
            mixtures.append(mixed[0].biases[-1])
            return mixed

    monkeypatch.setitem(MIXES, "watched", Watched)
    splits = {"train": train_set, "val": train_set, "test": train_set}
    scheme = {"augment": [], "mix": {"kind": "watched"}}
    train(splits, scheme=scheme, views=1, batch_size=batch_size)
    for batch, mixed in zip(batches, mixtures, strict=True):
        assert len(batch) == batch_size
        members = {int(j) for j in mixed.nonzero()[:, 1]}
        assert members <= batch
    assert any((m != 0).sum() > batch_size for m in mixtures), "nothing was mixed"


def test_statistics_are_those_of_the_selected_training_inrs(splits):
    result = train(splits, views=3)
    selected = splits["train"].select(views=3)
    assert result.models.statistics == tensor_statistics(selected.weights)
    assert (result.views, result.objects) == (3, 16)


def test_objects_limit_the_training_and_nothing_else(splits, spied):
    result = train(splits, objects=4, views=1)
    selected = splits["train"].select(views=1, objects=4).weights.flatten()
    assert result.objects == 4
    seen = {tuple(row) for batch in spied[0][1] for row in batch.tolist()}
    assert seen == {tuple(row) for row in selected.tolist()}
    assert len(result.predictions[0].labels) == 6


# -- the test split --------------------------------------------------------------------------


def test_the_test_split_is_read_once_per_seed_after_its_training(splits):
    events = []

    class Watched(dict):
        def __getitem__(self, key):
            if key == "test":
                events.append(key)
            return super().__getitem__(key)

    train(Watched(splits), seeds=[0, 1], progress=lambda done, total: events.append(done))
    assert events == [*range(1, 13), "test", *range(13, 25), "test"]


def test_the_test_split_does_not_steer_the_selection(splits):
    other = dataclasses.replace(splits["test"], labels=1 - splits["test"].labels)
    first, second = train(splits), train({**splits, "test": other})
    assert content(first, 0)[2] == content(second, 0)[2]
    assert first.runs[0]["best_update"] == second.runs[0]["best_update"]
    total = first.runs[0]["test_accuracy"] + second.runs[0]["test_accuracy"]
    assert total == pytest.approx(1.0)


def test_the_selected_state_is_the_one_tested(splits):
    # Exchanged validation labels make the best state an early one.
    val = dataclasses.replace(splits["val"], labels=1 - splits["val"].labels)
    result = train({**splits, "val": val}, updates=40, evaluate_every=1, scheme=SCHEMES["none"])
    (run,) = result.runs
    assert run["best_update"] < 40
    test = splits["test"].select(views=1)
    logits = predict(result.models.restore(0), test, result.models.statistics, 8)
    assert torch.equal(logits, result.predictions[0].logits)
    assert (run["test_accuracy"], run["test_loss"]) == scores(logits, test.labels)
    (row,) = [r for r in result.history if r["update"] == run["best_update"]]
    for key in ("train_accuracy", "val_accuracy", "val_loss"):
        assert run[key] == row[key]


def test_predictions_are_of_view_zero_of_every_test_object(splits):
    (p,) = train(splits).predictions
    assert p.object_ids.tolist() == list(range(200, 206))
    assert p.views.tolist() == [0] * 6
    assert p.labels.tolist() == [0, 1] * 3
    assert p.logits.shape == (6, 2)


@pytest.mark.parametrize("scheme", ["none", "permutation", "aligned"])
def test_learns_a_toy_problem(inrs, scheme):
    splits = {"train": inrs(64), "val": inrs(32, seed=1), "test": inrs(32, seed=2)}
    result = train(splits, scheme=SCHEMES[scheme], views=1, updates=120, seeds=[0, 1])
    assert [run["test_accuracy"] for run in result.runs] == [1.0, 1.0]


@pytest.mark.parametrize("model", [PIXEL_MODEL, {"kind": "pixel_mlp", "width": 16, "depth": 1}])
def test_learns_a_toy_problem_of_images(images, model):
    splits = {"train": images(64), "val": images(32, seed=1), "test": images(32, seed=2)}
    settings = {"scheme": SCHEMES["none"], "views": 1, "updates": 60, "seeds": [0, 1]}
    result = train(splits, model=model, **settings)
    assert [run["test_accuracy"] for run in result.runs] == [1.0, 1.0]
    assert result.models.input_settings == {"image_shape": (8, 8, 1)}
    assert [run["internal_accuracy"] for run in result.runs] == [None, None]
    assert result.objects == result.train_inrs == 64


@pytest.mark.parametrize(("kind", "channels"), POINT_CASES)
def test_learns_a_toy_problem_of_points(points, kind, channels):
    model = {"kind": kind, "width": 16, "features": 32, "head_width": 16, "dropout": 0.0}
    splits = point_splits(points, channels, (128, 64, 64))
    settings = {"scheme": SCHEMES["none"], "views": 1, "updates": 100, "batch_size": 32}
    (run,) = train(splits, model=model, **settings).runs
    assert run["test_accuracy"] > 0.95
    assert run["internal_accuracy"] is None


def test_models_of_one_kind_of_points_refuse_the_other(points):
    for (kind, _), (_, channels) in zip(POINT_CASES, POINT_CASES[::-1], strict=True):
        splits = point_splits(points, channels, (8, 4, 4))
        with pytest.raises(ValueError, match=f"numbers .* points of {channels}"):
            train(splits, model={"kind": kind}, scheme={}, views=1)


def test_balanced_accuracy_of_an_unbalanced_test_set(splits):
    # Five of one class and one of the other.
    full = {"train": splits["train"], "val": splits["val"]}
    test = dataclasses.replace(splits["test"], labels=(splits["test"].object_ids == 205).long())
    result = train({**full, "test": test})
    (run,), (p,) = result.runs, result.predictions
    hits = p.logits.argmax(dim=1) == p.labels
    expected = (hits[p.labels == 0].double().mean() + hits[p.labels == 1].double().mean()) / 2
    assert run["test_balanced_accuracy"] == pytest.approx(expected.item())
    assert run["test_balanced_accuracy"] != pytest.approx(run["test_accuracy"])
    assert run["test_accuracy"] == pytest.approx(hits.double().mean().item())


# -- internal generalisation -----------------------------------------------------------------


def test_internal_accuracy_is_of_the_held_out_views_of_the_training_objects(splits):
    result = train(splits, views=2, objects=6, train_views=3, seeds=[0, 1])
    chosen = splits["train"].select(objects=6)
    internal = chosen[chosen.views == 3]
    assert len(internal) == 6
    for run in result.runs:
        model = result.models.restore(run["seed"])
        logits = predict(model, internal, result.models.statistics, 8)
        assert run["internal_accuracy"] == scores(logits, internal.labels)[0]


def test_objects_without_a_trained_view_are_not_internal(splits):
    # All fits of the selected views of object 3 failed; its internal view says nothing.
    dataset = splits["train"]
    kept = dataset[(dataset.object_ids != 3) | (dataset.views >= 2)]
    chosen = select_training(kept, views=2, objects=None, train_views=3)
    assert 3 not in chosen.internal.object_ids.tolist()
    assert sorted(chosen.internal.object_ids.tolist()) == [i for i in range(16) if i != 3]
    assert chosen.internal.views.tolist() == [3] * 15


@pytest.mark.parametrize("train_views", [None, 4, 9])
def test_without_held_out_views_there_is_no_internal_accuracy(splits, train_views):
    result = train(splits, train_views=train_views)
    assert result.runs[0]["internal_accuracy"] is None


def test_held_out_views_cannot_be_trained_on(splits):
    with pytest.raises(ValueError, match=r"3 views .* from 2 on are held out .* at most 2"):
        train(splits, views=3, train_views=2)


# -- the scheme ------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [0.0, 0.3])
def test_the_smoothing_of_a_scheme_replaces_that_of_the_training(splits, own):
    scheme = {"augment": [], "mix": None, "label_smoothing": own}
    of_scheme = train(splits, scheme=scheme, label_smoothing=0.1)
    of_training = train(splits, scheme={**scheme, "label_smoothing": None}, label_smoothing=own)
    assert content(of_scheme, 0) == content(of_training, 0)
    assert content(of_scheme, 0) != content(train(splits, scheme={}, label_smoothing=0.1), 0)


@pytest.mark.parametrize("scheme", ["permutation", "direct"])
def test_raw_data_are_neither_augmented_nor_mixed(pictures, points, scheme):
    with pytest.raises(ValueError, match="mixes or pairs networks, but the model reads raw data"):
        train(pictures, model=PIXEL_MODEL, scheme=SCHEMES[scheme], views=1)
    clouds = point_splits(points, 3, (8, 4, 4))
    with pytest.raises(ValueError, match="mixes or pairs networks, but the model reads raw data"):
        train(clouds, model={"kind": "pointnet"}, scheme=SCHEMES[scheme], views=1)


def test_counts_parameters(splits):
    result = train(splits)
    assert result.n_parameters == sum(p.numel() for p in result.models.restore(0).parameters())


# -- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": []}, "at least one"),
        ({"seeds": [0, 0]}, "each once"),
        ({"scheme": {"augment": [{"kind": "rotat"}]}}, "augment kind is 'rotat'.*permutation"),
        ({"scheme": {"mix": {"kind": "alined"}}}, "mix kind is 'alined'.*aligned"),
        ({"model": {"kind": "mpl"}}, "mpl"),
        ({"model": PIXEL_MODEL}, "'pixel_cnn' reads images"),
        ({"updates": 0}, "updates is 0"),
        ({"views": 5}, "5"),
        ({"objects": 17}, "17"),
    ],
)
def test_impossible_cells_are_refused(splits, settings, message):
    with pytest.raises(ValueError, match=message):
        train(splits, **settings)


def test_a_missing_split_is_refused(splits):
    del splits["val"]
    with pytest.raises(ValueError, match=r"splits \['test', 'train'\]; it needs train, val, test"):
        train(splits)


def test_restoring_an_unknown_seed_is_refused(splits):
    with pytest.raises(ValueError, match=r"no model of seed 7; there are \[0\]"):
        train(splits).models.restore(7)


# -- a seed that diverges --------------------------------------------------------------------


def test_a_seed_that_diverges_loses_no_other(splits, monkeypatch):
    original = cell_module.train_together

    def diverging(*arguments, generators, **settings):
        if generators[0].initial_seed() == stream(1, "train").initial_seed():
            return [DivergedError("the training loss at update 3 is nan")]
        return original(*arguments, generators=generators, **settings)

    alone = train(splits, seeds=[0])
    monkeypatch.setattr(cell_module, "train_together", diverging)
    result = train(splits, seeds=[0, 1])
    assert content(result, 0) == content(alone, 0)
    assert [run["seed"] for run in result.runs] == [0]
    assert result.failed_seeds == {1: "the training loss at update 3 is nan"}
    with pytest.raises(DivergedError, match="every seed failed"):
        train(splits, seeds=[1])


def test_a_test_loss_that_is_not_finite_loses_no_other_seed(splits, monkeypatch):
    # json.dumps would refuse it at the end, and with it all that the cell found.
    original, left = cell_module.scores, [1]

    def spoiled_once(logits, labels):
        accuracy, loss = original(logits, labels)
        return (
            (accuracy, math.inf) if len(labels) == 6 and left and left.pop() else (accuracy, loss)
        )

    alone = train(splits, seeds=[1])
    monkeypatch.setattr(cell_module, "scores", spoiled_once)
    result = train(splits, seeds=[0, 1])
    assert content(result, 1) == content(alone, 1)
    assert list(result.models.states) == [p.seed for p in result.predictions] == [1]
    assert {row["seed"] for row in result.history} == {1}
    assert "test loss of update" in result.failed_seeds[0]
