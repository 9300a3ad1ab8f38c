import dataclasses
import math

import pytest
import torch
from torch import nn

from weightspace.augment.build import build_augment
from weightspace.augment.compose import compose
from weightspace.dataset.statistics import standardise, tensor_statistics
from weightspace.models.build import build_model
from weightspace.rng import stream
from weightspace.train.contrastive import pretrain, projection_head
from weightspace.train.nt_xent import nt_xent
from weightspace.train.steps import DivergedError
from weightspace.train.supervised import predict

NOISE = build_augment([{"kind": "gaussian_noise", "scale": 0.2}], omega_0=30.0)
SETTINGS = {
    "augment": NOISE,
    "pairs": "augmented",
    "temperature": 0.5,
    "updates": 12,
    "batch_size": 8,
    "lr": 0.01,
    "weight_decay": 1e-3,
    "warmup": 2,
    "evaluate_every": 5,
}
MLP, DWS = {"kind": "mlp", "width": 16, "depth": 1}, {"kind": "dws", "channels": 4, "depth": 2}


def make(train, seed=0, model=MLP):
    encoder = build_model(
        d_out=6,
        generator=stream(seed, "model"),
        statistics=tensor_statistics(train.weights),
        **train.input_settings,
        **model,
    )
    return encoder, projection_head(6, 4, generator=stream(seed, "projection"))


def run(train, encoder, head, *, seed=0, **settings):
    statistics = tensor_statistics(train.weights)
    settings = {**SETTINGS, **settings}
    return pretrain(
        encoder, head, train, statistics=statistics, generator=stream(seed, "run"), **settings
    )


def state(module):
    return {k: v.tolist() for k, v in module.state_dict().items()}


@pytest.mark.parametrize("pairs", ["augmented", "views"])
@pytest.mark.parametrize("model", [MLP, DWS])
def test_learns_to_find_the_partner(inrs, pairs, model):
    train = inrs(64, views=2)
    shared = train.weights.map(lambda x: x[::2].repeat_interleave(2, 0) + 0.1 * x)
    train = dataclasses.replace(train, weights=shared)
    encoder, head = make(train, model=model)
    rows = run(train, encoder, head, pairs=pairs, updates=150, evaluate_every=25, batch_size=16)
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert rows[-1]["pair_accuracy"] > rows[0]["pair_accuracy"]


def test_the_first_loss_is_that_of_the_pairs_it_saw(inrs):
    train = inrs(20)
    encoder, head = make(train)
    seen = []

    def watch(w, *, generator):
        seen.append(NOISE(w, generator=generator))
        return seen[-1]

    rows = run(train, *make(train), augment=watch, updates=1, warmup=0, evaluate_every=1)
    z = head(encoder(standardise(seen[0], tensor_statistics(train.weights))))
    expected = nt_xent(z[:8], z[8:], temperature=0.5).item()
    assert rows[0]["loss"] == pytest.approx(expected, rel=1e-5)
    # Both of a pair are changed, each by a draw of its own.
    flat = seen[0].flatten()
    assert not any(torch.equal(a, b) for i, a in enumerate(flat) for b in flat[:i])


@pytest.mark.parametrize("model", [MLP, DWS])
def test_repeats_bitwise(inrs, model):
    train, results = inrs(16, views=2), []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        encoder, head = make(train, model=model)
        rows = run(train, encoder, head, pairs="views")
        results.append((rows, state(encoder), state(head)))
    assert results[0] == results[1]
    other, head = make(train, model=model)
    assert (run(train, other, head, pairs="views", seed=1), state(other)) != results[0][:2]


def test_the_pairs_do_not_depend_on_the_augmentation(inrs):
    train, batches = inrs(16, views=2), []
    for augment in (NOISE, compose(())):
        seen = []

        def watch(w, *, generator, augment=augment, seen=seen):
            seen.append(w.flatten())
            return augment(w, generator=generator)

        run(train, *make(train), augment=watch, pairs="views")
        batches.append(torch.stack(seen))
    assert torch.equal(*batches)


def test_labels_are_never_read(inrs):
    train = inrs(16)
    unlabelled = dataclasses.replace(train, labels=torch.full_like(train.labels, -7))
    found = []
    for dataset in (train, unlabelled):
        encoder, head = make(dataset)
        found.append((run(dataset, encoder, head), state(encoder)))
    assert found[0] == found[1]


def test_rows_say_what_happened(inrs):
    train, calls = inrs(16), []
    rows = run(train, *make(train), progress=lambda *call: calls.append(call))
    assert [row["update"] for row in rows] == [5, 10, 12]
    assert set(rows[0]) == {"update", "lr", "loss", "pair_accuracy"}
    assert calls == [(done, 12) for done in range(1, 13)]
    every = run(train, *make(train), evaluate_every=1)
    mean = sum(row["loss"] for row in every[:5]) / 5
    assert rows[0]["loss"] == pytest.approx(mean, rel=1e-6)


def test_batch_norms_are_those_of_networks_as_they_are(inrs):
    train = inrs(24)
    encoder, head = make(train, model=DWS)
    run(train, encoder, head, augment=lambda w, generator: w.map(lambda x: 3 * x + 1))
    statistics = tensor_statistics(train.weights)
    norm = next(m for m in encoder.modules() if isinstance(m, nn.BatchNorm1d))
    inputs = []
    norm.register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    predict(encoder, train, statistics, 24)
    assert torch.allclose(norm.running_mean, inputs[0].mean(dim=0), atol=1e-4)


def test_leaves_the_dataset_as_it_was(inrs):
    train = inrs(16)
    before = train.weights.flatten().clone()
    run(train, *make(train))
    assert torch.equal(train.weights.flatten(), before)


def test_a_loss_that_is_not_finite_stops(inrs):
    train = inrs(16)
    for x in train.weights:
        x[3] = math.inf
    statistics = tensor_statistics(inrs(16).weights)
    with pytest.raises(DivergedError, match=r"contrastive loss at update \d+ is nan"):
        pretrain(*make(inrs(16)), train, statistics=statistics, generator=stream(0), **SETTINGS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"updates": 0}, "updates is 0"),
        ({"evaluate_every": 0}, "evaluate_every is 0"),
        ({"batch_size": 17}, "batch_size is 17; with 16 objects"),
        ({"pairs": "views"}, "each has only one"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"warmup": 13}, "warmup is 13"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
    ],
)
def test_impossible_settings_are_refused(inrs, settings, message):
    train = inrs(16)
    with pytest.raises(ValueError, match=message):
        run(train, *make(train), **settings)
