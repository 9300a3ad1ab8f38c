import copy
import dataclasses
import math

import pytest
import torch
from torch import nn

import weightspace.train.cell as cell_module
from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.dataset.statistics import tensor_statistics
from weightspace.models import MODELS
from weightspace.models.build import build_model
from weightspace.rng import stream
from weightspace.train.cell import train_cell
from weightspace.train.draws import split
from weightspace.train.steps import DivergedError, Stepper
from weightspace.train.supervised import train_supervised, train_together
from weightspace.weights import Weights

# Attention on a CPU goes model by model under vmap, which torch says once.
pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")

SETTINGS = {
    "augment": None,
    "mix": None,
    "updates": 12,
    "batch_size": 8,
    "lr": 0.02,
    "weight_decay": 0.01,
    "warmup": 2,
    "evaluate_every": 5,
}
# A case for each model of networks, small and without dropout.
WIDTHS = {"d_node": 8, "d_edge": 4, "d_attention": 8, "node_hidden": 8, "edge_hidden": 8}
CASES = {
    "mlp": {"kind": "mlp", "width": 16, "depth": 1},
    "dws": {"kind": "dws", "channels": 4},
    "dws with norms": {"kind": "dws", "channels": 4, "batch_norm": True, "reduce": "max"},
    "graph_transformer": {
        "kind": "graph_transformer",
        "heads": 2,
        "depth": 3,
        "dropout": 0.0,
        **WIDTHS,
    },
    "row_transformer": {"kind": "row_transformer", "depth": 2, "width": 8, "dropout": 0.0},
}
CASES["graph_transformer with probes"] = {**CASES["graph_transformer"], "probes": 3}
RAW = [
    ("images", {"kind": "pixel_cnn", "channels": 4, "depth": 2}),
    ("images", {"kind": "pixel_mlp", "width": 16, "depth": 1}),
    ("points", {"kind": "pointnet", "width": 8, "features": 16, "dropout": 0.0}),
]
CELL = {
    "model": CASES["dws"],
    "scheme": {"mix": {"kind": "aligned"}},
    "views": 2,
    "train_views": 3,
    "seeds": [3, 1, 2],
    **{k: v for k, v in SETTINGS.items() if k not in ("augment", "mix")},
}


def deep(dataset, dtype=torch.float32):
    """The same with a second hidden layer in each network, and with it a hidden matrix."""
    g, w, n = torch.Generator().manual_seed(len(dataset)), dataset.weights, len(dataset)
    between, above = torch.randn(n, 4, 3, generator=g), torch.randn(n, 2, 4, generator=g)
    bias = torch.randn(n, 4, generator=g)
    deeper = Weights((w.weights[0], between, above), (w.biases[0], bias, w.biases[1]))
    return dataclasses.replace(dataset, weights=deeper.to(dtype))


def initial(model, train, seeds, dtype=torch.float32):
    """A model for each seed."""
    given = {"d_out": 2, "statistics": tensor_statistics(train.inputs), **train.input_settings}
    return [build_model(**given, generator=stream(s, "model"), **model).to(dtype) for s in seeds]


def together(models, train, val, seeds, **settings):
    return train_together(
        models,
        train,
        val,
        statistics=tensor_statistics(train.inputs),
        generators=[stream(s, "train") for s in seeds],
        **{**SETTINGS, **settings},
    )


def alone(model, train, val, seed, **settings):
    return train_supervised(
        model,
        train,
        val,
        statistics=tensor_statistics(train.inputs),
        generator=stream(seed, "train"),
        **{**SETTINGS, **settings},
    )


def assert_histories_close(found, expected, **tolerance):
    assert [list(row) for row in found.rows] == [list(row) for row in expected.rows]
    for row, other in zip(found.rows, expected.rows, strict=True):
        assert row == pytest.approx(other, **tolerance)
    assert found.best_row["update"] == expected.best_row["update"]
    assert found.best_state.keys() == expected.best_state.keys()
    for name, x in found.best_state.items():
        y = expected.best_state[name]
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        scale = 1 + y.double().abs().max().item()
        assert (x.double() - y.double()).abs().max().item() < tolerance["rel"] * scale, name


