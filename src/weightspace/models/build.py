"""Build a model by its name, initialised from an explicit generator."""

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from weightspace.models import MODELS

__all__ = ["build_model", "model_settings"]


def model_settings(kind: str) -> dict[str, Any]:
    """Return the settings of a model, each with its default value.

    Raises:
        ValueError: if no model has this name.
    """
    if kind not in MODELS:
        raise ValueError(_unknown("model", kind, MODELS))
    parameters = inspect.signature(MODELS[kind]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def build_model(
    kind: str,
    *,
    layer_layout: tuple[int, ...],
    d_out: int,
    generator: torch.Generator,
    **settings: Any,
) -> nn.Module:
    """Build the model `kind`; its initial parameters are a function of the generator alone.

    Args:
        kind: a name in `MODELS`.
        layer_layout: the widths (d_0, ..., d_L) of the networks that it reads.
        d_out: the number of outputs.
        generator: the source of the initial parameters; the global generators are not used.
        settings: keyword arguments of the model.

    Returns:
        The model, on the CPU.

    Raises:
        ValueError: if the model or a setting is unknown, or a value is out of range.
    """
    known = model_settings(kind)
    for name in settings:
        if name not in known:
            raise ValueError(_unknown(f"setting of model {kind!r}", name, known))
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: it would seed the global generators of other devices too.
        torch.default_generator.manual_seed(int(seed))
        return MODELS[kind](layer_layout=layer_layout, d_out=d_out, **settings)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name, list(known), n=1, cutoff=0)
    return f"unknown {what}: {name!r}; did you mean {nearest[0]!r}? Known: {', '.join(known)}"
