import dataclasses
import math

import pytest
import torch
from torch import nn

import weightspace.train.supervised as supervised
from weightspace.dataset.statistics import standardise, tensor_statistics
from weightspace.rng import stream
from weightspace.train.accuracy import balanced_accuracy, scores
from weightspace.train.losses import one_hot, soft_cross_entropy
from weightspace.train.schedule import warmup_cosine
from weightspace.train.steps import DivergedError
from weightspace.train.supervised import predict, train_supervised

SETTINGS = {
    "augment": None,
    "mix": None,
    "updates": 12,
    "batch_size": 8,
    "lr": 0.05,
    "weight_decay": 0.0,
    "warmup": 2,
    "evaluate_every": 4,
}


class Linear(nn.Module):
    """Logits linear in all weights; keeps what it was given while training."""

    def __init__(self, dropout=0.0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.linear = nn.Linear(17, 2)
        self.dropout = nn.Dropout(dropout)
        self.given = []

    def forward(self, w):
        if self.training:
            self.given.append(w.flatten().clone())
        return self.linear(self.dropout(w.flatten()))


class Noise:
    """An augmentation that draws and changes the weights."""

    def __call__(self, w, *, generator):
        return w.map(lambda x: x + torch.randn(x.shape, generator=generator))


class Swap:
    """A mix that draws, and keeps the weights and the targets."""

    def __call__(self, w, target, *, generator):
        torch.rand(len(w), generator=generator)
        return w, target


def fit(model, train, val, *, seed=0, **settings):
    return train_supervised(
        model,
        train,
        val,
        statistics=tensor_statistics(train.weights),
        generator=stream(seed, "train"),
        **{**SETTINGS, **settings},
    )


def relabelled(dataset):
    return dataclasses.replace(dataset, labels=1 - dataset.labels)


def equal_states(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_learns_a_toy_problem(inrs):
    history = fit(Linear(), inrs(128), inrs(16, seed=1), updates=100)
    assert history.best_row["val_accuracy"] == 1.0
    assert history.rows[-1]["train_accuracy"] == 1.0
    assert history.rows[-1]["loss"] < 0.2 < history.rows[0]["loss"]


def test_rows_say_where_they_are(inrs):
    history = fit(Linear(), inrs(16), inrs(8), updates=10)
    assert [row["update"] for row in history.rows] == [4, 8, 10]
    assert [row["epoch"] for row in history.rows] == [2.0, 4.0, 5.0]
    factors = [warmup_cosine(u - 1, updates=10, warmup=2) for u in (4, 8, 10)]
    assert [row["lr"] for row in history.rows] == [0.05 * f for f in factors]
    assert " ".join(history.rows[0]) == (
        "update epoch lr loss train_accuracy train_loss val_accuracy val_loss val_balanced_accuracy"
    )


def test_the_learning_rate_of_the_row_is_the_one_used(inrs):
    # Adam's first step moves each parameter by the learning rate.
    model = Linear()
    before = model.linear.weight.detach().clone()
    (row,) = fit(model, inrs(8), inrs(8), updates=1, warmup=1).rows
    moved = (model.linear.weight - before).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, row["lr"]), rtol=1e-3, atol=0.0)


# -- selection -------------------------------------------------------------------------------


@pytest.mark.parametrize("better_early", [True, False])
def test_selects_the_best_state_on_validation(inrs, better_early):
    # With the labels of validation exchanged, training makes validation worse: the best is
    # an early state. Every state is recomputed here from a snapshot.
    train, val = inrs(32), inrs(16, seed=1)
    val = relabelled(val) if better_early else val
    model, snapshots = Linear(), {}

    def snapshot(done, total):
        snapshots[done] = {k: v.clone() for k, v in model.state_dict().items()}

    history = fit(model, train, val, updates=40, evaluate_every=1, progress=snapshot)
    ranks = {}
    statistics = tensor_statistics(train.weights)
    for update, state in snapshots.items():
        model.load_state_dict(state)
        accuracy, loss = scores(predict(model, val, statistics, 8), val.labels)
        ranks[update] = (accuracy, -loss)
    best = max(ranks, key=lambda u: (ranks[u], -u))
    assert history.best_row["update"] == best
    assert history.best_row["val_accuracy"] == ranks[best][0]
    assert equal_states(history.best_state, snapshots[best])
    assert (best < 10) == better_early


