"""The GPU backend: lays out the networks for the Triton kernel and launches it.

Triton comes with torch's CUDA builds. It is imported when a fit needs it, not before.
"""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from math import pi
from shutil import which
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from weightspace.weights import Weights

__all__ = ["Launch", "Precision", "fit_cuda", "launch_of", "unsupported_by_cuda"]

Precision = Literal["tf32x3", "ieee", "tf32"]
"""How hidden layers are multiplied: three tensor-core products that together keep the accuracy of
float32, float32 without tensor cores, or one tensor-core product with 11 binary digits."""

OLDEST_TRITON = (3, 6)
MOST_WIDTH, MOST_HIDDEN, MOST_ENDS = 64, 3, 4
MOST_FLOP = 2e12  # of a launch: under a second on a GPU that reaches 2 TFLOP/s


@dataclass(frozen=True)
class Launch:
    """How one program works: at `tile` points at once with `warps` of 32 threads.

    `reload` says that the weights of all layers do not fit into shared memory together.
    """

    width: int
    tile: int
    warps: int
    reload: bool = False

    def options(self) -> dict[str, int]:
        """What Triton's compiler needs to know of it."""
        return {"num_warps": self.warps, "num_stages": 1}


def launch_of(layout: tuple[int, ...]) -> Launch:
    """How to fit networks of these widths; docs/performance.md says why."""
    width = max(16, 1 << (max(layout[1:-1]) - 1).bit_length())
    if width == 64 and len(layout) > 3:
        return Launch(width, tile=32, warps=8 if len(layout) > 4 else 4, reload=True)
    if width == 64 or len(layout) == 5:
        return Launch(width, tile=16, warps=2)
    return Launch(width, tile=16, warps=1)


def unsupported_by_cuda(signals: Tensor, coords: Tensor, init: Weights) -> str | None:
    """Why this backend cannot take these tensors, or None if it can."""
    tensors, layout = (signals, coords, *init), init.layer_layout
    device = "cpu" if _interpreted() else "cuda"
    if {(x.device.type, x.dtype) for x in tensors} != {(device, torch.float32)}:
        kinds = sorted({f"{x.dtype} on {x.device}" for x in tensors})
        return f"it fits torch.float32 on {device}; got {', '.join(kinds)}"
    if not 3 <= len(layout) <= MOST_HIDDEN + 2 or max(layout[1:-1]) > MOST_WIDTH:
        return f"it fits 1 to {MOST_HIDDEN} hidden layers up to width {MOST_WIDTH}; got {layout}"
    if max(layout[0], layout[-1]) > MOST_ENDS:
        return f"it fits at most {MOST_ENDS} inputs and outputs; got {layout}"
    if not _triton_version() >= OLDEST_TRITON:
        return "it needs Triton 3.6 or newer, which torch's CUDA builds bring on Linux"
    if device == "cuda" and not (os.environ.get("CC") or which("gcc") or which("clang")):
        return "Triton needs a C compiler, gcc or clang"
    if device == "cuda" and torch.cuda.get_device_capability(signals.device) < (8, 0):
        return "the GPU is older than compute capability 8.0"
    return None


