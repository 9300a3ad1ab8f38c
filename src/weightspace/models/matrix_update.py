"""The operations that run over whole weight matrices, written for few passes over memory.

Features of the hidden-hidden weights are `width` times larger than everything else in an
equivariant model, so its time is the number of times that they are read and written. So an update
and its means are one operation: the means are taken while the matrix lies in the cache, and the
gradients of the matrix and of its means meet there as well. All functions say in one line what
they compute. `_plain_update` and `_plain_back` are the same without care for memory; under
`torch.vmap` they run instead.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from weightspace.models.autocast import in_one_dtype

__all__ = ["mean_rows_and_columns", "update_and_mean", "update_matrix"]

# Entries of a matrix, times its channels, at a time: what a cache of a CPU holds.
_NUMBERS = 2**20

Matrix = Float[Tensor, "batch rows columns c_out"]
Rows = Float[Tensor, "batch rows c_out"]
Columns = Float[Tensor, "batch columns c_out"]


def update_matrix(
    m: Float[Tensor, "batch rows columns c_in"],
    mixing: Float[Tensor, "c_in c_out"],
    row_context: Rows,
    column_context: Columns,
    *,
    relu: bool,
) -> Matrix:
    """M'_ij = M_ij A + r_i + c_j, then an optional ReLU."""
    tensors = in_one_dtype(m, mixing, row_context, column_context)
    return _Update.apply(*tensors, relu, False)[0]  # pyright: ignore


def update_and_mean(
    m: Float[Tensor, "batch rows columns c_in"],
    mixing: Float[Tensor, "c_in c_out"],
    row_context: Rows,
    column_context: Columns,
    *,
    relu: bool,
) -> tuple[Matrix, Rows, Columns]:
    """What `update_matrix` gives, and its `mean_rows_and_columns`."""
    tensors = in_one_dtype(m, mixing, row_context, column_context)
    return _Update.apply(*tensors, relu, True)  # pyright: ignore


def mean_rows_and_columns(m: Matrix) -> tuple[Rows, Columns]:
    """The mean of every row, over its columns, and of every column, over its rows."""
    return _MeanRowsAndColumns.apply(m)  # pyright: ignore


class _Update(torch.autograd.Function):
    """An update and its means, which are empty if they are not wanted."""

    @staticmethod
    def forward(
        m: Tensor, mixing: Tensor, rows: Tensor, columns: Tensor, relu: bool, means: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        out = rows.new_empty(*m.shape[:3], mixing.shape[1])
        row_means, column_means = _like(rows, means), _like(columns, means)
        for b in _pieces(out):
            x = torch.add(rows[b, :, None], columns[b, None], out=out[b])
            _flat(x).addmm_(_flat(m[b]), mixing)
            if relu:
                x.relu_()
            if means:
                torch.mean(x, 2, out=row_means[b])
                torch.mean(x, 1, out=column_means[b])
        return out, row_means, column_means

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        m, mixing, rows, columns, relu, ctx.means = inputs
        ctx.save_for_backward(m, mixing, rows, columns, output[0] if relu else None)
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        m, mixing, rows, columns, active = ctx.saved_tensors
        of_out, of_rows, of_columns = grads
        if of_out is None and not ctx.means:
            return (None,) * 6
        if ctx.means:
            of_rows = torch.zeros_like(rows) if of_rows is None else of_rows / m.shape[2]
            of_columns = (
                torch.zeros_like(columns) if of_columns is None else of_columns / m.shape[1]
            )
        else:
            of_rows = of_columns = None
        of_m, *others = _UpdateBack.apply(  # pyright: ignore
            m, mixing, active, of_out, of_rows, of_columns, ctx.needs_input_grad[0]
        )
        return (of_m if ctx.needs_input_grad[0] else None), *others, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[Any, tuple[int, ...]]:
        return torch.vmap(_plain_update, in_dims)(*args), (0, 0, 0)


class _UpdateBack(torch.autograd.Function):
    """The gradients of `_Update`: of m, empty if not wanted, of mixing and of both contexts.

    `of_rows` and `of_columns` are the gradients of the means, divided by what was counted.
    """

    @staticmethod
    def forward(
        m: Tensor,
        mixing: Tensor,
        active: Tensor | None,
        of_out: Tensor | None,
        of_rows: Tensor | None,
        of_columns: Tensor | None,
        wanted: bool,
    ) -> tuple[Tensor, ...]:
        of_m, of_mixing = _like(m, wanted), torch.zeros_like(mixing)
        of_row = m.new_empty(*m.shape[:2], mixing.shape[1])
        of_column = m.new_empty(len(m), *m.shape[2:3], mixing.shape[1])
        for b in _pieces(m[..., :1].expand(*m.shape[:3], mixing.shape[1])):
            x = _incoming(of_out, of_rows, of_columns, b)
            if active is not None:
                # In place where the sum is ours to write into.
                space = x if of_rows is not None else torch.empty_like(x)
                torch.ops.aten.threshold_backward.grad_input(x, active[b], 0, grad_input=space)
                x = space
            torch.sum(x, 2, out=of_row[b])
            torch.sum(x, 1, out=of_column[b])
            of_mixing.addmm_(_flat(m[b]).t(), _flat(x))
            if wanted:
                torch.mm(_flat(x), mixing.t(), out=_flat(of_m[b]))
        return of_m, of_mixing, of_row, of_column

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[Any, tuple[int, ...]]:
        return torch.vmap(_plain_back, in_dims)(*args), (0, 0, 0, 0)


def _pieces(out: Tensor) -> Iterator[slice]:
    """Cut the batch so that a piece holds about `_NUMBERS` numbers; on a GPU it is not cut."""
    batch = len(out)
    step = max(1, _NUMBERS // out[0].numel()) if out.device.type == "cpu" else batch
    for b in range(0, batch, step):
        yield slice(b, b + step)


def _like(x: Tensor, wanted: bool) -> Tensor:
    return torch.empty(x.shape if wanted else 0, dtype=x.dtype, device=x.device)


def _flat(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


def _incoming(
    of_out: Tensor | None, of_rows: Tensor | None, of_columns: Tensor | None, b: slice
) -> Tensor:
    """The gradient of M'_ij, from where it was used and, if any, through its means."""
    if of_rows is None or of_columns is None:
        assert of_out is not None
        return of_out[b]
    x = of_rows[b, :, None] + of_columns[b, None]
    return x if of_out is None else x.add_(of_out[b])


def _plain_update(
    m: Tensor, mixing: Tensor, rows: Tensor, columns: Tensor, relu: bool, means: bool
) -> tuple[Tensor, Tensor, Tensor]:
    out = m @ mixing + rows[:, :, None] + columns[:, None]
    out = out.relu() if relu else out
    if means:
        return out, out.mean(2), out.mean(1)
    return out, rows.new_empty(0), columns.new_empty(0)


def _plain_back(
    m: Tensor,
    mixing: Tensor,
    active: Tensor | None,
    of_out: Tensor | None,
    of_rows: Tensor | None,
    of_columns: Tensor | None,
    wanted: bool,
) -> tuple[Tensor, ...]:
    x = _incoming(of_out, of_rows, of_columns, slice(None))
    x = x if active is None else x * (active > 0)
    of_m = x @ mixing.t() if wanted else x.new_empty(0)
    return of_m, _flat(m).t() @ _flat(x), x.sum(2), x.sum(1)


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
