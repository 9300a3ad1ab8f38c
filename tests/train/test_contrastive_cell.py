import dataclasses
import math
from itertools import pairwise

import pytest
import torch

import weightspace.train.contrastive_cell as cell_module
import weightspace.train.few_labels as few_labels_module
from weightspace.dataset.statistics import tensor_statistics
from weightspace.rng import stream
from weightspace.train.contrastive import pretrain
from weightspace.train.contrastive_cell import train_contrastive_cell
from weightspace.train.few_labels import label_count, lengthened
from weightspace.train.frozen_encoder import freeze
from weightspace.train.linear_probe import UnconvergedError
from weightspace.train.steps import DivergedError
from weightspace.train.supervised import train_supervised

MLP = {"kind": "mlp", "width": 8, "depth": 1}
NOISE = {"augment": [{"kind": "gaussian_noise", "scale": 0.1}]}
TRAINING = {"batch_size": 8, "lr": 0.01, "weight_decay": 0.0, "warmup": 1, "evaluate_every": 3}
SETTINGS = {
    "model": MLP,
    "embedding": 5,
    "scheme": NOISE,
    "pairs": "augmented",
    "views": 2,
    "seeds": [0],
    "label_fractions": [0.01, 0.5, 1.0],
    "pretraining": {"projection": 4, "temperature": 0.5, "updates": 6, **TRAINING},
    "fine_tune": {"updates": 5, **TRAINING},
    "l2": [0.01, 1.0],
}
SCRATCH = {"scheme": None, "pairs": None}


def train(splits, **settings):
    return train_contrastive_cell(splits, **{**SETTINGS, **settings})


def content(result, seed):
    """Everything a cell says about a seed, but for times."""
    judged = [
        (
            {k: v for k, v in j.run.items() if k != "seconds"},
            j.object_ids.tolist(),
            j.labels.tolist(),
            j.predictions.tolist(),
        )
        for j in result.judgements[seed]
    ]
    return judged, [row for row in result.history if row["seed"] == seed]


def poisoned(dataset, keep):
    """The dataset with every network that is not to be used made NaN."""
    w = dataset.weights.map(lambda x: x.clone())
    for x in w:
        x[~keep] = math.nan
    return dataclasses.replace(dataset, weights=w)


# -- what is run -----------------------------------------------------------------------------


def test_every_protocol_is_judged_with_every_share_of_the_labels(splits):
    runs = [j.run for j in train(splits).judgements[0]]
    assert [(r["protocol"], r["label_fraction"], r["label_objects"]) for r in runs] == [
        (protocol, fraction, objects)
        for protocol in ("linear_probe", "fine_tune")
        for fraction, objects in ((0.01, 2), (0.5, 8), (1.0, 16))
    ]
    for run in runs:
        probe = run["protocol"] == "linear_probe"
        assert (run["l2"] in (0.01, 1.0)) == probe and (run["best_update"] is None) == probe


def test_without_a_scheme_there_is_no_pre_training(splits):
    result = train(splits, **SCRATCH)
    protocols = [j.run["protocol"] for j in result.judgements[0]]
    assert protocols == ["untrained_probe"] * 3 + ["scratch"] * 3 + ["scratch_long"] * 3
    assert result.history == []


def test_the_untrained_probe_reads_the_encoder_that_pre_training_starts_from(splits, monkeypatch):
    # Without a single step, the probe of a pre-trained encoder is that of the untrained one.
    monkeypatch.setattr(cell_module, "pretrain", lambda *arguments, **settings: [])
    still, untrained = train(splits), train(splits, **SCRATCH)
    for a, b in zip(still.judgements[0][:3], untrained.judgements[0][:3], strict=True):
        assert torch.equal(a.predictions, b.predictions)
        assert (a.run["l2"], a.run["test_loss"]) == (b.run["l2"], b.run["test_loss"])


def test_an_empty_scheme_still_pre_trains(splits):
    result = train(splits, scheme={"augment": [], "mix": None, "label_smoothing": None})
    assert {j.run["protocol"] for j in result.judgements[0]} == {"linear_probe", "fine_tune"}
    assert [row["update"] for row in result.history] == [3, 6]


