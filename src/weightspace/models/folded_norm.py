"""Batch normalisation of the features inside an equivariant model."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from weightspace.models import norm_kernel
from weightspace.models.folding import Channels, Folded
from weightspace.models.matrix_update import update_matrix

__all__ = ["FoldedNorm"]


class FoldedNorm(nn.Module):
    """Normalise every channel of every matrix, vector and of the scalars; then a ReLU.

    The mean and the deviation of a channel are over all networks and all neurons, so this
    commutes with permutations of the neurons.

    Args:
        channels: those of the features.
    """

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        n_matrices = len(channels.vectors) - 1 if channels.matrix else 0
        self.matrices = nn.ModuleList(nn.BatchNorm1d(channels.matrix) for _ in range(n_matrices))
        self.vectors = nn.ModuleList(nn.BatchNorm1d(c) for c in channels.vectors)
        self.scalars = nn.BatchNorm1d(channels.scalars)

    def forward(
        self,
        updates: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]],
        vectors: Sequence[Tensor],
        scalars: Tensor,
        *,
        only_means: bool = False,
    ) -> Folded:
        """Return the normalised features, after a ReLU.

        Args:
            updates: of every matrix, what `update_matrix` makes it of.
            vectors: as in `Folded`, like scalars.
            scalars: see vectors.
            only_means: the matrices themselves may be left out where their means are given.
        """
        normed = tuple(_norm(f, v) for f, v in zip(self.vectors, vectors, strict=True))
        scalars = _norm(self.scalars, scalars)
        pairs = [*zip(self.matrices, updates, strict=True)]
        if pairs and all(_compiled(norm, *update) for norm, update in pairs):
            found = [_update_and_norm(norm, *update, only_means) for norm, update in pairs]
            matrices = () if only_means else tuple(m for m, _, _ in found)
            return Folded(matrices, normed, scalars, tuple((r, c) for _, r, c in found))
        matrices = (_norm(f, update_matrix(*update, relu=False)) for f, update in pairs)
        return Folded(tuple(matrices), normed, scalars)


def _norm(norm: nn.Module, x: Tensor) -> Tensor:
    flat = x.reshape(-1, x.shape[-1])  # (batch and neurons, channels)
    return norm(flat).relu().view(x.shape)


def _compiled(norm: nn.Module, m: Tensor, mixing: Tensor, *contexts: Tensor) -> bool:
    """Whether the kernel for CPUs does it: in training, of float32 and of widths that it can take.

    Norms that are being calibrated (they have no momentum) are PyTorch's, and so is everything
    under `torch.func` and under autocast.
    """
    assert isinstance(norm, nn.BatchNorm1d)
    lanes, rows = norm_kernel.LANES, norm_kernel.ROWS
    c_in, c_out = mixing.shape
    tensors = (m, mixing, *contexts, norm.weight)
    return (
        norm.training
        and norm.momentum is not None
        and all(t.dtype == torch.float32 and t.device.type == "cpu" for t in tensors)
        and not torch._C._are_functorch_transforms_active()
        and not torch.is_autocast_enabled("cpu")
        and m.numel() > 0
        and c_out % lanes == 0
        and m.shape[2] % rows == 0
        and (c_in < rows or c_in % rows == 0)
        and (c_in % lanes == 0 or not m.requires_grad)
    )


def _update_and_norm(
    norm: nn.Module, m: Tensor, mixing: Tensor, rows: Tensor, columns: Tensor, only_means: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """`_norm` of an update in training, maybe left empty, and the means of its rows and columns."""
    assert isinstance(norm, nn.BatchNorm1d)
    c, (batch, n, k, c_in) = len(norm.weight), m.shape
    shapes = (c_in, c), (batch, n, c), (batch, k, c)
    if (mixing.shape, rows.shape, columns.shape) != shapes:
        found = [tuple(t.shape) for t in (mixing, rows, columns)]
        raise ValueError(f"mixing and contexts are {found}; a norm of {c} channels needs {shapes}")
    # The kernel writes into new tensors: were they of other strides, it would write into copies.
    given = *(t.contiguous() for t in (m, mixing, rows, columns)), norm.weight, norm.bias
    *found, mean, variance = _UpdateAndNorm.apply(*given, norm.eps, only_means)  # pyright: ignore
    with torch.no_grad():
        n = m.numel() // m.shape[-1]
        norm.running_mean.lerp_(mean, norm.momentum)  # pyright: ignore
        norm.running_var.lerp_(variance * (n / (n - 1)), norm.momentum)  # pyright: ignore
        norm.num_batches_tracked.add_(1)  # pyright: ignore
    return tuple(found)


class _UpdateAndNorm(torch.autograd.Function):
    """The functions of `norm_kernel`."""

    @staticmethod
    def forward(
        ctx: Any,
        m: Tensor,
        mixing: Tensor,
        rows: Tensor,
        columns: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        only_means: bool,
    ) -> tuple[Tensor, ...]:
        x = m.new_empty(*m.shape[:3], len(weight))
        y = x.new_empty(0, 0, 0, 0) if only_means else x.new_empty(x.shape)
        means = rows.new_empty(rows.shape), columns.new_empty(columns.shape)
        moments = torch.empty_like(weight), torch.empty_like(bias)
        given = _arrays(m, mixing, rows, columns, weight, bias)
        norm_kernel.forward(*given, eps, *_arrays(x, y), _arrays(*means), _arrays(*moments))
        ctx.eps = eps
        ctx.save_for_backward(m, mixing, weight, bias, *moments, x)
        ctx.mark_non_differentiable(*moments)
        ctx.set_materialize_grads(False)
        return y, *means, *moments

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, of_y: Tensor | None, *of_means: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        m, mixing, weight, bias, *moments, x = ctx.saved_tensors
        batch, rows, columns, channels = x.shape
        of_row, of_column = (
            x.new_zeros(batch, n, channels) if grad is None else grad.contiguous() / other
            for grad, n, other in zip(of_means[:2], (rows, columns), (columns, rows), strict=True)
        )
        above = x.new_empty(0, 0, 0, 0) if of_y is None else of_y.contiguous()
        of_m = torch.empty_like(m) if ctx.needs_input_grad[0] else m.new_empty(0, 0, 0, 0)
        found = torch.empty_like(mixing), torch.empty_like(of_row), torch.empty_like(of_column)
        of_norm = torch.empty_like(weight), torch.empty_like(bias)
        of_mixing, *of_contexts = _arrays(*found)
        norm_kernel.backward(
            (*_arrays(m, mixing, weight, bias), ctx.eps),
            _arrays(*moments),
            *_arrays(x, above),
            _arrays(of_row, of_column),
            *_arrays(of_m),
            of_mixing,
            tuple(of_contexts),
            _arrays(*of_norm),
        )
        return (of_m if ctx.needs_input_grad[0] else None), *found, *of_norm, None, None


def _arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """The arrays that share memory with contiguous tensors."""
    assert all(x.is_contiguous() for x in tensors)
    return tuple(x.detach().numpy() for x in tensors)
