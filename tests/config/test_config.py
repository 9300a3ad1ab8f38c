import ast
import copy
import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.config.augment import (
    AlignedMixUpConfig,
    DirectMixUpConfig,
    GaussianNoiseConfig,
    PermutationConfig,
    RandomisedMixUpConfig,
    SignFlipConfig,
)
from weightspace.config.models import DwsConfig, MlpConfig
from weightspace.config.study import ConfigError, load_config
from weightspace.models import MODELS

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def edited(path, value):
    """The default config with one key set, e.g. `fit.views.train`."""
    raw = copy.deepcopy(DEFAULT)
    *parents, last = path.split(".")
    section = raw
    for key in parents:
        section = section[int(key) if isinstance(section, list) else key]
    section[int(last) if isinstance(section, list) else last] = value
    return raw


def test_the_default_config_has_a_cell_for_every_scheme_and_model():
    config = load_config(DEFAULT)
    one_view = {(c.model, c.scheme) for c in config.all_cells().values() if c.views == 1}
    assert one_view == {(m, s) for m in config.models for s in config.schemes}
    assert {c.views for c in config.all_cells().values() if c.scheme == "none"} == {1, 4}
    assert len(config.train.seeds) >= 2


@pytest.mark.parametrize("name", [p.name for p in (ROOT / "workflow/configs").glob("*.yaml")])
def test_further_configs_are_valid_on_top_of_the_default(name):
    from snakemake.utils import update_config

    raw = copy.deepcopy(DEFAULT)
    update_config(raw, yaml.safe_load((ROOT / "workflow/configs" / name).read_text()))
    assert load_config(raw).study == Path(name).stem


BAD = {
    "unknown key": ("fit.stpes", 3, ["fit", "'stpes'", "did you mean 'steps'"]),
    "unknown section": ("trian", {}, ["'trian'", "did you mean 'train'"]),
    "unknown scheme": ("cells.0.schemes", ["nnoe"], ["scheme 'nnoe'", "did you mean 'none'"]),
    "unknown model": ("cells.0.models", ["dsw"], ["model 'dsw'", "did you mean 'dws'"]),
    "unknown kind": ("models.m", {"kind": "dsw", "lr": 1.0}, ["models.m.kind", "mean 'dws'"]),
    "no kind": ("models.m", {"lr": 1.0}, ["models.m.kind", "missing"]),
    "unknown setting": (
        "models.m",
        {"kind": "dws", "lr": 1.0, "weight_decay": 0.0, "chanels": 3},
        ["models.m:", "'chanels'", "did you mean 'channels'"],
    ),
    "unknown reduce": (
        "models.m",
        {"kind": "dws", "lr": 1.0, "weight_decay": 0.0, "reduce": "men"},
        ["models.m.reduce", "did you mean 'mean'"],
    ),
    "unknown augmentation": (
        "schemes.s",
        {"augment": [{"kind": "permutatoin"}]},
        ["schemes.s.augment.0.kind", "did you mean 'permutation'"],
    ),
    "strength below zero": (
        "schemes.s",
        {"augment": [{"kind": "gaussian_noise", "scale": -1.0}]},
        ["schemes.s.augment.0.scale", "greater than or equal to 0"],
    ),
    "unknown mix": (
        "schemes.s",
        {"mix": {"kind": "alinged"}},
        ["schemes.s.mix.kind", "did you mean 'aligned'"],
    ),
    "unknown dataset": ("dataset.name", "fashion_mnst", ["dataset.name", "fashion_mnist"]),
    "text for a number": ("fit.lr", "1e-3", ["fit.lr", "'1e-3' is text", "1.0e-3"]),
    "text for a count": ("fit.steps", "120", ["fit.steps", "integer", "'120'"]),
    "bool for a count": ("fit.steps", True, ["fit.steps", "integer"]),
    "number for a section": ("train", 3, ["train: must be a section"]),
    "not a number": ("fit.lr", float("nan"), ["fit.lr", "nan"]),
    "no views": ("fit.views.train", 0, ["fit.views.train", "given: 0"]),
    "views not fitted": ("cells.1.views", [9], ["views 9", "fit.views.train", "4 views"]),
    "more objects than there are": ("dataset.train", 5000, ["500 training", "500 + 50"]),
    "more of a class than there are": ("dataset.train", 4501, ["451 + 50", "500 training"]),
    "fewer objects than classes": ("dataset.val", 5, ["dataset.val", "equal to 10"]),
    "a target under the floor": ("fit.target_psnr", 20.0, ["target_psnr is 20.0", "min_psnr"]),
    "a batch of one": ("train.batch_size", 1, ["train.batch_size", "given: 1"]),
    "an augmented none": (
        "schemes.none",
        {"augment": [{"kind": "permutation"}]},
        ["schemes", "'none'", "leave it empty"],
    ),
    "a cell twice": ("cells.1.views", [1], ["mlp-none-1views", "twice"]),
    "a seed twice": ("train.seeds", [1, 1], ["train.seeds", "twice"]),
    "no seeds": ("train.seeds", [], ["train.seeds"]),
    "warm-up too long": ("train.warmup", 10**6, ["warmup is 1000000"]),
    "a path for a name": ("study", "../x", ["study", "'../x'"]),
    "a reserved name": ("study", "bench", ["study", "'bench'"]),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_config_is_refused_with_the_key_and_the_nearest_valid_one(case):
    path, value, expected = BAD[case]
    with pytest.raises(ConfigError) as caught:
        load_config(edited(path, value))
    for part in expected:
        assert part in str(caught.value)


def test_every_problem_is_listed_at_once():
    raw = edited("fit.steps", 0)
    raw["train"]["updates"] = -1
    with pytest.raises(ConfigError, match=r"(?s)fit\.steps.*train\.updates"):
        load_config(raw)


def test_a_missing_section_is_named():
    raw = copy.deepcopy(DEFAULT)
    del raw["train"]
    with pytest.raises(ConfigError, match="train: this key is missing"):
        load_config(raw)


def settings(section):
    return {
        n: f.default
        for n, f in section.model_fields.items()
        if n not in ("kind", "lr", "weight_decay")
    }


@pytest.mark.parametrize(
    ("registry", "sections"),
    [
        (AUGMENTATIONS, [PermutationConfig, SignFlipConfig, GaussianNoiseConfig]),
        (MIXES, [DirectMixUpConfig, RandomisedMixUpConfig, AlignedMixUpConfig]),
    ],
)
def test_schemes_of_the_config_are_those_of_the_package(registry, sections):
    found = {s.model_fields["kind"].annotation.__args__[0]: settings(s) for s in sections}
    assert found == {k: {f.name: f.default for f in fields(v)} for k, v in registry.items()}


def test_models_of_the_config_are_those_of_the_package():
    found = {s.model_fields["kind"].annotation.__args__[0]: s for s in (MlpConfig, DwsConfig)}
    assert found.keys() == MODELS.keys()
    for kind, section in found.items():
        parameters = inspect.signature(MODELS[kind].__init__).parameters
        given = {n: p.default for n, p in parameters.items()}
        for name in ("self", "layer_layout", "d_out"):
            given.pop(name)
        assert settings(section) == given


def test_the_snakefile_stays_quick_to_parse():
    code = (
        "import sys, weightspace.config, weightspace.provenance;"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_knob_of_the_default_config_is_written_down():
    # Nothing is left to a default that a reader of config.yaml cannot see.
    raw = load_config(DEFAULT).model_dump()
    for section in ("dataset", "fit", "train"):
        assert raw[section] == DEFAULT[section]
    assert ast.literal_eval(repr(raw["models"])) == DEFAULT["models"]