def test_progress_counts_every_update(splits):
    calls = []
    train(splits, seeds=[0, 1], progress=lambda *call: calls.append(call))
    assert calls == [(done, 42) for done in range(1, 43)]


@pytest.mark.parametrize("model", [MLP, {"kind": "dws", "channels": 4, "depth": 2}])
def test_repeats_bitwise(splits, model):
    torch.manual_seed(0)
    first = train(splits, model=model, pairs="views")
    torch.manual_seed(1)
    assert content(train(splits, model=model, pairs="views"), 0) == content(first, 0)


def test_a_seed_does_not_depend_on_the_other_seeds(splits):
    both, alone = train(splits, seeds=[0, 1]), train(splits, seeds=[1])
    assert content(both, 1) == content(alone, 1)
    assert content(both, 0) != content(both, 1)


# -- what is shared --------------------------------------------------------------------------


@pytest.fixture
def spied(monkeypatch):
    """For each training with labels: its initial state, its labelled objects, its batches."""
    log = []

    def spy(model, train, val, *, augment, **settings):
        assert augment is None
        parameters = {k: v.clone() for k, v in model.state_dict().items()}
        log.append((parameters, set(train.object_ids.tolist()), train, []))

        def watch(w, *, generator):
            log[-1][3].append(w.flatten())
            return w

        return train_supervised(model, train, val, augment=watch, **settings)

    monkeypatch.setattr(few_labels_module, "train_supervised", spy)
    return log


def test_fine_tuning_and_scratch_share_all_but_the_encoder(splits, spied):
    train(splits)
    fine_tuned = spied.copy()
    spied.clear()
    train(splits, **SCRATCH)
    for tuned, scratch in zip(fine_tuned, spied[:3], strict=True):
        assert tuned[1] == scratch[1]
        assert torch.equal(torch.stack(tuned[3]), torch.stack(scratch[3]))
        for key, value in tuned[0].items():
            # "0." is the encoder, "1." the linear layer.
            assert torch.equal(value, scratch[0][key]) == key.startswith("1.")
    # Every fraction starts from the same state: fine-tuning one leaves the encoder to the next.
    for first, second in pairwise(fine_tuned):
        assert all(torch.equal(first[0][k], second[0][k]) for k in first[0])


def test_pre_training_starts_from_the_encoder_of_scratch(splits, spied, monkeypatch):
    starts = []

    def spy(encoder, *arguments, **settings):
        starts.append({k: v.clone() for k, v in encoder.state_dict().items()})
        return pretrain(encoder, *arguments, **settings)

    monkeypatch.setattr(cell_module, "pretrain", spy)
    train(splits, seeds=[3])
    spied.clear()
    train(splits, seeds=[3], **SCRATCH)
    for key, value in starts[0].items():
        assert torch.equal(value, spied[0][0][f"0.{key}"])


def test_labelled_objects_are_nested_balanced_and_drawn_by_the_seed(splits, spied):
    fractions = [0.01, 0.25, 0.5, 1.0]
    train(splits, seeds=[0, 1], label_fractions=fractions, **SCRATCH)
    sets = [entry[1] for entry in spied]
    assert sets[:4] == sets[4:8]
    sets = sets[:4] + sets[8:12]
    for own in (sets[:4], sets[4:]):
        assert [len(s) for s in own] == [2, 4, 8, 16]
        assert all(a < b for a, b in pairwise(own))
    for _, _, dataset, _ in spied:
        counts = torch.bincount(dataset.labels)
        assert counts[0] == counts[1]
        assert set(dataset.views.tolist()) == {0, 1}
    assert sets[1] != sets[5]


def test_the_labelled_objects_are_the_same_for_every_number_of_views(splits, spied):
    train(splits, views=1, **SCRATCH)
    one = [entry[1] for entry in spied]
    spied.clear()
    train(splits, views=3, **SCRATCH)
    assert [entry[1] for entry in spied] == one


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.001, 10), (0.01, 15), (0.1, 150), (1.0, 1500)]
)
def test_there_is_a_label_of_every_class(fraction, expected):
    assert label_count(fraction, objects=1500, n_classes=10) == expected


