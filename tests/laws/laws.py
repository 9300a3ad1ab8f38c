"""The laws of the package, as measures and as assertions.

`*_error` measures and never judges; `assert_*` compares with the one tolerance table. Every
error is relative: the largest difference over the largest entry, tensor by tensor.
`test_teeth.py` shows for each assertion an implementation that it refuses.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from weightspace.rng import stream
from weightspace.siren import siren
from weightspace.weights import Weights

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
# A broken law must show in the first digits, not in the rounding.
VISIBLE = 1e-3

Value = Tensor | Weights
Module = TypeVar("Module", bound=nn.Module)


def tensors(value: Any) -> list[Tensor]:
    """All tensors in a tensor, a `Weights`, a number or a (nested) tuple of these."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, int | float | np.ndarray):
        return [torch.as_tensor(value)]
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [t for part in value for t in tensors(part)]
    return []


# Measures


def relative_error(a: Any, b: Any) -> float:
    """The largest |a - b| / max |a|, |b| over the tensors of `a` and `b`; NaN counts as inf."""
    pairs = list(zip(tensors(a), tensors(b), strict=True))
    worst = 0.0
    for x, y in pairs:
        if x.shape != y.shape:
            raise AssertionError(f"shapes differ: {tuple(x.shape)} and {tuple(y.shape)}")
        if not x.numel():
            continue
        x, y = x.detach().double(), y.detach().double()
        difference = (x - y).abs().max().item()
        size = max(x.abs().max().item(), y.abs().max().item())
        error = difference / size if difference else 0.0
        worst = max(worst, error if error == error else float("inf"))
    return worst


def function_error(
    w: Weights, v: Weights, *, omega_0: float, points: int = 17, seed: int = 0
) -> float:
    """The relative error between the outputs of two batches of SIRENs at random points."""
    coords = torch.rand(points, w.layer_layout[0], generator=stream(seed, "function_error"))
    coords = (2 * coords - 1).to(w.device, w.dtype)
    return relative_error(siren(w, coords, omega_0=omega_0), siren(v, coords, omega_0=omega_0))


def equivariance_error(
    f: Callable[[Weights], Value],
    w: Weights,
    action: Callable[[Weights], Weights],
    action_out: Callable[[Any], Value] | None = None,
) -> float:
    """How far f(action(w)) is from action_out(f(w)); `action_out` is `action` if not given."""
    return relative_error(f(action(w)), (action_out or action)(f(w)))


def invariance_error(
    f: Callable[[Weights], Value], w: Weights, action: Callable[[Weights], Weights]
) -> float:
    """How far f(action(w)) is from f(w)."""
    return equivariance_error(f, w, action, lambda value: value)


def uncoupled_permute(w: Weights, perms: tuple[Tensor, ...]) -> Weights:
    """Permute rows and biases of the hidden layers and forget the columns of the next layer.

    The wrong action: it changes the function of the network, so a law that survives it says
    nothing about permutations.
    """

    def rows(x: Tensor, p: Tensor) -> Tensor:
        return x[torch.arange(len(x))[:, None], p]

    return Weights(
        (*map(rows, w.weights[:-1], perms), w.weights[-1]),
        (*map(rows, w.biases[:-1], perms), w.biases[-1]),
    )


# Assertions


def tolerance(*values: Any) -> float:
    """The tolerance of the coarsest number type among the floating tensors of `values`."""
    return max(TOLERANCE[t.dtype] for t in tensors(values) if t.is_floating_point())


def assert_close(a: Any, b: Any, what: str = "values") -> None:
    """Both agree within the tolerance of their number type."""
    error, allowed = relative_error(a, b), tolerance(a, b)
    assert error <= allowed, f"{what} differ: relative error {error:.2e}, allowed {allowed:.0e}"


def assert_identical(a: Any, b: Any, what: str = "values") -> None:
    """Both agree bit by bit."""
    for x, y in zip(tensors(a), tensors(b), strict=True):
        assert torch.equal(x, y), f"{what} are not identical"


def assert_same_function(w: Weights, v: Weights, *, omega_0: float) -> None:
    """Both batches compute the same functions."""
    error, allowed = function_error(w, v, omega_0=omega_0), tolerance(w, v)
    assert error <= allowed, f"the functions differ: relative error {error:.2e}"


def assert_equivariant(
    f: Callable[[Weights], Value],
    w: Weights,
    action: Callable[[Weights], Weights],
    action_out: Callable[[Any], Value] | None = None,
) -> None:
    """f(action(w)) == action_out(f(w))."""
    error = equivariance_error(f, w, action, action_out)
    assert error <= tolerance(w), f"not equivariant: relative error {error:.2e}"


def assert_invariant(
    f: Callable[[Weights], Value], w: Weights, action: Callable[[Weights], Weights]
) -> None:
    """f(action(w)) == f(w)."""
    error = invariance_error(f, w, action)
    assert error <= tolerance(w), f"not invariant: relative error {error:.2e}"