def _interpreted() -> bool:
    """Whether Triton's interpreter runs kernels on the CPU, for tests without a GPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def _triton_version() -> tuple[int, ...]:
    """The version of Triton, or () if it is not installed."""
    try:
        return tuple(int(part) for part in version("triton").split(".")[:2])
    except PackageNotFoundError:
        return ()


def fit_cuda(
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
    precision: Precision | None = None,
) -> tuple[Weights, Int[Tensor, " batch"]]:
    """Fit each network to its signal; arguments as `fitting.fit_sirens`.

    A network's result depends on its own signal, points and initialisation alone, to the last
    bit.

    Args:
        signals: as there.
        coords: as there.
        init: as there.
        points_per_step: as there.
        omega_0: as there.
        output_offset: as there.
        rates: the learning rate of each step.
        betas: as there.
        eps: as there.
        target_mse: the error at which a network stops, or None.
        threads: ignored.
        precision: of the products between hidden layers; by default as
            `torch.get_float32_matmul_precision()` asks: "tf32x3" for "highest", else "tf32".

    Returns:
        The fitted networks and the number of steps each took.
    """
    from weightspace.fit.triton_kernel import fit_steps

    del threads
    layout, points = init.layer_layout, signals.shape[1]
    launch = launch_of(layout)
    rows = _rows(init, launch.width)
    params = torch.cat(rows, dim=1)
    state = torch.stack([params, *[torch.zeros_like(params)] * 2], dim=1)
    taken = torch.zeros(len(init), dtype=torch.int32, device=signals.device)
    signals, coords = signals.contiguous(), coords.contiguous()
    half_turns = float(np.float32(omega_0 / pi))
    values = points_per_step * layout[-1]
    table = _rate_table(rates, betas).to(signals.device)
    at_once = max(1, int(MOST_FLOP / _flop_per_step(layout, points_per_step) / len(init)))
    on_gpu = signals.device.type == "cuda"
    with torch.cuda.device(signals.device) if on_gpu else nullcontext():
        for first in range(0, len(rates), at_once):
            fit_steps[(len(init),)](
                state,
                taken,
                coords,
                signals,
                table,
                first_step=first,
                last_step=min(first + at_once, len(rates)),
                slices=points // points_per_step,
                points=points_per_step,
                all_points=points,
                coords_stride=points * layout[0] if coords.ndim == 3 else 0,
                zero=0,
                half_turns=half_turns,
                half_turns_rest=omega_0 / pi - half_turns,
                omega_0=float(omega_0),
                output_offset=float(output_offset),
                scale=2 / values,
                target_loss=-1.0 if target_mse is None else target_mse * values,
                keep_1=float(betas[0]),
                keep_2=float(betas[1]),
                add_1=1.0 - betas[0],
                add_2=1.0 - betas[1],
                eps=float(eps),
                D_IN=layout[0],
                D_OUT=layout[-1],
                HIDDEN=len(layout) - 2,
                H=launch.width,
                TILE=launch.tile,
                RELOAD=launch.reload,
                PRECISION=precision or _default_precision(),
                **launch.options(),
            )
    return _take(state[:, 0], rows, init), taken.to(torch.int64)


def _default_precision() -> Precision:
    """What torch's setting for its own float32 products asks for."""
    return "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32"


def _rate_table(rates: np.ndarray, betas: tuple[float, float]) -> Float[Tensor, "steps 2"]:
    """The numbers lr / (1 - beta_1^t) and 1 / sqrt(1 - beta_2^t) of the steps t = 1, 2, ...."""
    t = np.arange(1, len(rates) + 1)
    table = np.stack([rates / (1 - betas[0] ** t), (1 - betas[1] ** t) ** -0.5], axis=1)
    return torch.from_numpy(table.astype(np.float32))


def _flop_per_step(layout: tuple[int, ...], points: int) -> float:
    """Multiplications and additions of one step of one network, roughly."""
    return 6.0 * points * sum(a * b for a, b in pairwise(layout))


def _rows(w: Weights, width: int) -> list[Float[Tensor, "batch rows width"]]:
    """Every tensor in the kernel's order, as rows padded with zeros to the kernel's width.

    Hidden matrices are padded to as many rows; the first matrix is transposed.
    """
    rows = []
    last = len(w.weights) - 1
    for l, (weight, bias) in enumerate(zip(w.weights, w.biases, strict=True)):
        matrix = weight.transpose(1, 2) if l == 0 else weight
        more = 0 if l in (0, last) else width - matrix.shape[1]
        rows.append(pad(matrix, (0, width - matrix.shape[2], 0, more)))
        rows.append(pad(bias, (0, width - bias.shape[1]))[:, None])
    return rows


def _take(
    params: Float[Tensor, "batch all_rows width"], rows: list[Tensor], init: Weights
) -> Weights:
    """The networks in `params`, laid out as `rows`, cut to the widths of `init`."""
    parts = params.split([x.shape[1] for x in rows], dim=1)
    weights, biases = [], []
    for l, (weight, bias) in enumerate(zip(init.weights, init.biases, strict=True)):
        matrix = parts[2 * l].transpose(1, 2) if l == 0 else parts[2 * l]
        weights.append(matrix[:, : weight.shape[1], : weight.shape[2]].contiguous())
        biases.append(parts[2 * l + 1][:, 0, : bias.shape[1]].contiguous())
    return Weights(tuple(weights), tuple(biases))