def same(a, b):
    """Whether two histories are equal bit by bit."""
    states = a.best_state.keys() == b.best_state.keys()
    return states and a.rows == b.rows and all(map(torch.equal, *_values(a, b)))


def _values(*histories):
    return [list(h.best_state.values()) for h in histories]


# -- a run trained together equals the run trained alone -------------------------------------


def test_every_model_of_networks_has_a_case():
    assert {case["kind"] for case in CASES.values()} == set(MODELS)


@pytest.mark.parametrize(("case", "schemed"), [("mlp", False), *((case, True) for case in CASES)])
def test_together_is_as_alone(inrs, case, schemed):
    # In float64, where rounding is far below what any mistake would change.
    train, val = (deep(inrs(n, seed=n), torch.float64) for n in (20, 10))
    settings = {"clip_norm": 0.1, "label_smoothing": 0.1}
    if schemed:
        settings["augment"] = AUGMENTATIONS["gaussian_noise"]()
        settings["mix"] = MIXES["aligned"]()
    seeds = [0, 1, 2]
    models = initial(CASES[case], train, seeds, torch.float64)
    copies = copy.deepcopy(models)
    found = together(models, train, val, seeds, **settings)
    for history, model, seed in zip(found, copies, seeds, strict=True):
        assert_histories_close(history, alone(model, train, val, seed, **settings), rel=1e-7)
    losses = [history.rows[0]["loss"] for history in found]
    assert len(set(losses)) == 3


def test_consistency_together_is_as_alone(inrs):
    train, val, seeds = (
        deep(inrs(20, views=2), torch.float64),
        deep(inrs(10), torch.float64),
        [0, 1],
    )
    settings = {"augment": AUGMENTATIONS["gaussian_noise"](), "consistency": 2.0, "clip_norm": 0.1}
    models = initial(CASES["dws with norms"], train, seeds, torch.float64)
    copies = copy.deepcopy(models)
    found = together(models, train, val, seeds, **settings)
    for history, model, seed in zip(found, copies, seeds, strict=True):
        assert_histories_close(history, alone(model, train, val, seed, **settings), rel=1e-7)
    assert found[0].rows[0]["loss"] != found[1].rows[0]["loss"]


@pytest.mark.parametrize(("inputs", "model"), RAW)
def test_models_of_raw_data_train_together(request, inputs, model):
    make = request.getfixturevalue(inputs)
    train, val, seeds = make(24), make(12, seed=1), [0, 1]
    settings = {"lr": 1e-4, "updates": 4, "evaluate_every": 2}
    models = initial(model, train, seeds)
    copies = copy.deepcopy(models)
    found = together(models, train, val, seeds, **settings)
    for history, own, seed in zip(found, copies, seeds, strict=True):
        expected = alone(own, train, val, seed, **settings)
        assert_histories_close(history, expected, rel=1e-3)


def test_the_models_end_in_the_state_of_the_last_update(inrs):
    seeds, train = [0, 1], inrs(20)
    models = initial(CASES["dws with norms"], train, seeds)
    found = together(models, train, inrs(10, seed=1), seeds, evaluate_every=12)
    for history, model in zip(found, models, strict=True):
        state = model.state_dict()
        assert all(torch.equal(state[k], v) for k, v in history.best_state.items())
        # A state is a tensor of its own, and not a part of that of all models.
        for x in history.best_state.values():
            assert x.untyped_storage().nbytes() == x.numel() * x.element_size()


def test_gradients_are_clipped_model_by_model():
    g = torch.Generator().manual_seed(0)
    shapes = [(3, 4, 5), (3, 2), (3,)]
    sizes = torch.tensor([0.01, 1.0, 9.0])  # the first is below the bound
    grads = [torch.randn(s, generator=g) * sizes.view(3, *[1] * (len(s) - 1)) for s in shapes]
    stacked = [nn.Parameter(torch.zeros(s)) for s in shapes]
    settings = {"updates": 1, "lr": 1.0, "weight_decay": 0.0, "warmup": 0, "clip_norm": 1.0}
    stepper = Stepper([*stacked, nn.Parameter(torch.zeros(3, 2))], **settings, stacked=True)
    stepper.step(sum((p * x).sum() for p, x in zip(stacked, grads, strict=True)), 1)
    for i in range(3):
        own = [nn.Parameter(torch.zeros(s[1:])) for s in shapes]
        for p, x in zip(own, grads, strict=True):
            p.grad = x[i].clone()
        nn.utils.clip_grad_norm_(own, 1.0)
        for p, q in zip(stacked, own, strict=True):
            torch.testing.assert_close(p.grad[i], q.grad)