def assert_sensitive(
    f: Callable[[Weights], Value],
    w: Weights,
    uncoupled: Callable[[Weights], Weights],
    action_out: Callable[[Any], Value] = lambda value: value,
) -> None:
    """The law breaks, network by network, when the input is moved by `uncoupled` instead.

    For an invariant `f` leave `action_out`; for an equivariant one pass the true action.
    """
    moved, expected = f(uncoupled(w)), action_out(f(w))
    for i in range(len(w)):
        error = relative_error(*([t[i] for t in tensors(v)] for v in (moved, expected)))
        assert error > VISIBLE, (
            f"network {i} does not feel an uncoupled permutation: relative error {error:.2e}"
        )


def assert_transforms_inputs(
    moved: Weights, w: Weights, matrix: Tensor, shift: Tensor, *, omega_0: float
) -> None:
    """siren(moved, x) == siren(w, A x + t), with one A and t per network."""
    coords = torch.rand(17, w.layer_layout[0], generator=stream(0, "assert_transforms_inputs"))
    coords = (2 * coords - 1).to(w.device, w.dtype)
    inputs = torch.einsum("bij,pj->bpi", matrix, coords) + shift[:, None, :]
    found, expected = siren(moved, coords, omega_0=omega_0), siren(w, inputs, omega_0=omega_0)
    assert_close(found, expected, "the functions of the moved inputs")


def randomise_parameters(module: Module, generator: torch.Generator) -> Module:
    """Redraw every parameter of `module`, in place, so that no law holds by initialisation.

    Vectors and scalars are drawn from N(0, 1), and tensors of two or more axes from
    N(0, 1 / fan_in), which keeps deep models away from overflow and saturation.
    """
    with torch.no_grad():
        for p in module.parameters():
            fan_in = p.numel() // p.shape[0] if p.ndim > 1 else 1
            draw = torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)
            p.copy_(draw / fan_in**0.5)
    return module


# Purity


def assert_no_mutation(f: Callable[..., Any], *args: Any) -> None:
    """`f(*args)` leaves every tensor in its arguments as it was."""
    before = [t.clone() for t in tensors(args)]
    f(*args)
    assert_identical(tensors(args), before, "the arguments before and after the call")


def assert_no_global_randomness(f: Callable[..., Any], *args: Any) -> None:
    """`f(*args)` draws no number from the global generators of torch, NumPy or Python.

    The type checks that are on in tests draw from Python's generator themselves, so of that
    one the result must not depend, while the states of the others must stay as they are.
    """
    torch_before, numpy_before = torch.random.get_rng_state(), _numpy_state()
    python_before = random.getstate()
    try:
        random.seed(0)
        first = f(*args)
        random.seed(1)
        second = f(*args)
    finally:
        random.setstate(python_before)
    used = "a global random generator was used:"
    assert torch.equal(torch.random.get_rng_state(), torch_before), f"{used} that of torch"
    assert _numpy_state() == numpy_before, f"{used} that of NumPy"
    assert relative_error(first, second) == 0, f"{used} that of Python"


def _numpy_state() -> str:
    with np.printoptions(threshold=10**6):
        return repr(np.random.get_state())  # noqa: NPY002


def assert_pure(f: Callable[..., Any], *args: Any, seed: int | None = 0) -> None:
    """`f` writes into nothing, uses no global generator, and repeats under the same seed.

    Args:
        f: called as `f(*args, generator=...)`, or as `f(*args)` if `seed` is None.
        args: its positional arguments.
        seed: the seed of the generator.
    """

    def call(*args: Any) -> Any:
        return f(*args) if seed is None else f(*args, generator=stream(seed, "assert_pure"))

    assert_no_mutation(call, *args)
    assert_identical(call(*args), call(*args), "two results of the same seed")
    assert_no_global_randomness(call, *args)


def assert_draws_per_network(f: Callable[..., Weights], w: Weights, copies: int = 4) -> None:
    """Copies of one network in one batch all get different draws from `f(w, *, generator)`."""
    repeated = w[torch.zeros(copies, dtype=torch.int64)]
    moved = f(repeated, generator=stream(0, "assert_draws_per_network")).flatten()
    different = len(moved.unique(dim=0))
    assert different == copies, f"{copies} copies of one network got {different} different draws"


def assert_draws_per_entry(f: Callable[..., Weights], w: Weights) -> None:
    """Within each network, `f(w, *, generator)` changes no two entries by the same amount."""
    changes = f(w, generator=stream(0, "assert_draws_per_entry")).map(torch.sub, w)
    for x in tensors(changes):
        for row in x.flatten(1):
            different = len(row.unique())
            assert different == row.numel(), (
                f"{row.numel()} entries of a tensor were changed by {different} different amounts"
            )


def assert_independent_networks(f: Callable[..., Weights], w: Weights) -> None:
    """What `f(w, *, generator)` makes of a network does not depend on the others of its batch."""

    def call(batch: Weights) -> Weights:
        return f(batch, generator=stream(0, "assert_independent_networks"))

    for i in range(len(w)):
        own = (torch.arange(len(w)) == i).to(w.device)
        others = w.map(
            lambda x, own=own: torch.where(own.view(-1, *[1] * (x.ndim - 1)), x, 2 * x + 1)
        )
        same = all(torch.equal(x[i], y[i]) for x, y in zip(call(w), call(others), strict=True))
        assert same, f"network {i} feels the others of its batch"
