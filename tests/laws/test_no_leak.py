"""No mix but `leaky` can give a network that holds anything of one outside of its batch."""

import importlib
import inspect
import pkgutil
from dataclasses import fields
from typing import Any

import pytest
import torch
from strategies import random_networks
from torch import Tensor

import weightspace.augment
from laws import assert_identical, tensors
from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.augment.build import build_augment, build_mix
from weightspace.rng import stream
from weightspace.weights import Weights

CLEAN = [name for name in MIXES if name != "leaky"]
N, BATCH = 12, 5


def marked() -> Weights:
    """Networks that each carry their own index in the last bias, which no symmetry moves."""
    w = random_networks((2, 4, 3, N), N)
    return Weights(w.weights, (*w.biases[:-1], torch.eye(N, dtype=w.dtype)))


def members(w: Weights) -> list[set[int]]:
    """For each network, the indices of the marked ones that it holds something of."""
    return [set(row.nonzero()[:, 0].tolist()) for row in w.biases[-1]]


def plain(value: Any) -> bool:
    """Whether a setting is made of numbers, names and nothing else."""
    if isinstance(value, tuple):
        return all(map(plain, value))
    if hasattr(value, "__dataclass_fields__"):
        return holds_plain_settings_only(value)
    return value is None or type(value) in (bool, int, float, str)


def holds_plain_settings_only(scheme: Any) -> bool:
    """Whether all that a scheme has are its fields, and these can hold no network."""
    if isinstance(scheme, Tensor | Weights):
        return False
    names = {f.name for f in fields(scheme)}
    return vars(scheme).keys() == names and all(plain(getattr(scheme, n)) for n in names)


def parameters(scheme: Any) -> set[str]:
    return set(inspect.signature(type(scheme).__call__).parameters)


@pytest.mark.parametrize("name", CLEAN)
def test_a_mix_is_given_its_batch_and_holds_nothing(name: str) -> None:
    mix = MIXES[name]()
    assert holds_plain_settings_only(mix)
    assert parameters(mix) == {"self", "w", "target", "generator"}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_is_given_its_batch_and_holds_nothing(name: str) -> None:
    (step,) = build_augment([{"kind": name}], omega_0=30.0).steps
    assert holds_plain_settings_only(step)
    assert parameters(step) == {"self", "w", "generator"}


def test_the_leaky_one_holds_networks() -> None:
    w = marked()
    leaky = MIXES["leaky"](pool=w, pool_target=torch.eye(N))
    assert not holds_plain_settings_only(leaky)


def test_no_module_holds_a_network() -> None:
    package = weightspace.augment
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(importlib.import_module(info.name)).items():
            if isinstance(value, Tensor | Weights | list | tuple | dict) and name != "__builtins__":
                assert not tensors(value), f"{info.name}.{name}"


@pytest.mark.parametrize("name", CLEAN)
def test_a_mixture_holds_networks_of_its_batch_alone(name: str) -> None:
    everyone, mixtures = marked(), 0
    broken = everyone.map(lambda x: x * float("nan"))
    mix = build_mix({"kind": name}, pool=broken, pool_target=torch.eye(N))
    assert mix is not None
    for seed in range(20):
        index = torch.randperm(N, generator=stream(seed, "batch"))[:BATCH]
        w = everyone[index]
        mixed, target = mix(w, torch.eye(N)[index], generator=stream(seed, "law"))
        for held, label in zip(members(mixed), target, strict=True):
            assert held <= set(index.tolist())
            assert held == set(label.nonzero()[:, 0].tolist())
            mixtures += len(held) == 2
    assert mixtures == 20 * BATCH


@pytest.mark.parametrize("name", CLEAN)
def test_a_mix_remembers_no_earlier_batch(name: str) -> None:
    everyone, mix = marked(), MIXES[name]()
    batch = everyone[:BATCH], torch.eye(N)[:BATCH]
    fresh = mix(*batch, generator=stream(0, "law"))
    mix(everyone[BATCH:], torch.eye(N)[BATCH:], generator=stream(1, "law"))
    assert_identical(mix(*batch, generator=stream(0, "law")), fresh)


@pytest.mark.parametrize("align", ["none", "permutation", "signed"])
def test_the_leaky_one_draws_from_the_whole_pool_alike(align: str) -> None:
    everyone = marked()
    leaky = MIXES["leaky"](pool=everyone, pool_target=torch.eye(N), align=align)
    w = everyone[torch.zeros(1200, dtype=torch.int64)]
    mixed, target = leaky(w, torch.eye(N)[:1].expand(1200, N), generator=stream(0, "law"))
    count = torch.zeros(N)
    for held, label in zip(members(mixed), target, strict=True):
        assert held == set(label.nonzero()[:, 0].tolist())
        (partner,) = held - {0} or {0}
        count[partner] += 1
    assert (count - 1200 / N).abs().max() < 4 * (1200 / N) ** 0.5


def test_the_leaky_one_needs_a_pool_that_fits() -> None:
    w = marked()
    with pytest.raises(ValueError, match="12 networks and 11 labels"):
        MIXES["leaky"](pool=w, pool_target=torch.eye(N)[1:])
    with pytest.raises(ValueError, match="pool of 0 networks"):
        MIXES["leaky"](pool=w[:0], pool_target=torch.eye(N)[:0])
    with pytest.raises(ValueError, match="needs pool and pool_target"):
        build_mix({"kind": "leaky"})