@pytest.mark.parametrize(("exchange", "expected"), [(False, 240), (True, 80)])
def test_ties_in_accuracy_go_to_the_lower_loss(inrs, exchange, expected):
    # Accuracy stands still at its bound while the loss goes on, down or (exchanged) up.
    val = relabelled(inrs(16, seed=1)) if exchange else inrs(16, seed=1)
    history = fit(Linear(), inrs(128), val, updates=240, evaluate_every=80)
    assert {row["val_accuracy"] for row in history.rows} == {float(not exchange)}
    losses = [row["val_loss"] for row in history.rows]
    assert losses == sorted(losses, reverse=not exchange)
    assert history.best_row["update"] == expected


def test_full_ties_go_to_the_earlier_state(inrs):
    # Steps far below the rounding of float32 change nothing.
    assert fit(Linear(), inrs(16), inrs(8), lr=1e-30).best_row["update"] == 4


def test_validation_does_not_touch_the_training(inrs):
    a, b = Linear(), Linear()
    fit(a, inrs(16), inrs(8, seed=1), evaluate_every=1)
    fit(b, inrs(16), relabelled(inrs(5, seed=2)), evaluate_every=12)
    assert equal_states(a.state_dict(), b.state_dict())


# -- the order of operations and of batches --------------------------------------------------


def test_augments_raw_weights_then_mixes_then_standardises(inrs):
    train, seen = inrs(16), []

    def augment(w, *, generator):
        seen.append(w.flatten())
        return w.map(lambda x: x + 1)

    def mix(w, target, *, generator):
        return w.map(lambda x: 2 * x), target

    model = Linear()
    fit(model, train, inrs(8), augment=augment, mix=mix)
    raw = {tuple(row) for row in train.weights.flatten().tolist()}
    assert all(tuple(row) in raw for batch in seen for row in batch.tolist())
    statistics = tensor_statistics(train.weights)
    order = [train.weights.flatten().tolist().index(row) for row in seen[0].tolist()]
    expected = train.weights[torch.tensor(order)].map(lambda x: 2 * (x + 1))
    torch.testing.assert_close(model.given[0], standardise(expected, statistics).flatten())


def test_the_target_of_the_mix_is_the_one_learned(inrs):
    def exchange(w, target, *, generator):
        return w, target.flip(1)

    history = fit(Linear(), inrs(32), inrs(16, seed=1), mix=exchange, updates=60)
    assert history.rows[-1]["train_accuracy"] == 0.0


def test_every_scheme_sees_the_same_batches(inrs):
    train, orders = inrs(20), []
    for augment, mix in ((None, None), (Noise(), None), (None, Swap()), (Noise(), Swap())):
        given = []

        def spy(w, *, generator, augment=augment, given=given):
            given.append(w.flatten())
            return augment(w, generator=generator) if augment else w

        fit(Linear(), train, inrs(8), augment=spy, mix=mix)
        orders.append(torch.stack(given))
    assert len(orders[0]) == SETTINGS["updates"]
    assert all(torch.equal(orders[0], other) for other in orders[1:])


def test_the_mix_does_not_change_what_the_augmentation_draws(inrs):
    a, b = Linear(), Linear()
    fit(a, inrs(16), inrs(8), augment=Noise(), mix=None)
    fit(b, inrs(16), inrs(8), augment=Noise(), mix=Swap())
    assert torch.equal(torch.stack(a.given), torch.stack(b.given))


def test_a_batch_may_be_larger_than_the_dataset(inrs):
    model = Linear()
    history = fit(model, inrs(3), inrs(8), batch_size=10)
    assert all(given.shape == (10, 17) for given in model.given)
    assert history.rows[-1]["epoch"] == 40.0


# -- randomness ------------------------------------------------------------------------------


def test_a_seed_repeats_exactly_and_the_global_rng_has_no_part(inrs):
    models = []
    for global_seed, seed in ((0, 0), (1, 0), (0, 1)):
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        model = Linear(dropout=0.5)
        history = fit(model, inrs(16), inrs(8), seed=seed, augment=Noise(), mix=Swap())
        assert torch.equal(torch.get_rng_state(), before)
        models.append((model.state_dict(), history))
    (state, history), (again, history_again), (other, _) = models
    assert equal_states(state, again)
    assert history.rows == history_again.rows
    assert not equal_states(state, other)


def test_the_datasets_are_left_alone(inrs):
    train, val = inrs(16), inrs(8)
    copies = [d.weights.flatten().clone() for d in (train, val)]
    fit(Linear(), train, val, augment=Noise())
    assert torch.equal(train.weights.flatten(), copies[0])
    assert torch.equal(val.weights.flatten(), copies[1])