def test_the_long_scratch_makes_the_updates_of_both(splits, spied):
    train(splits, **SCRATCH)
    short, long = spied[:3], spied[3:]
    assert [len(entry[3]) for entry in short] == [5] * 3
    assert [len(entry[3]) for entry in long] == [11] * 3
    for a, b in zip(short, long, strict=True):
        assert a[1] == b[1]
        assert all(torch.equal(a[0][k], b[0][k]) for k in a[0])
        assert torch.equal(torch.stack(a[3]), torch.stack(b[3][:5]))


@pytest.mark.parametrize(
    ("updates", "every", "further", "expected"),
    [(450, 50, 900, 150), (5, 3, 6, 6), (10, 10, 1, 11), (7, 1, 3, 2), (7, 2, 0, 2)],
)
def test_more_updates_have_no_more_evaluations(updates, every, further, expected):
    settings = {"updates": updates, "evaluate_every": every, "warmup": 4, "lr": 0.1}
    more = lengthened(settings, further)
    assert more == {**settings, "updates": updates + further, "evaluate_every": expected}
    count = math.ceil(updates / every)
    assert math.ceil((updates + further) / expected) <= count


def test_every_training_calibrates_on_the_same_networks(splits, monkeypatch):
    given = []

    def spy(*arguments, calibrate_on, **settings):
        given.append(calibrate_on.weights.flatten())
        return train_supervised(*arguments, calibrate_on=calibrate_on, **settings)

    monkeypatch.setattr(few_labels_module, "train_supervised", spy)
    train(splits)
    train(splits, **SCRATCH)
    assert len(given) == 9 and all(torch.equal(given[0], other) for other in given)
    assert len(given[0]) == 8  # as many as validation has, though only two objects have a label
    pool = {tuple(row) for row in splits["train"].select(views=2).weights.flatten().tolist()}
    assert {tuple(row) for row in given[0].tolist()} <= pool


# -- what is never seen ----------------------------------------------------------------------


@pytest.mark.parametrize("pairs", ["augmented", "views"])
def test_nothing_outside_the_selected_views_is_ever_used(splits, pairs):
    # A leaked network would turn the loss or a prediction into NaN.
    kept = {"train": 2, "val": 1, "test": 1}
    spoiled = {name: poisoned(d, d.views < kept[name]) for name, d in splits.items()}
    result = train(spoiled, pairs=pairs)
    assert content(result, 0) == content(train(splits, pairs=pairs), 0)


def test_pre_training_sees_no_validation_and_no_test_network(splits, monkeypatch):
    # Every network that the encoder is given is written down, by a number that stays itself.
    def marked(dataset, offset):
        w = dataset.weights.map(lambda x: x.clone())
        w.biases[-1][:, 0] = offset + torch.arange(len(dataset))
        return dataclasses.replace(dataset, weights=w)

    offsets = {"train": 0, "val": 1000, "test": 2000}
    datasets = {name: marked(d, offsets[name]) for name, d in splits.items()}
    seen = set()

    def spy(encoder, head, train, *, augment, **settings):
        def watch(w, *, generator):
            seen.update(w.biases[-1][:, 0].tolist())
            return w

        return pretrain(encoder, head, train, augment=watch, **settings)

    monkeypatch.setattr(cell_module, "pretrain", spy)
    train(datasets, pairs="views", views=3)
    allowed = splits["train"].views < 3
    assert seen <= set(torch.arange(len(allowed))[allowed].tolist())
    assert len(seen) > 0.8 * allowed.sum()


def test_held_out_views_cannot_be_asked_for(splits):
    with pytest.raises(ValueError, match="those from 1 on are held out"):
        train(splits, views=2, train_views=1)


