"""Schemes from their settings: the config sections describe the constructors, and build them."""

from dataclasses import fields
from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from strategies import random_networks

from laws import assert_identical
from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.augment.build import build_augment, build_mix
from weightspace.augment.exact import PhaseShift
from weightspace.augment.mixup import AlignedMixUp
from weightspace.augment.self_mixup import SelfMixUp
from weightspace.config.augment import AugmentationConfig, MixConfig, SchemeConfig
from weightspace.rng import stream

NOT_SETTINGS = {"omega_0", "pool", "pool_target"}
POOL = random_networks((2, 4, 1), 6)
LABELS = torch.eye(6)


def sections(union: Any) -> dict[str, Any]:
    """The config section of each kind."""
    members = get_args(get_args(union)[0])
    return {s.model_fields["kind"].annotation.__args__[0]: s for s in members}


@pytest.mark.parametrize(
    ("registry", "union"), [(AUGMENTATIONS, AugmentationConfig), (MIXES, MixConfig)]
)
def test_the_sections_of_the_config_are_the_settings_of_the_constructors(registry, union) -> None:
    found = sections(union)
    assert found.keys() == registry.keys()
    for kind, made in registry.items():
        names = {f.name for f in fields(made)} - NOT_SETTINGS
        assert found[kind].model_fields.keys() - {"kind"} == names


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_the_defaults_of_an_augmentation_are_those_of_the_config(kind: str) -> None:
    scheme = SchemeConfig.model_validate({"augment": [{"kind": kind}]}).model_dump()
    built = build_augment(scheme["augment"], omega_0=7.0)
    needed = {"omega_0": 7.0} if kind == "phase_shift" else {}
    assert built.steps == (AUGMENTATIONS[kind](**needed),)


@pytest.mark.parametrize("kind", MIXES)
def test_the_defaults_of_a_mix_are_those_of_the_config(kind: str) -> None:
    scheme = SchemeConfig.model_validate({"mix": {"kind": kind}}).model_dump()
    built = build_mix(scheme["mix"], pool=POOL, pool_target=LABELS)
    needed = {"pool": POOL, "pool_target": LABELS} if kind == "leaky" else {}
    expected = MIXES[kind](**needed)
    assert type(built) is type(expected)
    for f in fields(expected):
        if f.name not in NOT_SETTINGS:
            assert getattr(built, f.name) == getattr(expected, f.name)


def test_the_frequency_reaches_the_augmentations_that_ask_for_it() -> None:
    steps = [
        {"kind": "phase_shift", "low": -1},
        {"kind": "self_mixup", "augment": [{"kind": "phase_shift"}], "alpha": 2.0},
    ]
    built = build_augment(steps, omega_0=12.0)
    assert built.steps == (
        PhaseShift(12.0, low=-1),
        SelfMixUp((PhaseShift(12.0),), alpha=2.0),
    )


def test_a_list_is_a_composition_in_its_order() -> None:
    w = random_networks((2, 5, 4, 1))
    names = ("permutation", "gaussian_noise", "translate")
    generator = stream(0, "test")
    expected = w
    for name in names:
        expected = AUGMENTATIONS[name]()(expected, generator=generator)
    built = build_augment([{"kind": name} for name in names], omega_0=30.0)
    assert_identical(built(w, generator=stream(0, "test")), expected)
    assert build_augment([], omega_0=30.0)(w, generator=stream(0, "test")) is w


def test_a_mix_is_built_with_its_settings_or_not_at_all() -> None:
    built = build_mix({"kind": "aligned", "signed": True, "low": 0.5})
    assert built == AlignedMixUp(signed=True, low=0.5)
    assert build_mix(None) is None


def test_equal_settings_make_equal_mixes_but_for_pools() -> None:
    assert AlignedMixUp(low=0.5) != AlignedMixUp()
    assert len({AlignedMixUp(low=0.5), AlignedMixUp(low=0.5)}) == 1
    one, other = (build_mix({"kind": "leaky"}, pool=p, pool_target=LABELS) for p in (POOL, POOL))
    assert one == one and one != other


