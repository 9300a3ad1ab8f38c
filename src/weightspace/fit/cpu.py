"""The CPU backend: lays out the data for the compiled loops of `kernel` and calls them."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from weightspace.fit.blocks import LANES, ROWS
from weightspace.fit.kernel import COLUMNS, fit_networks
from weightspace.threads import numba_threads, thread_count
from weightspace.weights import Weights

__all__ = ["fit_cpu", "tile_size", "unsupported"]

MAX_TILE = 128  # points at once


def unsupported(signals: Tensor, coords: Tensor, init: Weights) -> str | None:
    """Why this backend cannot take these tensors, or None if it can."""
    tensors = (signals, coords, *init)
    if len(init.weights) == 1:
        return "it fits networks with a hidden layer"
    if {(x.device.type, x.dtype) for x in tensors} == {("cpu", torch.float32)}:
        return None
    kinds = sorted({f"{x.dtype} on {x.device}" for x in tensors})
    return f"it fits torch.float32 on cpu; got {', '.join(kinds)}"


def fit_cpu(
    signals: Float[Tensor, "batch points d_out"],
    coords: Float[Tensor, "*own points d_in"],
    *,
    init: Weights,
    points_per_step: int,
    omega_0: float,
    output_offset: float,
    rates: np.ndarray,
    betas: tuple[float, float],
    eps: float,
    target_mse: float | None,
    threads: int | None,
) -> tuple[Weights, Int[Tensor, " batch"]]:
    """Fit each network to its signal; arguments as `fitting.fit_sirens`.

    A network's result depends on its own signal, points and initialisation alone, to the last
    bit: not on the rest of the batch and not on the number of threads.

    Returns:
        The fitted networks and the number of steps each took.
    """
    net = _net(init.layer_layout)
    params = _pack(init, net)
    tile, n_threads = tile_size(points_per_step), thread_count(threads)
    sets = coords if coords.ndim == 3 else coords[None]
    taken = torch.zeros(len(init), dtype=torch.int64)
    neurons = 2 * net.places[-1] + 2 * max(net.widths)
    scratch = int(tile * (neurons + net.d_out) + net.turns[-1])
    with numba_threads(n_threads):
        fit_networks(
            params.numpy(),
            tuple(net),
            _tiles(_with_one(sets), points_per_step, tile),
            (torch.arange(len(init)) % len(sets)).numpy(),
            _tiles(signals, points_per_step, tile),
            points_per_step,
            tile,
            np.empty((n_threads, scratch), np.float32),
            (float(omega_0), float(output_offset)),
            (rates, float(betas[0]), float(betas[1]), float(eps)),
            -1.0 if target_mse is None else float(target_mse),
            taken.numpy(),
        )
    return _unpack(params, init, net), taken


class _Net(NamedTuple):
    """The sizes and places that `kernel.fit_networks` asks for, in its order."""

    d_in: int
    d_out: int
    widths: np.ndarray
    starts: np.ndarray
    places: np.ndarray
    turns: np.ndarray
    constants: np.ndarray

    @property
    def inputs(self) -> list[int]:
        """What each hidden layer reads: the coordinates, or the padded layer below."""
        return [self.d_in, *self.widths[:-1].tolist()]


def tile_size(points: int) -> int:
    """How many points to work on at once: whole blocks, equal tiles, few enough for the cache."""
    per_tile = -(-points // -(-points // MAX_TILE))
    return -(-per_tile // ROWS) * ROWS


def _columns(d_in: int) -> int:
    """The columns of the coordinates: their own, a one, and zeros."""
    return -(-(d_in + 1) // COLUMNS) * COLUMNS


def _net(layout: tuple[int, ...]) -> _Net:
    """Lay out the parameters of networks of a layout."""
    d_in, *hidden, d_out = layout
    block = max(LANES, ROWS)  # both powers of two; neurons are lanes of some sums, rows of others
    widths = np.array([-(-n // block) * block for n in hidden])
    rows = np.array([_columns(d_in), *(widths[:-1] + 1)])
    sizes = [*(rows * widths), d_out * (widths[-1] + 1)]
    turned = [0, *(widths[:-1] * widths[1:])]  # of the first layer none
    starts, places, turns = (np.cumsum([0, *x]) for x in (sizes, widths, turned))
    constants = np.array([0] * LANES + [1], dtype=np.float32)
    return _Net(d_in, d_out, widths, starts, places, turns, constants)


def _pack(w: Weights, net: _Net) -> Float[Tensor, "batch parameters"]:
    """The parameters of each network in the order and with the padding of the kernel."""
    *hidden, last = zip(w.weights, w.biases, strict=True)
    parts = []
    for (matrix, bias), inputs, width in zip(hidden, net.inputs, net.widths, strict=True):
        wide = (0, int(width) - matrix.shape[1])
        turned = pad(matrix.mT, (*wide, 0, inputs - matrix.shape[2]))
        parts.append(torch.cat([turned, pad(bias, wide)[:, None]], dim=1))
    parts[0] = pad(parts[0], (0, 0, 0, _columns(net.d_in) - net.d_in - 1))
    matrix, bias = last
    parts += [pad(matrix, (0, int(net.widths[-1]) - matrix.shape[2])), bias]
    return torch.cat([x.flatten(1) for x in parts], dim=1).detach()


def _unpack(params: Float[Tensor, "batch parameters"], like: Weights, net: _Net) -> Weights:
    """The networks of `_pack`, with the widths of `like`."""
    *hidden, last = params.tensor_split(net.starts[1:-1].tolist(), dim=1)
    weights, biases = [], []
    for x, inputs, width, own in zip(hidden, net.inputs, net.widths, like.weights, strict=False):
        matrix = x.unflatten(1, (-1, int(width)))[:, :, : own.shape[1]]
        weights.append(matrix[:, : own.shape[2]].mT)
        biases.append(matrix[:, inputs])
    size = net.d_out * int(net.widths[-1])
    weights.append(last[:, :size].unflatten(1, (net.d_out, -1))[:, :, : like.weights[-1].shape[2]])
    biases.append(last[:, size:])
    return Weights(tuple(weights), tuple(biases)).map(torch.Tensor.contiguous)


def _with_one(coords: Float[Tensor, "sets points d_in"]) -> Float[Tensor, "sets points columns"]:
    """The coordinates, a one that is the input of the biases, and zeros."""
    d_in = coords.shape[2]
    return pad(pad(coords, (0, 1), value=1.0), (0, _columns(d_in) - d_in - 1))


def _tiles(x: Float[Tensor, "batch points d"], size: int, tile: int) -> np.ndarray:
    """Cut the points into slices of `size`, each of these into tiles, its last padded with zeros.

    Returns:
        (batch, slices, tiles, tile * d); points that fill no slice are left out.
    """
    slices = x.detach()[:, : x.shape[1] // size * size].unflatten(1, (-1, size))
    whole = pad(slices, (0, 0, 0, -size % tile))
    return whole.unflatten(2, (-1, tile)).flatten(3).contiguous().numpy()
