"""Batch normalisation of matrices, a ReLU and the means behind it, compiled for a CPU.

Two passes over the matrices forward and two back, where PyTorch's operations need three times as
many. Both functions write into the arrays they are given. Sums are in float32 along a row of a
matrix, else in float64.
"""

from typing import no_type_check

import numpy as np
from numba import njit

__all__ = ["backward", "forward"]

_jit = njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"})


@_jit
@no_type_check
def forward(x, weight, bias, eps, y, row_means, column_means, mean, variance):
    """Write y = relu((x - mean) / sqrt(variance + eps) * weight + bias), and the means of y.

    Args:
        x: `(batch, rows, columns, c)`, contiguous like all others.
        weight: `(c,)`.
        bias: `(c,)`.
        eps: added to the variance.
        y: of the shape of x, to be written, like what follows.
        row_means: `(batch, rows, c)`.
        column_means: `(batch, columns, c)`.
        mean: `(c,)`, of x.
        variance: `(c,)`, of x, divided by the number of its entries.
    """
    batch, rows, columns, channels = x.shape
    count = batch * rows * columns
    part = np.empty(channels, x.dtype)
    for moment, found in enumerate((mean, variance)):
        total = np.zeros(channels)
        for b in range(batch):
            for i in range(rows):
                part[:] = 0
                for j in range(columns):
                    for c in range(channels):
                        d = x[b, i, j, c] - mean[c] if moment else x[b, i, j, c]
                        part[c] += d * d if moment else d
                for c in range(channels):
                    total[c] += part[c]
        for c in range(channels):
            found[c] = total[c] / count
    scale, shift = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for c in range(channels):
        scale[c] = weight[c] / np.sqrt(variance[c] + eps)
        shift[c] = bias[c] - mean[c] * scale[c]
    zero = np.zeros(1, x.dtype)[0]
    for b in range(batch):
        column_means[b] = 0
        for i in range(rows):
            part[:] = 0
            for j in range(columns):
                for c in range(channels):
                    v = max(x[b, i, j, c] * scale[c] + shift[c], zero)
                    y[b, i, j, c] = v
                    part[c] += v
                    column_means[b, j, c] += v
            for c in range(channels):
                row_means[b, i, c] = part[c] / columns
        for j in range(columns):
            for c in range(channels):
                column_means[b, j, c] /= rows


@_jit
@no_type_check
def backward(
    x, weight, bias, eps, mean, variance, of_y, of_rows, of_columns, of_x, of_weight, of_bias
):
    """The gradients of x, weight and bias, from those of what `forward` gives.

    Args:
        x: as in `forward`, like all up to variance.
        weight: see x.
        bias: see x.
        eps: see x.
        mean: see x.
        variance: see x.
        of_y: of the shape of x.
        of_rows: the gradient of the sum, not the mean, of each row of y.
        of_columns: likewise of each column.
        of_x: of the shape of x, to be written, like what follows.
        of_weight: `(c,)`.
        of_bias: `(c,)`.
    """
    batch, rows, columns, channels = x.shape
    count = batch * rows * columns
    scale, shift = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for c in range(channels):
        scale[c] = weight[c] / np.sqrt(variance[c] + eps)
        shift[c] = bias[c] - mean[c] * scale[c]
    zero = np.zeros(1, x.dtype)[0]
    sums, moments = np.zeros(channels), np.zeros(channels)
    part, part_moment = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for b in range(batch):
        for i in range(rows):
            part[:] = 0
            part_moment[:] = 0
            for j in range(columns):
                for c in range(channels):
                    g = of_y[b, i, j, c] + of_rows[b, i, c] + of_columns[b, j, c]
                    g = g if x[b, i, j, c] * scale[c] + shift[c] > zero else zero
                    of_x[b, i, j, c] = g
                    part[c] += g
                    part_moment[c] += g * (x[b, i, j, c] - mean[c])
            for c in range(channels):
                sums[c] += part[c]
                moments[c] += part_moment[c]
    slope, offset = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for c in range(channels):
        inverse = 1 / (variance[c] + eps)
        of_bias[c] = sums[c]
        of_weight[c] = moments[c] * np.sqrt(inverse)
        slope[c] = -scale[c] * inverse * moments[c] / count
        offset[c] = -scale[c] * sums[c] / count - slope[c] * mean[c]
    for b in range(batch):
        for i in range(rows):
            for j in range(columns):
                for c in range(channels):
                    of_x[b, i, j, c] = (
                        of_x[b, i, j, c] * scale[c] + x[b, i, j, c] * slope[c] + offset[c]
                    )