def test_settings_are_left_as_they_are() -> None:
    spec = {"kind": "self_mixup", "augment": [{"kind": "phase_shift"}]}
    leaky = {"kind": "leaky"}
    build_augment([spec], omega_0=30.0)
    build_mix(leaky, pool=POOL, pool_target=LABELS)
    assert spec == {"kind": "self_mixup", "augment": [{"kind": "phase_shift"}]}
    assert leaky == {"kind": "leaky"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: build_augment([{"kind": "rotat"}], omega_0=1.0),
            "augment kind is 'rotat'.*rotate",
        ),
        (lambda: build_augment([{}], omega_0=1.0), "augment kind is None"),
        (lambda: build_mix({"kind": "alined"}), "mix kind is 'alined'.*aligned"),
        (lambda: build_mix({"kind": "leaky"}), "mix leaky needs pool and pool_target"),
        (lambda: build_augment([{"kind": "phase_shift"}], omega_0=-1.0), "omega_0 is -1.0"),
    ],
)
def test_what_can_not_be_built_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


REFERENCE = {"align_to_reference": "signed"}


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ({"augment": [{"kind": "rotate", "max_angle": 200.0}]}, "less than or equal to 180"),
        ({"augment": [{"kind": "rotate", "axis": "w"}]}, "'x', 'y' or 'z'"),
        ({"augment": [{"kind": "scale", "low": 1.5}]}, "low is 1.5, more than high, which is 1.2"),
        ({"augment": [{"kind": "scale", "low": 0.0}]}, "greater than 0"),
        ({"augment": [{"kind": "dropout", "probability": 1.0}]}, "less than 1"),
        ({"augment": [{"kind": "phase_shift", "low": 0.5}]}, "integer"),
        ({"augment": [{"kind": "phase_shift", "low": 4}]}, "low is 4, more than high, which is 3"),
        ({"augment": [{"kind": "phase_shift", "omega_0": 30.0}]}, "unknown key 'omega_0'"),
        ({"augment": [{"kind": "self_mixup", "augment": []}]}, "at least 1 item"),
        (
            {"augment": [{"kind": "self_mixup", "augment": [{"kind": "self_mixup"}]}]},
            "'self_mixup' found using 'kind' does not match",
        ),
        ({"augment": [{"kind": "self_mixup", "low": 1.0, "high": 0.5}]}, "low is 1.0, more than"),
        ({"mix": {"kind": "direct", "lam_min": 0.5}}, "unknown key 'lam_min'"),
        ({"mix": {"kind": "aligned", "low": 0.8, "high": 0.7}}, "low is 0.8, more than high"),
        ({"mix": {"kind": "direct", "alpha": 0.0}}, "greater than 0"),
        ({"mix": {"kind": "leaky", "align": "sign"}}, "'none', 'permutation' or 'signed'"),
        ({"mix": {"kind": "leaky", "pool": []}}, "unknown key 'pool'"),
        ({"label_smoothing": 1.0}, "less than 1"),
        ({"align_to_reference": "sign"}, "'permutation' or 'signed'"),
        (
            {**REFERENCE, "augment": [{"kind": "permutation"}, {"kind": "sign_flip"}]},
            "is 'signed', but augment permutation, augment sign_flip would undo it",
        ),
        ({**REFERENCE, "augment": [{"kind": "phase_shift"}]}, "augment phase_shift would undo it"),
        ({**REFERENCE, "mix": {"kind": "randomised"}}, "mix randomised would undo it"),
        ({"consistency": -0.1}, "greater than or equal to 0"),
        ({"consistency": 1.0, "mix": {"kind": "leaky"}}, "mix leaky makes mixtures of two objects"),
    ],
)
def test_impossible_schemes_are_refused(scheme: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SchemeConfig.model_validate(scheme)


@pytest.mark.parametrize(
    "scheme",
    [
        {},
        {"label_smoothing": 0.1},
        {
            "augment": [{"kind": k} for k in ("translate", "gaussian_noise", "sign_flip")],
            "mix": {"kind": "aligned", "signed": True, "low": 0.5},
        },
        {**REFERENCE, "mix": {"kind": "direct"}},
        {**REFERENCE, "augment": [{"kind": "rotate"}, {"kind": "self_mixup"}]},
        {**REFERENCE, "augment": [{"kind": "self_mixup"}], "consistency": 0.5},
        {"mix": {"kind": "direct"}, "consistency": 0.0},
    ],
)
def test_sensible_schemes_are_built(scheme: dict[str, Any]) -> None:
    config = SchemeConfig.model_validate(scheme).model_dump()
    w = random_networks((2, 5, 1), 4)
    augment = build_augment(config["augment"], omega_0=30.0)
    mix = build_mix(config["mix"])
    moved, target = augment(w, generator=stream(0, "test")), torch.eye(4)
    if mix is not None:
        moved, target = mix(moved, target, generator=stream(0, "test"))
    assert len(moved) == len(target) == 4
