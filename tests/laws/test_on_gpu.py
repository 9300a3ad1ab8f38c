"""On a GPU: models repeat bit by bit and agree with the CPU; what draws does so purely."""

from typing import Any

import pytest
import torch
from strategies import random_networks

from laws import (
    assert_close,
    assert_draws_per_network,
    assert_identical,
    assert_pure,
    assert_same_function,
    relative_error,
    tensors,
)
from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.augment.build import build_augment, build_mix
from weightspace.dataset.statistics import Statistics, standardise, tensor_statistics
from weightspace.device import use_threads
from weightspace.models import MODELS, edge_attention
from weightspace.models.build import build_model
from weightspace.rng import stream
from weightspace.symmetry.matching import match
from weightspace.weights import Weights

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

GPU = torch.device("cuda")
LAYOUT = (2, 32, 32, 1)
OMEGA_0 = 30.0
MODEL_CASES = {
    **{kind: (kind, {}) for kind in MODELS},
    "dws, batch norm and max": ("dws", {"batch_norm": True, "reduce": "max"}),
    "graph_transformer, probes": ("graph_transformer", {"probes": 3}),
}
EXACT = ("sign_flip", "phase_shift", "permutation")
MIX_CASES: dict[str, dict[str, Any]] = {name: {"kind": name} for name in MIXES}
MIX_CASES |= {
    "beta": {"kind": "direct", "alpha": 0.4, "beta": 0.4},
    "aligned with signs": {"kind": "aligned", "signed": True},
    "leaky, aligned": {"kind": "leaky", "align": "permutation"},
}


@pytest.fixture(autouse=True)
def deterministic():
    """As jobs are; what cannot repeat warns there, and a warning fails a test."""
    use_threads(torch.get_num_threads())
    yield
    torch.use_deterministic_algorithms(False)


def model_for(case: str) -> torch.nn.Module:
    kind, chosen = MODEL_CASES[case]
    return build_model(
        kind,
        layer_layout=LAYOUT,
        d_out=10,
        generator=stream(0, "gpu"),
        statistics=Statistics((0.01,) * 6, (0.1,) * 6),
        omega_0=OMEGA_0,
        output_offset=0.5,
        **chosen,
    )


def outputs_and_gradients(model: torch.nn.Module, w: Weights) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs, and the gradient of the sum of their squares in one vector."""
    model.zero_grad()
    outputs = model(w)
    outputs.square().sum().backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return outputs.detach(), torch.cat(gradients)


@pytest.mark.parametrize("case", MODEL_CASES)
def test_a_training_step_repeats_bit_by_bit(case: str) -> None:
    w = random_networks(LAYOUT, 64, dtype=torch.float32).to(GPU)
    found = []
    for _ in range(3):
        model = model_for(case).to(GPU).train()
        with torch.random.fork_rng(devices=[torch.cuda.current_device()]):
            torch.cuda.manual_seed(0)  # of dropout
            found.append(outputs_and_gradients(model, w))
    assert_identical(found[1:], [found[0]] * 2)


@pytest.mark.parametrize("case", MODEL_CASES)
def test_models_agree_with_the_cpu(case: str) -> None:
    w = random_networks(LAYOUT, 5)
    on_cpu = outputs_and_gradients(model_for(case).double().eval(), w)
    on_gpu = outputs_and_gradients(model_for(case).double().eval().to(GPU), w.to(GPU))
    assert_close([x.cpu() for x in on_gpu], on_cpu)


def test_pieces_of_the_attention_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    w = random_networks(LAYOUT, 5).to(GPU)
    model = model_for("graph_transformer").double().eval().to(GPU)
    whole = outputs_and_gradients(model, w)
    for pairs in (1000, 20_000):  # a part of a network; a few networks
        monkeypatch.setattr(edge_attention, "_PAIRS_ELSEWHERE", pairs)
        assert_close(outputs_and_gradients(model, w), whole)


def drawing_there(f: Any) -> Any:
    """`f` with a generator on the GPU, of the seed of the one that it is given."""

    def call(*args: Any, generator: torch.Generator) -> Any:
        return f(*args, generator=stream(generator.initial_seed(), "gpu", device=GPU))

    return call


def assert_pure_there(f: Any, *args: Any) -> None:
    before = torch.cuda.get_rng_state()
    assert_pure(drawing_there(f), *args)
    assert torch.equal(torch.cuda.get_rng_state(), before), "the global generator was used"


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations(name: str) -> None:
    augment = build_augment([{"kind": name}], omega_0=OMEGA_0)
    w = random_networks((2, 16, 16, 1), 4, scale=1 / OMEGA_0).to(GPU)
    moved = drawing_there(augment)(w, generator=stream(0))
    assert {x.device.type for x in moved} == {"cuda"}
    assert relative_error(moved, w) > 0
    if name in EXACT:
        assert_same_function(moved, w, omega_0=OMEGA_0)
    assert_draws_per_network(drawing_there(augment), w)
    assert_pure_there(augment, w)


@pytest.mark.parametrize("case", MIX_CASES)
def test_mixes(case: str) -> None:
    w, labels = random_networks((2, 16, 16, 1), 9).to(GPU), torch.eye(18, device=GPU)
    pool = random_networks((2, 16, 16, 1), 9, seed=1).to(GPU)
    mix = build_mix(MIX_CASES[case], pool=pool, pool_target=labels[9:])
    mixed, target = drawing_there(mix)(w, labels[:9], generator=stream(0))
    assert {x.device.type for x in tensors((mixed, target))} == {"cuda"}
    assert_close(target.sum(1), torch.ones(9, device=GPU))
    assert ((target > 0).sum(1) == 2).all()
    assert relative_error(mixed, w) > 0
    assert_pure_there(mix, w, labels[:9])


@pytest.mark.parametrize("signed", [False, True])
def test_matchings_are_those_of_the_cpu(signed: bool) -> None:
    a, b = (random_networks((2, 16, 16, 1), 5, seed=seed) for seed in (0, 1))
    there, here = match(a.to(GPU), b.to(GPU), signed=signed), match(a, b, signed=signed)
    for x, y in zip((*there.perms, *there.signs), (*here.perms, *here.signs), strict=True):
        assert x.device.type == "cuda"
        assert_identical(x.cpu(), y)


def test_statistics_agree_with_the_cpu() -> None:
    w = random_networks(LAYOUT, 5000, dtype=torch.float32)
    here, there = tensor_statistics(w), tensor_statistics(w.to(GPU))
    assert there.mean == pytest.approx(here.mean, rel=1e-9, abs=1e-12)
    assert there.std == pytest.approx(here.std, rel=1e-9)
    assert_close(standardise(w.to(GPU), there).to("cpu"), standardise(w, here))