# -- the objective ---------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_smoothing_enters_the_objective_and_not_the_evaluation(inrs, smoothing):
    train = inrs(8)
    statistics = tensor_statistics(train.weights)
    start = predict(Linear(), train, statistics, 8)
    objective = soft_cross_entropy(start, one_hot(train.labels, 2, smoothing=smoothing))
    settings = {"updates": 1, "warmup": 0, "lr": 1e-9, "label_smoothing": smoothing}
    (row,) = fit(Linear(), train, train, **settings).rows
    assert row["loss"] == pytest.approx(objective.item(), rel=1e-5)
    plain = nn.functional.cross_entropy(start, train.labels)
    assert row["val_loss"] == pytest.approx(plain.item(), rel=1e-5)
    assert row["train_loss"] == pytest.approx(plain.item(), rel=1e-5)


def test_the_loss_of_a_row_is_the_mean_since_the_last_row(inrs):
    every = fit(Linear(), inrs(16), inrs(8), evaluate_every=1).rows
    some = fit(Linear(), inrs(16), inrs(8), evaluate_every=4).rows
    means = [sum(row["loss"] for row in every[i : i + 4]) / 4 for i in (0, 4, 8)]
    assert [row["loss"] for row in some] == pytest.approx(means, rel=1e-6)


def test_training_scores_are_of_as_many_inrs_as_validation_has(inrs):
    # One INR in the subset: its accuracy is 0 or 1. All of them: a multiple of 1 / 64.
    few = fit(Linear(), inrs(64), inrs(1), updates=1, warmup=0).rows[0]["train_accuracy"]
    assert few in (0.0, 1.0)
    train = inrs(5)
    model = Linear()
    (row,) = fit(model, train, inrs(9), updates=1, warmup=0).rows
    logits = predict(model, train, tensor_statistics(train.weights), 8)
    assert row["train_accuracy"] == scores(logits, train.labels)[0]
    assert row["train_loss"] == pytest.approx(scores(logits, train.labels)[1], rel=1e-5)


def test_weight_decay_and_clipping_reach_the_optimiser(inrs):
    def norm(**settings):
        model = Linear()
        fit(model, inrs(16), inrs(8), **settings)
        return model.linear.weight.norm().item()

    assert norm(weight_decay=5.0) < 0.8 * norm()
    # Gradients far below Adam's epsilon of 1e-8 do not move the parameters.
    still = norm(clip_norm=1e-14)
    assert still == pytest.approx(Linear().linear.weight.norm().item(), rel=1e-4)
    assert norm() != pytest.approx(still, rel=1e-2)


