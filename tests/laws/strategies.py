"""What the laws are tried on: layouts, batches of networks and group elements.

The `random_*` functions are plain and seeded; the functions below them are hypothesis
strategies built on these. Importing this module loads the hypothesis profile: few,
derandomised examples. `HYPOTHESIS_PROFILE=explore` draws fresh ones, and more of them.
"""

import os
import random
from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any, ParamSpec, TypeVar

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor

from weightspace.weights import Weights

P = ParamSpec("P")
T = TypeVar("T")

_COMMON: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("laws", derandomize=True, max_examples=25, **_COMMON)
settings.register_profile("explore", max_examples=500, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "laws"))

# Layouts that every exhaustive or parametrised test can afford; no two widths of the middle
# one are equal, so that a wrong axis shows.
LAYOUTS = ((2, 3, 1), (3, 4, 5, 2), (1, 3, 3, 2), (1, 2, 2, 2, 1))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _keeps_python_random(f: Callable[P, T]) -> Callable[P, T]:
    """Give `random` its state back: type checks draw from it, and hypothesis objects to that."""

    @wraps(f)
    def kept(*args: P.args, **kwargs: P.kwargs) -> T:
        state = random.getstate()
        try:
            return f(*args, **kwargs)
        finally:
            random.setstate(state)

    return kept


@_keeps_python_random
def random_networks(
    layout: tuple[int, ...],
    batch_size: int = 3,
    *,
    channels: tuple[int, ...] = (),
    seed: int = 0,
    scale: float = 1.0,
    dtype: torch.dtype = torch.float64,
) -> Weights:
    """Networks whose every entry, biases included, is drawn from N(0, scale^2)."""
    g = _generator(seed)
    weights, biases = [], []
    for n_in, n_out in pairwise(layout):
        weights.append(torch.randn(batch_size, n_out, n_in, *channels, generator=g, dtype=dtype))
        biases.append(torch.randn(batch_size, n_out, *channels, generator=g, dtype=dtype))
    return Weights(tuple(scale * x for x in weights), tuple(scale * x for x in biases))


@_keeps_python_random
def random_perms(w: Weights, seed: int = 0) -> tuple[Tensor, ...]:
    """One uniform permutation per network and hidden layer."""
    g = _generator(seed)
    return tuple(torch.rand(len(w), n, generator=g).argsort(1) for n in w.layer_layout[1:-1])


@_keeps_python_random
def cyclic_perms(w: Weights) -> tuple[Tensor, ...]:
    """The permutation that moves every neuron by one: never the identity above width one."""
    return tuple(torch.arange(n).roll(1).expand(len(w), n) for n in w.layer_layout[1:-1])


@_keeps_python_random
def random_signs(w: Weights, seed: int = 0) -> tuple[Tensor, ...]:
    """One fair sign per network and hidden neuron."""
    g = _generator(seed)
    return tuple(
        1 - 2 * torch.randint(2, (len(w), n), generator=g).to(w.dtype) for n in w.layer_layout[1:-1]
    )


@_keeps_python_random
def random_ks(w: Weights, seed: int = 0) -> tuple[Tensor, ...]:
    """One number of half turns in -4..3 per network and hidden neuron."""
    g = _generator(seed)
    return tuple(torch.randint(-4, 4, (len(w), n), generator=g) for n in w.layer_layout[1:-1])


SEEDS = st.integers(0, 2**31 - 1)


@st.composite
def layouts(
    draw: st.DrawFn,
    *,
    min_layers: int = 2,
    max_layers: int = 5,
    max_width: int = 6,
    min_inputs: int = 1,
) -> tuple[int, ...]:
    """Layouts (d_0, ..., d_L) of L = min_layers..max_layers layers: 1-3 inputs, 1-4 outputs."""
    n_hidden = draw(st.integers(min_layers, max_layers)) - 1
    hidden = draw(st.lists(st.integers(1, max_width), min_size=n_hidden, max_size=n_hidden))
    return (draw(st.integers(min_inputs, 3)), *hidden, draw(st.integers(1, 4)))


@st.composite
def networks(
    draw: st.DrawFn,
    *,
    layout: tuple[int, ...] | None = None,
    max_batch: int = 4,
    min_batch: int = 1,
    channels: tuple[int, ...] | None = (),
    scale: float = 1.0,
    dtype: torch.dtype = torch.float64,
    **layout_limits: int,
) -> Weights:
    """Batches of networks; `channels=None` draws none or one channel axis."""
    chosen = draw(layouts(**layout_limits)) if layout is None else layout
    if channels is None:
        channels = draw(st.sampled_from([(), (1,), (3,)]))
    return random_networks(
        chosen,
        draw(st.integers(min_batch, max_batch)),
        channels=channels,
        seed=draw(SEEDS),
        scale=scale,
        dtype=dtype,
    )


def networks_and(
    *elements: Callable[[Weights, int], Any], **settings_of_networks: Any
) -> st.SearchStrategy[tuple[Any, ...]]:
    """Tuples of a batch and elements drawn for it: `networks_and(random_perms, random_signs)`."""

    def act(drawn: tuple[Any, ...]) -> tuple[Any, ...]:
        w, *seeds = drawn
        return (w, *(draw(w, seed) for draw, seed in zip(elements, seeds, strict=True)))

    return st.tuples(networks(**settings_of_networks), *(SEEDS for _ in elements)).map(act)
