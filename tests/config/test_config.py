import ast
import copy
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from weightspace.config.checks import RAW_INPUTS
from weightspace.config.models import ModelConfig
from weightspace.config.study import ConfigError, load_config
from weightspace.models import MODELS, PIXEL_MODELS, POINT_MODELS

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
    one_view = {(c.model, c.scheme) for c in config.cells_of("schemes").values() if c.views == 1}
    assert {model for model, _ in one_view} == {"mlp", "dws"}
    assert len(one_view) == 5 + 8
    assert {c.views for c in config.all_cells.values() if c.scheme == "none"} == {1, 4}
    assert len(config.train.seeds) >= 2


@pytest.mark.parametrize("name", [p.name for p in (ROOT / "workflow/configs").glob("*.yaml")])
def test_further_configs_are_valid_on_top_of_the_default(name):
    from snakemake.utils import update_config

    raw = copy.deepcopy(DEFAULT)
    update_config(raw, yaml.safe_load((ROOT / "workflow/configs" / name).read_text()))
    assert load_config(raw).study == Path(name).stem


def test_a_tenth_of_the_paper_has_its_cells_with_a_tenth_of_the_objects():
    from snakemake.utils import update_config

    paper = copy.deepcopy(DEFAULT)
    update_config(paper, yaml.safe_load((ROOT / "workflow/configs/paper.yaml").read_text()))
    tenth = copy.deepcopy(paper)
    update_config(tenth, yaml.safe_load((ROOT / "workflow/configs/paper/tenth.yaml").read_text()))
    paper, tenth = load_config(paper), load_config(tenth)
    for name, dataset in paper.datasets.items():
        assert 10 * tenth.datasets[name].train == dataset.train
    kinds = [
        {(c.dataset, c.model, c.scheme, c.views, c.budget) for c in config.all_cells.values()}
        for config in (paper, tenth)
    ]
    assert kinds[0] == kinds[1]
    assert len(paper.all_cells) == len(tenth.all_cells)


