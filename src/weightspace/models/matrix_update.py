"""The two operations that run over whole weight matrices, written for few passes over memory.

Features of the hidden-hidden weights are `width` times larger than everything else in an
equivariant model, so its time is the number of times that they are read and written. Both
functions say in one line what they compute; their gradients are written out to the same end.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["mean_rows_and_columns", "update_matrix"]


def update_matrix(
    m: Float[Tensor, "batch rows columns c_in"],
    mixing: Float[Tensor, "c_in c_out"],
    row_context: Float[Tensor, "batch rows c_out"],
    column_context: Float[Tensor, "batch columns c_out"],
    *,
    relu: bool,
) -> Float[Tensor, "batch rows columns c_out"]:
    """M'_ij = M_ij A + r_i + c_j, then an optional ReLU."""
    return _UpdateMatrix.apply(m, mixing, row_context, column_context, relu)  # pyright: ignore


def mean_rows_and_columns(
    m: Float[Tensor, "batch rows columns c"],
) -> tuple[Float[Tensor, "batch rows c"], Float[Tensor, "batch columns c"]]:
    """The mean of every row, over its columns, and of every column, over its rows."""
    return _MeanRowsAndColumns.apply(m)  # pyright: ignore


class _UpdateMatrix(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(m: Tensor, mixing: Tensor, rows: Tensor, columns: Tensor, relu: bool) -> Tensor:
        out = rows[:, :, None] + columns[:, None]  # (batch, rows, columns, c_out)
        out += m @ mixing  # addmm_ would save a pass, but vmap does not know it
        if relu:
            out.relu_()
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        m, mixing, _, _, relu = inputs
        ctx.save_for_backward(m, mixing, output if relu else None)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        m, mixing, active = ctx.saved_tensors
        if active is not None:
            grad = torch.ops.aten.threshold_backward(grad, active, 0)
        flat = grad.reshape(-1, grad.shape[-1])
        grad_m = (flat @ mixing.t()).view(m.shape) if ctx.needs_input_grad[0] else None
        grad_mixing = m.reshape(-1, m.shape[-1]).t() @ flat
        return grad_m, grad_mixing, grad.sum(2), grad.sum(1), None


class _MeanRowsAndColumns(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(m: Tensor) -> tuple[Tensor, Tensor]:
        return m.mean(2), m.mean(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.sizes = inputs[0].shape[1:3]

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> Tensor:
        grad_rows, grad_columns = grads
        n_rows, n_columns = ctx.sizes
        return (grad_rows / n_columns)[:, :, None] + (grad_columns / n_rows)[:, None]