# -- layers that draw ------------------------------------------------------------------------


class Dropped(nn.Module):
    """Logits that are what dropout leaves, whatever the networks."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.dropout = nn.Dropout(0.5)

    def forward(self, w):
        return self.dropout(torch.ones_like(w.flatten()))[:, :2] * self.scale


def test_dropout_draws_apart_for_each_model_and_repeats(inrs):
    # Equal models on equal batches differ in nothing but what dropout draws.
    train, val = inrs(16), inrs(8, seed=1)
    first, second = together([Dropped(), Dropped()], train, val, [0, 0])
    assert first.rows[0]["loss"] != second.rows[0]["loss"]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = together([Dropped(), Dropped()], train, val, [0, 0])
    assert torch.equal(torch.get_rng_state(), before)
    assert same(again[0], first) and same(again[1], second)


# -- a model that diverges -------------------------------------------------------------------


@pytest.mark.parametrize("case", ["mlp", "dws with norms", "graph_transformer"])
def test_a_model_that_diverges_leaves_the_others_as_they_are(inrs, case):
    seeds, train, val = [0, 1, 2], deep(inrs(20)), deep(inrs(10, seed=1))
    whole, spoiled = (initial(CASES[case], train, seeds) for _ in range(2))
    for p in spoiled[1].parameters():
        p.data.fill_(math.nan)
    expected = together(whole, train, val, seeds, clip_norm=0.5)
    first, failure, last = together(spoiled, train, val, seeds, clip_norm=0.5)
    assert isinstance(failure, DivergedError)
    assert "the training loss at update 1 is nan" in str(failure)
    assert same(first, expected[0]) and same(last, expected[2])


def test_it_ends_when_all_have_diverged(inrs):
    seeds, train, done = [0, 1], inrs(20), []
    models = initial(CASES["mlp"], train, seeds)
    for model in models:
        for p in model.parameters():
            p.data.fill_(math.nan)
    found = together(models, train, inrs(10), seeds, progress=lambda *c: done.append(c))
    assert all(isinstance(f, DivergedError) for f in found)
    assert done == [(i, 12) for i in range(1, 5)]


def test_a_cell_records_the_seed_that_diverged(splits, monkeypatch):
    mix_stream = split(stream(1, "train"), ["cpu"] * 5)[3]

    class Spoiling:
        def __call__(self, w, target, *, generator):
            spoils = generator.initial_seed() == mix_stream.initial_seed()
            return w.map(lambda x: x * (math.nan if spoils else 1.0)), target

    monkeypatch.setitem(MIXES, "spoiling", Spoiling)
    settings = {**CELL, "scheme": {"mix": {"kind": "spoiling"}}}
    result = train_cell(splits, **settings, seeds_together=True)
    assert list(result.failed_seeds) == [1]
    assert "the training loss at update 1 is nan" in result.failed_seeds[1]
    assert [run["seed"] for run in result.runs] == list(result.models.states) == [3, 2]
    with pytest.raises(DivergedError, match="every seed failed"):
        train_cell(splits, **{**settings, "seeds": [1]}, seeds_together=True)


# -- the cell --------------------------------------------------------------------------------


def test_a_cell_finds_together_what_it_finds_one_after_the_other(splits):
    # Few small steps: rounding has no time to grow.
    settings = {**CELL, "updates": 5, "lr": 1e-3}
    calls, reads = [], []

    class Watched(dict):
        def __getitem__(self, key):
            reads.extend([len(calls)] * (key == "test"))
            return super().__getitem__(key)

    found = train_cell(
        Watched(splits), **settings, seeds_together=True, progress=lambda *c: calls.append(c)
    )
    expected = train_cell(splits, **settings, seeds_together=False)
    assert calls == [(3 * i, 15) for i in range(1, 6)]
    assert reads == [5, 5, 5]  # once per seed, after the training
    assert found.n_parameters == expected.n_parameters
    assert list(found.models.states) == [3, 1, 2]
    for run, other in zip(found.runs, expected.runs, strict=True):
        assert run.pop("seconds") > 0 < other.pop("seconds")
        assert run == pytest.approx(other, rel=1e-4)
    for p, q in zip(found.predictions, expected.predictions, strict=True):
        assert p.seed == q.seed
        torch.testing.assert_close(p.logits, q.logits, rtol=1e-3, atol=1e-4)
    restored = found.models.restore(1).state_dict()
    assert all(torch.equal(restored[k], v) for k, v in found.models.states[1].items())


def test_seeds_train_together_on_a_gpu_or_when_asked(splits, monkeypatch):
    asked = []

    def spy(models, *arguments, **settings):
        asked.append(len(models))
        return train_together(models, *arguments, **settings)

    monkeypatch.setattr(cell_module, "train_together", spy)
    for choice, groups in ((False, [1, 1, 1]), ("auto", [1, 1, 1]), (True, [3])):
        asked.clear()
        train_cell(splits, **CELL, seeds_together=choice)
        assert asked == groups
    gpu = torch.device("cuda")
    assert cell_module._groups([1, 2], "auto", gpu, streamed=False) == [[1, 2]]
    assert cell_module._groups([1, 2], True, gpu, streamed=True) == [[1], [2]]
    with pytest.raises(ValueError, match="seeds_together is 'yes'; it must be True, False or"):
        train_cell(splits, **CELL, seeds_together="yes")


# -- bfloat16 --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_bfloat16_is_close_to_float32_alone_and_together(inrs, case):
    seeds, train, val = [0, 1], deep(inrs(32)), deep(inrs(16, seed=1))
    settings = {"updates": 3, "evaluate_every": 3, "lr": 1e-3, "warmup": 0}
    exact, single, both = (initial(CASES[case], train, seeds) for _ in range(3))
    rounded = together(both, train, val, seeds, precision="bfloat16", **settings)
    for i, seed in enumerate(seeds):
        expected = alone(exact[i], train, val, seed, **settings).rows[-1]["loss"]
        own = alone(single[i], train, val, seed, precision="bfloat16", **settings)
        for history in (own, rounded[i]):
            assert history.rows[-1]["loss"] == pytest.approx(expected, rel=0.03)
            assert history.rows[-1]["loss"] != expected
            assert {x.dtype for x in history.best_state.values()} <= {torch.float32, torch.int64}
    for model in (*single, *both):
        assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_inputs_are_standardised_before_they_are_rounded(inrs):
    # In bfloat16 a deviation of 1 is nothing beside a mean of 1000.
    def shifted(dataset):
        return dataclasses.replace(dataset, weights=dataset.weights.map(lambda x: x + 1000))

    train, val = shifted(inrs(128)), shifted(inrs(32, seed=1))
    (model,) = initial(CASES["mlp"], train, [0])
    history = alone(model, train, val, 0, precision="bfloat16", updates=60)
    assert history.best_row["val_accuracy"] == 1.0


@pytest.mark.parametrize("n", [1, 2])
def test_evaluations_are_in_float32(inrs, n):
    # Steps far below the rounding of float32 change nothing: what differs is the computation.
    seeds, train, val = list(range(n)), inrs(16), inrs(8, seed=1)
    rows = []
    for precision in ("float32", "bfloat16"):
        models = initial(CASES["dws"], train, seeds)
        found = together(models, train, val, seeds, precision=precision, lr=1e-30, weight_decay=0.0)
        rows.append([dict(row) for history in found for row in history.rows])
    losses = [[row.pop("loss") for row in part] for part in rows]
    assert rows[0] == rows[1]
    assert all(a != b for a, b in zip(*losses, strict=True))


def test_an_unknown_precision_is_refused(splits):
    with pytest.raises(ValueError, match="precision is float16; it must be float32 or bfloat16"):
        train_cell(splits, **CELL, precision="float16")