def test_pre_training_and_the_probe_see_no_label_but_those_given(splits):
    # With other labels for the objects whose label is hidden, nothing changes.
    result = train(splits, label_fractions=[0.25])
    given = splits["train"].select(objects=4, seed=0).object_ids.unique()
    hidden = ~torch.isin(splits["train"].object_ids, given)

    class Relabelled(type(splits["train"])):
        """Draws the labelled objects by the true labels, and shows false ones."""

        def select(self, *, objects=None, **settings):
            if objects is not None:
                return splits["train"].select(objects=objects, **settings)
            return super().select(**settings)

    held = {f.name: getattr(splits["train"], f.name) for f in dataclasses.fields(splits["train"])}
    labels = torch.where(hidden, 1 - held["labels"], held["labels"])
    # `select` by views goes through the training selection.
    false = Relabelled(**{**held, "labels": labels})
    assert content(train({**splits, "train": false}, label_fractions=[0.25]), 0) == content(
        result, 0
    )


# -- the test split --------------------------------------------------------------------------


def test_the_test_split_is_read_once_for_each_classifier_after_its_selection(splits):
    events = []

    class Watched(dict):
        def __getitem__(self, key):
            if key == "test":
                events.append(key)
            return super().__getitem__(key)

    train(Watched(splits), label_fractions=[0.5, 1.0], progress=lambda done, _: events.append(done))
    probes = ["test", "test"]
    assert events == [*range(1, 7), *probes, *range(7, 12), "test", *range(12, 17), "test"]


def test_the_test_split_does_not_steer_the_selection(splits):
    other = dataclasses.replace(splits["test"], labels=1 - splits["test"].labels)
    first, second = train(splits), train({**splits, "test": other})
    for a, b in zip(first.judgements[0], second.judgements[0], strict=True):
        assert torch.equal(a.predictions, b.predictions)
        assert a.run["test_accuracy"] + b.run["test_accuracy"] == pytest.approx(1.0)
        assert (a.run["best_update"], a.run["l2"]) == (b.run["best_update"], b.run["l2"])


def test_predictions_are_of_view_zero_of_every_test_object(splits):
    for judgement in train(splits).judgements[0]:
        assert judgement.object_ids.tolist() == list(range(200, 206))
        hits = (judgement.predictions == judgement.labels).double().mean().item()
        assert judgement.run["test_accuracy"] == pytest.approx(hits)


def test_learns_a_toy_problem(inrs):
    splits = {"train": inrs(64), "val": inrs(32, seed=1), "test": inrs(32, seed=2)}
    pretraining = {**SETTINGS["pretraining"], "updates": 60, "batch_size": 16}
    settings = {"views": 1, "label_fractions": [1.0], "pretraining": pretraining}
    settings |= {"embedding": 16, "model": {**MLP, "width": 32}}
    fine_tune = {**SETTINGS["fine_tune"], "updates": 80, "lr": 0.02}
    for scheme in (settings, settings | SCRATCH):
        result = train(splits, fine_tune=fine_tune, **scheme)
        assert min(j.run["test_accuracy"] for j in result.judgements[0]) > 0.8


# -- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": [0, 0]}, "seeds are .*each once"),
        ({"label_fractions": []}, "label_fractions are .*at least one"),
        ({"label_fractions": [1.5]}, "label fraction is 1.5"),
        ({"scheme": {"mix": {"kind": "direct"}}}, "mix = .* needs labels.*self_mixup"),
        ({"scheme": {"label_smoothing": 0.1}}, "label_smoothing = 0.1, which needs labels"),
        ({"scheme": {"augment": [{"kind": "rotat"}]}}, "rotat"),
        ({"views": 1, "pairs": "views"}, "each has only one"),
        ({"views": 9}, "9"),
        ({"pairs": None}, "pairs is None; pre-training needs both"),
        ({"scheme": None}, "scheme is None and pairs is augmented"),
        ({"l2": []}, "l2 is empty"),
    ],
)
def test_impossible_cells_are_refused(splits, settings, message):
    with pytest.raises(ValueError, match=message):
        train(splits, **settings)


def test_images_are_refused(splits, images):
    with pytest.raises(ValueError, match="it was given images"):
        train({name: images(16) for name in splits}, views=1)