class Normed(Linear):
    """Batch norm before logits that are linear in all weights."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(17)

    def forward(self, w):
        return self.linear(self.norm(w.flatten()))


def test_batch_norms_are_calibrated_on_what_is_given(inrs):
    train, val, unlabelled = inrs(4), inrs(16, seed=1), inrs(16, seed=2)
    statistics = tensor_statistics(train.weights)
    a, b, c = Normed(), Normed(), Normed()
    fit(a, train, val)
    fit(b, train, val, calibrate_on=unlabelled)
    fit(c, train, val, calibrate_on=relabelled(unlabelled))
    for model, dataset in ((a, train), (b, unlabelled)):
        mean = standardise(dataset.weights, statistics).flatten().mean(dim=0)
        torch.testing.assert_close(model.norm.running_mean, mean)
    assert equal_states(b.state_dict(), c.state_dict())
    # Nothing else of the training hears of it.
    assert torch.equal(a.linear.weight, b.linear.weight)
    assert torch.equal(a.norm.weight, b.norm.weight)


# -- evaluation ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_predict_does_not_depend_on_the_chunks(inrs, batch_size):
    dataset = inrs(7)
    statistics = tensor_statistics(dataset.weights)
    model = Linear()
    expected = model.linear(standardise(dataset.weights, statistics).flatten())
    torch.testing.assert_close(predict(model, dataset, statistics, batch_size), expected)


@pytest.mark.parametrize("training", [True, False])
def test_predict_evaluates_and_restores_the_mode(inrs, training):
    model = Linear(dropout=0.5).train(training)
    statistics = tensor_statistics(inrs(7).weights)
    first, second = (predict(model, inrs(7), statistics, 4) for _ in range(2))
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert model.training == training
    assert not model.given


def test_scores_are_accuracy_and_cross_entropy():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    accuracy, loss = scores(logits, torch.tensor([0, 1, 0]))
    assert accuracy == pytest.approx(1 / 3)
    terms = [math.log(1 + math.exp(-2)), math.log(2), math.log(1 + math.exp(1))]
    assert loss == pytest.approx(sum(terms) / 3)


def naive_balanced_accuracy(logits, labels):
    """Class by class, example by example."""
    right, there = {}, {}
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        there[label] = there.get(label, 0) + 1
        right[label] = right.get(label, 0) + (row.index(max(row)) == label)
    return sum(right[c] / there[c] for c in there) / len(there)


@pytest.mark.parametrize("seed", range(20))
def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_occur(seed):
    # Of seven classes two or more do not occur, and the others differ in size.
    g = torch.Generator().manual_seed(seed)
    labels = torch.tensor([1, 2, 4, 5, 6])[(5 * torch.rand(40, generator=g) ** 2).long()]
    logits = torch.randn(40, 7, generator=g) + torch.nn.functional.one_hot(labels, 7)
    found = balanced_accuracy(logits, labels)
    assert found == pytest.approx(naive_balanced_accuracy(logits, labels), abs=1e-12)
    assert 0 < found < 1 and found != pytest.approx(scores(logits, labels)[0], abs=1e-4)


def test_balanced_accuracy_of_guessing_the_majority():
    labels = torch.tensor([0] * 97 + [1, 2, 3])
    logits = torch.eye(4)[torch.zeros(100, dtype=torch.int64)]
    assert scores(logits, labels)[0] == 0.97
    assert balanced_accuracy(logits, labels) == 0.25
    # With equally many of each class it is the accuracy.
    even = torch.arange(100) % 4
    assert balanced_accuracy(logits, even) == scores(logits, even)[0] == 0.25


def test_every_row_has_the_balanced_accuracy_of_validation(inrs):
    # Two of one class, eight of the other.
    val = inrs(16, seed=1)
    val = val[(val.labels == 0) | (torch.arange(16) < 4)]
    model, snapshots = Linear(), {}

    def snapshot(done, total):
        snapshots[done] = {k: v.clone() for k, v in model.state_dict().items()}

    train = inrs(32)
    statistics = tensor_statistics(train.weights)
    history = fit(model, train, val, evaluate_every=1, progress=snapshot)
    for row in history.rows:
        model.load_state_dict(snapshots[row["update"]])
        logits = predict(model, val, statistics, 8)
        assert row["val_balanced_accuracy"] == pytest.approx(
            naive_balanced_accuracy(logits, val.labels)
        )
    assert any(row["val_balanced_accuracy"] != row["val_accuracy"] for row in history.rows)


def test_the_plain_accuracy_selects(inrs, monkeypatch):
    # The balanced one rises to the end, while the plain one falls: labels are exchanged.
    rising = iter(range(40))
    monkeypatch.setattr(supervised, "balanced_accuracy", lambda *_: next(rising) / 40)
    val = relabelled(inrs(16, seed=1))
    history = fit(Linear(), inrs(32), val, updates=40, evaluate_every=1)
    assert history.rows[-1]["val_balanced_accuracy"] == 39 / 40
    assert history.best_row["update"] < 10


# -- failures --------------------------------------------------------------------------------


def spoiled_after(count):
    """An augmentation whose result is not finite from call `count` + 1 on."""
    calls = []

    def augment(w, *, generator):
        calls.append(1)
        return w.map(lambda x: x * math.nan) if len(calls) > count else w

    return augment


@pytest.mark.parametrize("good", [0, 2, 6])
def test_a_diverged_training_names_the_first_bad_update(inrs, good):
    with pytest.raises(DivergedError, match=rf"training loss at update {good + 1} is nan.*lr"):
        fit(Linear(), inrs(16), inrs(8), augment=spoiled_after(good))


def test_a_diverged_last_step_is_seen_on_validation(inrs):
    with pytest.raises(DivergedError, match="validation loss after update 1 is"):
        fit(Linear(), inrs(16), inrs(8), updates=1, warmup=1, lr=1e38)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("updates", 0, "updates is 0; it must be at least 1"),
        ("batch_size", 0, "batch_size is 0"),
        ("warmup", 13, "warmup is 13; it must be from 0 to updates = 12"),
        ("warmup", -1, "warmup is -1"),
        ("evaluate_every", 0, "evaluate_every is 0"),
        ("lr", 0.0, "lr is 0.0"),
        ("lr", math.nan, "lr is nan"),
        ("weight_decay", -0.1, "weight_decay is -0.1"),
        ("clip_norm", 0.0, "clip_norm is 0.0; it must be positive, or None"),
        ("label_smoothing", 1.0, "label smoothing is 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(inrs, setting, value, message):
    with pytest.raises(ValueError, match=message):
        fit(Linear(), inrs(16), inrs(8), **{setting: value})


def test_an_empty_split_is_refused(inrs):
    nothing = inrs(8)[torch.arange(0)]
    with pytest.raises(ValueError, match="validation examples is 0"):
        fit(Linear(), inrs(16), nothing)
