"""Batch normalisation of the features inside an equivariant model."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from weightspace.models import norm_kernel
from weightspace.models.folding import Channels, Folded

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

    def forward(self, x: Folded) -> Folded:
        """Return the normalised features, after a ReLU."""
        vectors = tuple(_norm(f, v) for f, v in zip(self.vectors, x.vectors, strict=True))
        scalars = _norm(self.scalars, x.scalars)
        pairs = [*zip(self.matrices, x.matrices, strict=True)]
        if pairs and all(_compiled(norm, m) for norm, m in pairs):
            found = [_norm_and_mean(norm, m) for norm, m in pairs]
            means = tuple((rows, columns) for _, rows, columns in found)
            return Folded(tuple(m for m, _, _ in found), vectors, scalars, means)
        return Folded(tuple(_norm(f, m) for f, m in pairs), vectors, scalars)


def _norm(norm: nn.Module, x: Tensor) -> Tensor:
    flat = x.reshape(-1, x.shape[-1])  # (batch and neurons, channels)
    return norm(flat).relu().view(x.shape)


def _compiled(norm: nn.Module, x: Tensor) -> bool:
    """Whether the kernel for CPUs does it: in training, but not while norms are calibrated."""
    assert isinstance(norm, nn.BatchNorm1d)
    inside_vmap = torch._C._functorch.is_batchedtensor(x)  # pyright: ignore
    exact = x.dtype == norm.weight.dtype and x.device.type == "cpu" and not inside_vmap
    return exact and norm.training and norm.momentum is not None and x.numel() > x.shape[-1]


def _norm_and_mean(norm: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What `_norm` gives in training, and the means of its rows and of its columns."""
    assert isinstance(norm, nn.BatchNorm1d)
    *found, mean, variance = _NormAndMean.apply(x.contiguous(), norm.weight, norm.bias, norm.eps)  # pyright: ignore
    with torch.no_grad():
        n = x.numel() // x.shape[-1]
        norm.running_mean.lerp_(mean, norm.momentum)  # pyright: ignore
        norm.running_var.lerp_(variance * (n / (n - 1)), norm.momentum)  # pyright: ignore
        norm.num_batches_tracked.add_(1)  # pyright: ignore
    return tuple(found)


class _NormAndMean(torch.autograd.Function):
    """The functions of `norm_kernel`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        y, mean, variance = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
        rows, columns = x.new_empty(x[:, :, 0].shape), x.new_empty(x[:, 0].shape)
        found = y, rows, columns, mean, variance
        norm_kernel.forward(*_arrays(x, weight, bias), eps, *_arrays(*found))  # pyright: ignore
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, bias, ctx.eps = inputs
        ctx.mark_non_differentiable(*output[3:])
        ctx.save_for_backward(x, weight, bias, *output[3:])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, of_y: Tensor, of_rows: Tensor, of_columns: Tensor, *_: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, variance = ctx.saved_tensors
        given = _arrays(x, weight, bias)
        sums = of_rows / x.shape[2], of_columns / x.shape[1]
        found = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(bias)
        incoming = _arrays(mean, variance, of_y, *sums)
        norm_kernel.backward(*given, ctx.eps, *incoming, *_arrays(*found))  # pyright: ignore
        return *found, None


def _arrays(*tensors: Tensor) -> tuple[Any, ...]:
    return tuple(x.detach().contiguous().numpy() for x in tensors)
