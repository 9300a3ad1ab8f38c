"""The CPU backend: lays out the data for the compiled loops of `kernel` and calls them."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from weightspace.fit.kernel import BLOCK, fit_networks
from weightspace.weights import Weights

__all__ = ["fit_cpu", "numba_threads", "thread_count", "tile_size", "unsupported"]

LANES = 16  # float32 numbers in the widest vector register
MAX_TILE = 800  # points at once; longer loops win nothing more
CACHE = 640 * 2**10  # bytes of activations that should stay in the second-level cache of a core


def unsupported(signals: Tensor, coords: Tensor, init: Weights) -> str | None:
    """Why this backend cannot take these tensors, or None if it can."""
    tensors = (signals, coords, *init)
    if {(x.device.type, x.dtype) for x in tensors} == {("cpu", torch.float32)}:
        return None
    kinds = sorted({f"{x.dtype} on {x.device}" for x in tensors})
    return f"it fits torch.float32 on cpu; got {', '.join(kinds)}"


def thread_count(threads: int | None) -> int:
    """The number of threads to use: `threads`, by default torch's, at most what Numba has."""
    wanted = torch.get_num_threads() if threads is None else threads
    return min(wanted, numba.config.NUMBA_NUM_THREADS)  # pyright: ignore


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
    padded = _pad_widths(init)
    params = padded.flatten().detach()
    starts = _starts(padded.layer_layout)
    rows = 2 * int(starts[2, -1] + max(padded.layer_layout))
    tile, n_threads = tile_size(points_per_step, rows), thread_count(threads)
    sets = coords if coords.ndim == 3 else coords[None]
    taken = torch.zeros(len(init), dtype=torch.int64)
    d_in = padded.layer_layout[0]
    with numba_threads(n_threads):
        fit_networks(
            params.numpy(),
            np.array(padded.layer_layout),
            starts,
            _tiles(pad(sets, (0, d_in - sets.shape[2])), points_per_step, tile),
            (torch.arange(len(init)) % len(sets)).numpy(),
            _tiles(signals, points_per_step, tile),
            points_per_step,
            torch.empty(n_threads, rows, tile).numpy(),
            (float(omega_0), float(output_offset)),
            (rates, float(betas[0]), float(betas[1]), float(eps)),
            -1.0 if target_mse is None else float(target_mse),
            taken.numpy(),
        )
    return _take(params, padded, init), taken


def tile_size(points: int, rows: int) -> int:
    """How many points to work on at once: whole vectors, equal tiles, all rows in the cache."""
    most = max(4 * LANES, min(MAX_TILE, CACHE // (4 * rows)))
    per_tile = -(-points // -(-points // most))
    return -(-per_tile // LANES) * LANES


def _pad_widths(w: Weights) -> Weights:
    """The same networks with zero neurons that make every width a multiple of BLOCK."""

    def widen(x: Tensor) -> Tensor:
        # The axes after the batch, last first, as torch pads.
        return pad(x, [k for n in reversed(x.shape[1:]) for k in (0, -n % BLOCK)])

    return w.map(widen)


def _take(params: Tensor, padded: Weights, init: Weights) -> Weights:
    """The networks in the rows of `params`, laid out as `padded`, cut to the widths of `init`."""
    parts = iter(params.split([x[0].numel() for x in padded], dim=1))

    def cut(wide: Tensor, narrow: Tensor) -> Tensor:
        whole = next(parts).reshape(wide.shape)
        return whole[tuple(slice(n) for n in narrow.shape)].clone()

    return padded.map(cut, init)


def _starts(layout: tuple[int, ...]) -> np.ndarray:
    """Where the weights, the biases and the neurons of each layer start: (3, layers + 1)."""
    widths = np.array(layout[1:])
    sizes = np.stack([widths * np.array(layout[:-1]), widths, widths])
    starts = np.concatenate([np.zeros((3, 1), np.int64), sizes.cumsum(1)], axis=1)
    starts[1] += starts[0, -1]
    return starts


def _tiles(x: Float[Tensor, "batch points d"], size: int, tile: int) -> np.ndarray:
    """Cut the points into slices of `size`, each of these into tiles, its last padded with zeros.

    Returns:
        (batch, slices, tiles, d, tile); points that fill no slice are left out.
    """
    slices = x.detach()[:, : x.shape[1] // size * size].unflatten(1, (-1, size))
    whole = pad(slices, (0, 0, 0, -size % tile))
    return whole.unflatten(2, (-1, tile)).transpose(-1, -2).contiguous().numpy()


@contextmanager
def numba_threads(threads: int) -> Iterator[None]:
    """Run Numba's parallel loops on `threads` threads, and leave torch's number as it was.

    Both use OpenMP, and Numba's start of its threads, at the first question about them, sets
    the number for torch too: so torch is asked first.
    """
    torch_before = torch.get_num_threads()
    numba_before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        yield
    finally:
        numba.set_num_threads(numba_before)
        torch.set_num_threads(torch_before)