def test_a_missing_split_is_refused(splits):
    del splits["val"]
    with pytest.raises(ValueError, match=r"splits \['test', 'train'\]; it needs train, val, test"):
        train(splits)


def test_a_seed_that_diverges_loses_no_other(splits, monkeypatch):
    def diverging(*arguments, generator, **settings):
        if generator.initial_seed() == stream(1, "contrastive", "pretrain").initial_seed():
            raise DivergedError("the contrastive loss at update 3 is nan")
        return pretrain(*arguments, generator=generator, **settings)

    alone = train(splits)
    monkeypatch.setattr(cell_module, "pretrain", diverging)
    result = train(splits, seeds=[0, 1])
    assert content(result, 0) == content(alone, 0)
    assert list(result.judgements) == [0]
    assert result.failed_seeds == {1: "the contrastive loss at update 3 is nan"}
    with pytest.raises(DivergedError, match="every seed failed"):
        train(splits, seeds=[1])


def test_embeddings_that_are_not_finite_fail_the_seed(splits, monkeypatch):
    def exploding(encoder, *arguments, **settings):
        rows = pretrain(encoder, *arguments, **settings)
        with torch.no_grad():
            next(encoder.parameters()).fill_(math.inf)
        return rows

    monkeypatch.setattr(cell_module, "pretrain", exploding)
    with pytest.raises(DivergedError, match="embedding of the frozen encoder is not finite"):
        train(splits)


def test_a_classifier_that_fails_leaves_the_others_of_its_seed(splits, monkeypatch):
    def failing(model, train, *arguments, **settings):
        if len(train) == 16:
            raise DivergedError("the training loss at update 3 is nan")
        return train_supervised(model, train, *arguments, **settings)

    whole = {(j.run["protocol"], j.run["label_fraction"]): j for j in train(splits).judgements[0]}
    monkeypatch.setattr(few_labels_module, "train_supervised", failing)
    result = train(splits)
    assert result.failed_seeds == {}
    (failure,) = result.failures[0]
    assert (failure.protocol, failure.label_fraction) == ("fine_tune", 0.5)
    assert str(failure) == (
        "fine_tune with label fraction 0.5 has no result: the training loss at update 3 is nan"
    )
    left = {(j.run["protocol"], j.run["label_fraction"]): j for j in result.judgements[0]}
    assert left.keys() == whole.keys() - {("fine_tune", 0.5)}
    assert all(torch.equal(left[k].predictions, whole[k].predictions) for k in left)


def test_a_probe_that_does_not_converge_leaves_the_rest(splits, monkeypatch):
    def stuck(*arguments, **settings):
        raise UnconvergedError("the gradient is 1")

    monkeypatch.setattr("weightspace.train.frozen_encoder.select_probe", stuck)
    result = train(splits)
    assert [f.protocol for f in result.failures[0]] == ["linear_probe"] * 3
    assert [j.run["protocol"] for j in result.judgements[0]] == ["fine_tune"] * 3


def test_a_test_loss_that_is_not_finite_fails_one_classifier(splits, monkeypatch):
    original, left = few_labels_module.scores, [1]

    def spoiled_once(logits, labels):
        accuracy, loss = original(logits, labels)
        return (accuracy, math.nan) if left and left.pop() else (accuracy, loss)

    monkeypatch.setattr(few_labels_module, "scores", spoiled_once)
    result = train(splits)
    assert [f.label_fraction for f in result.failures[0]] == [0.01]
    assert "test loss is nan" in result.failures[0][0].reason
    assert len(result.judgements[0]) == 5


def test_a_collapsed_dimension_is_not_blown_up(inrs):
    dataset = inrs(32)

    class Collapsed(torch.nn.Module):
        def forward(self, w):
            x = w.flatten()
            return torch.stack([10 + 1e-6 * x[:, 0].sign(), x[:, 1]], dim=1)

    statistics = tensor_statistics(dataset.weights)
    embedded = freeze(Collapsed(), dataset, statistics, 8)(dataset)
    assert embedded[:, 0].abs().max() < 1e-5
    assert embedded[:, 1].std(correction=0).item() == pytest.approx(1.0, rel=1e-4)