BAD = {
    "unknown section": ("trian", {}, ["'trian'", "did you mean 'train'"]),
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
    "text for a count": ("fit.steps", "120", ["fit.steps", "integer", "'120'"]),
    "bool for a count": ("fit.steps", True, ["fit.steps", "integer"]),
    "more of a class than there are": (
        "datasets.fashion_mnist.train",
        4501,
        ["451 + 50", "500 training"],
    ),
    "fewer objects than classes": (
        "datasets.fashion_mnist.val",
        5,
        ["fashion_mnist.val", "equal to 10"],
    ),
    "a target under the floor": ("fit.target_psnr", 20.0, ["target_psnr is 20.0", "min_psnr"]),
    "a batch of one": ("train.batch_size", 1, ["train.batch_size", "given: 1"]),
    "unknown precision": ("train.precision", "float16", ["train.precision", "'bfloat16'"]),
    "seeds together or not": ("train.seeds_together", "never", ["train.seeds_together", "'auto'"]),
    "an augmented none": (
        "schemes.none",
        {"augment": [{"kind": "permutation"}]},
        ["schemes", "'none'", "leave it empty"],
    ),
    "no experiment": ("experiments", {}, ["experiments", "overfitting"]),
    "unknown experiment": ("experiments.veiws", [], ["'veiws'", "did you mean 'views'"]),
    "nothing to compare": ("experiments.views.0.schemes", [], ["needs schemes"]),
    "more objects than trained on": ("experiments.views.0.objects", [9999], ["1500 training"]),
    "views of pixels": ("experiments.overfitting.1.views", [4], ["pixel_cnn", "no views"]),
    "schemes of pixels": (
        "experiments.overfitting.1.schemes",
        ["sign_flip"],
        ["pixel_cnn", "schemes [none]"],
    ),
    "consistency of one view": (
        "experiments.views.0",
        {"models": ["dws"], "schemes": ["none", "consistency"], "views": [4, 1]},
        ["views.0", "scheme 'consistency' compares views of one object, which views 1 has not"],
    ),
    "consistency before training": (
        "experiments.contrastive",
        [{"models": ["dws"], "schemes": ["consistency_flip"], "datasets": ["fashion_mnist"]}],
        ["contrastive.0", "take a scheme that has no other key"],
    ),
    "an unknown sweep": (
        "experiments.views.0.sweeps",
        {"gaussian_noise": {"scael": [0.1]}},
        ["sweeps", "did you mean 'scale'"],
    ),
    "a sweep with a value twice": (
        "experiments.views.0.sweeps",
        {"gaussian_noise": {"scale": [0.1, 0.1]}},
        ["scale lists 0.1 twice"],
    ),
    "no values": ("experiments.views.0.sweeps", {"rotate": {}}, ["sweeps.rotate"]),
    "no datasets": ("experiments.views.0.datasets", [], ["views.0.datasets"]),
    "strength of other schemes": (
        "experiments.strength",
        [{"models": ["dws"], "schemes": ["sign_flip"], "sweeps": {"rotate": {"max_angle": [5]}}}],
        ["strength.0", "no other scheme than none"],
    ),
    "more pairs than objects": (
        "experiments.contrastive",
        [{"models": ["dws"], "schemes": ["sign_flip"], "datasets": ["tiny"]}],
        ["pretraining.batch_size is 64", "tiny has only 20"],
    ),
    "a fit that cannot be": (
        "datasets.fashion_mnist.fit",
        {"stpes": 3},
        ["fashion_mnist.fit", "did you mean 'steps'"],
    ),
    "a seed twice": ("train.seeds", [1, 1], ["train.seeds", "twice"]),
    "no seeds": ("train.seeds", [], ["train.seeds"]),
    "warm-up too long": ("train.warmup", 10**6, ["warmup is 1000000"]),
    "a path for a name": ("study", "../x", ["study", "'../x'"]),
    "a reserved name": ("study", "bench", ["study", "'bench'"]),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_config_is_refused_with_the_key_and_the_nearest_valid_one(case):
    path, value, expected = BAD[case]
    raw = edited(path, value)
    raw["datasets"]["tiny"] = {"source": "fashion_mnist_subset", "train": 20, "val": 10, "test": 10}
    with pytest.raises(ConfigError) as caught:
        load_config(raw)
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


# What the training passes to a constructor, beside the settings of the config.
GIVEN_BY_THE_DATA = {"self", "layer_layout", "image_shape", "d_out", "statistics", "omega_0"}
GIVEN_BY_THE_DATA |= {"output_offset", "point_channels"}


def test_models_of_the_config_are_those_of_the_package():
    sections = get_args(get_args(ModelConfig)[0])
    found = {s.model_fields["kind"].annotation.__args__[0]: s for s in sections}
    constructors = MODELS | PIXEL_MODELS | POINT_MODELS
    assert set(RAW_INPUTS) == set(PIXEL_MODELS | POINT_MODELS)
    assert found.keys() == constructors.keys()
    for kind, section in found.items():
        parameters = inspect.signature(constructors[kind].__init__).parameters
        given = {n: p.default for n, p in parameters.items() if n not in GIVEN_BY_THE_DATA}
        assert settings(section) == given


def test_the_snakefile_stays_quick_to_parse():
    code = (
        "import sys, weightspace.config.study, weightspace.provenance;"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_consistency_needs_an_even_batch_and_is_in_the_settings_of_its_own_cells_alone():
    block = {"models": ["dws"], "schemes": ["none", "consistency_flip"], "views": [2]}
    raw = edited("experiments.views", [block])
    config = load_config(raw)
    none, flip = (
        config.resolve(f"fashion_mnist-dws-{scheme}-2views")["scheme_settings"]
        for scheme in block["schemes"]
    )
    assert flip["consistency"] == 1.0
    assert set(none) == {"augment", "mix", "label_smoothing", "align_to_reference"}
    raw["train"]["batch_size"] = 33
    with pytest.raises(ConfigError, match=r"views\.0: .* train\.batch_size is 33; make it even"):
        load_config(raw)


def test_every_knob_of_the_default_config_is_written_down():
    # Nothing is left to a default that a reader of config.yaml cannot see.
    raw = load_config(DEFAULT).model_dump()
    raw["datasets"] = load_config(DEFAULT).model_dump(exclude_none=True)["datasets"]
    for section in ("datasets", "fit", "train", "contrastive"):
        assert raw[section] == DEFAULT[section]
    assert ast.literal_eval(repr(raw["models"])) == DEFAULT["models"]


def test_a_dataset_has_the_fit_of_the_study_but_for_what_it_states():
    raw = edited("datasets.fashion_mnist.fit", {"hidden": [64], "views": {"train": 7}})
    fit = load_config(raw).fit_of("fashion_mnist")
    assert fit.hidden == [64]
    assert fit.views.fitted() == {"train": 7 + fit.views.internal, "val": 1, "test": 1}
    assert fit.steps == DEFAULT["fit"]["steps"]


def test_a_sweep_makes_a_scheme_of_each_value():
    raw = edited("experiments.views.0.sweeps", {"gaussian_noise": {"scale": [0.1, 2]}})
    config = load_config(raw)
    assert config.sweeps["gaussian_noise_scale_0_1"].value == 0.1
    assert "fashion_mnist-dws-gaussian_noise_scale_2-4views" in config.cells_of("views")
    step = config.scheme("gaussian_noise_scale_2").model_dump()["augment"]
    assert step == [{"kind": "gaussian_noise", "scale": 2.0}]


def test_a_longer_budget_multiplies_updates_and_leaves_the_number_of_evaluations():
    raw = edited("experiments.views.0.budget", [1, 3])
    config = load_config(raw)
    short = config.resolve("fashion_mnist-dws-none-1views")["train"]
    long = config.resolve("fashion_mnist-dws-none-1views-3x")["train"]
    for key in ("updates", "evaluate_every"):
        assert long.pop(key) == 3 * short.pop(key)
    assert long == short


def test_only_datasets_that_are_used_are_fitted():
    raw = edited("datasets.spare", DEFAULT["datasets"]["fashion_mnist"])
    for blocks in raw["experiments"].values():
        for block in blocks:
            block["datasets"] = ["fashion_mnist"]
    assert load_config(raw).used_datasets() == ["fashion_mnist"]


def test_all_objects_and_their_number_are_one_cell():
    raw = edited("experiments.views.0.objects", [1500])
    config = load_config(raw)
    assert set(config.cells_of("views")) <= set(config.cells_of("overfitting"))
    assert {cell.objects for cell in config.cells_of("views").values()} == {None}
    raw = edited("experiments.views.0.objects", [1500, None])
    with pytest.raises(ConfigError, match="listed twice"):
        load_config(raw)


def imported():
    """A study of imported networks alone."""
    raw = edited("datasets.theirs", {"source": "inrs", "path": "theirs.h5"})
    block = {"datasets": ["theirs"], "models": ["dws"], "schemes": ["none"], "views": [7]}
    raw["experiments"] = {"views": [block]}
    return raw


def test_imported_networks_need_no_pictures():
    config = load_config(imported())
    assert config.used_datasets() == ["theirs"]
    assert config.fitted_datasets() == []
    cell = config.resolve("theirs-dws-none-7views")
    assert (cell["fit"], cell["train_views"]) == (None, None)


@pytest.mark.parametrize("raw", [DEFAULT, imported()])
def test_the_recorded_config_gives_the_same_study(raw):
    config = load_config(raw)
    assert load_config(config.model_dump()) == config


def test_pictures_that_only_pixel_models_read_are_not_fitted():
    raw = edited("experiments.views", [])
    raw["experiments"] = {"overfitting": [{"models": ["pixel_cnn"], "schemes": ["none"]}]}
    config = load_config(raw)
    assert config.fitted_datasets() == []
    # so settings of the fit do not train it again
    assert config.resolve("fashion_mnist-pixel_cnn-none-1views")["fit"] is None


def test_many_cells_stay_cheap():
    raw = edited("experiments.views.0.objects", list(range(10, 1500)))
    config = load_config(raw)
    cells = config.all_cells
    assert len(cells) > 5000
    assert config.all_cells is cells  # not built again for each of them
