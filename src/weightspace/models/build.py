"""Build a model by its name, initialised from an explicit generator."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from weightspace.dataset.statistics import Statistics
from weightspace.models import MODELS, PIXEL_MODELS, POINT_MODELS

__all__ = ["build_model", "model_settings"]

# What the dataset says and no setting can.
GIVEN = ("d_out", "layer_layout", "image_shape", "point_channels")
GIVEN += ("statistics", "omega_0", "output_offset")
# What tells the kinds of inputs apart: a model asks for one of these.
INPUTS = {"layer_layout": "networks", "image_shape": "images", "point_channels": "points"}
ALL = MODELS | PIXEL_MODELS | POINT_MODELS


def model_settings(kind: str) -> dict[str, Any]:
    """Return the settings of a model, each with its default value.

    Raises:
        ValueError: if no model has this name.
    """
    return {k: p.default for k, p in _parameters(kind).items() if k not in GIVEN}


def build_model(
    kind: str,
    *,
    d_out: int,
    generator: torch.Generator,
    layer_layout: tuple[int, ...] | None = None,
    image_shape: tuple[int, int, int] | None = None,
    point_channels: int | None = None,
    statistics: Statistics | None = None,
    omega_0: float | None = None,
    output_offset: float | None = None,
    **settings: Any,
) -> nn.Module:
    """Build the model `kind`; its initial parameters are a function of the generator alone.

    What the dataset says is passed on to the models that ask for it.

    Args:
        kind: a name in `MODELS`, `PIXEL_MODELS` or `POINT_MODELS`.
        d_out: the number of outputs.
        generator: the source of the initial parameters; the global generators are not used.
        layer_layout: the widths (d_0, ..., d_L) of the networks that it reads.
        image_shape: the height, width and channels of the images that it reads.
        point_channels: the numbers of each point that it reads.
        statistics: by which its inputs are standardised.
        omega_0: the frequency of the sines of the networks.
        output_offset: what is added to the outputs of the networks.
        settings: keyword arguments of the model.

    Returns:
        The model, on the CPU.

    Raises:
        ValueError: if the model or a setting is unknown, a value is out of range, or the
            dataset is not of what the model reads: networks, images or points.
    """
    known = model_settings(kind)
    for name in settings:
        if name not in known:
            raise ValueError(_unknown(f"setting of model {kind!r}", name, known))
    given = {
        "d_out": d_out,
        "layer_layout": layer_layout,
        "image_shape": image_shape,
        "point_channels": point_channels,
        "statistics": statistics,
        "omega_0": omega_0,
        "output_offset": output_offset,
    }
    asked = {k: given[k] for k in _parameters(kind) if k in GIVEN}
    _require_inputs(kind, asked)
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: it would seed the global generators of other devices too.
        torch.default_generator.manual_seed(int(seed))
        return ALL[kind](**asked, **settings)


def _parameters(kind: str) -> Mapping[str, inspect.Parameter]:
    """The parameters of the constructor of a model."""
    if kind not in ALL:
        raise ValueError(_unknown("model", kind, ALL))
    return inspect.signature(ALL[kind]).parameters


def _require_inputs(kind: str, asked: Mapping[str, Any]) -> None:
    """Check that the model and the dataset are about the same kind of inputs."""
    for name, what in INPUTS.items():
        if name in asked and asked[name] is None:
            others = " or ".join(other for other in INPUTS.values() if other != what)
            raise ValueError(
                f"model {kind!r} reads {what}, but no {name} was given; give it a dataset of "
                f"{what}, or choose a model that reads {others}"
            )


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name, list(known), n=1, cutoff=0)
    return f"unknown {what}: {name!r}; did you mean {nearest[0]!r}? Known: {', '.join(known)}"
