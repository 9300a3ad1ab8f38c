"""Batch normalisation of matrices, a ReLU and the means behind it, compiled for a CPU.

Two passes over the matrices forward and two back, where PyTorch's operations need three times as
many. A row of a matrix, its columns and their channels, is one vector; what belongs to a channel is
repeated along it, so that the loops are long and of few arrays, as compilers want them.
Both functions write into the arrays they are given. Sums are in float32 within a matrix, else in
float64.
"""

from typing import no_type_check

import numpy as np
from numba import njit

__all__ = ["backward", "forward"]

_settings = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
_jit = njit(cache=True, **_settings)
# As in fit/kernel.py: a copy that is loaded from the cache might round otherwise.
_inlined = njit(forceinline=True, **_settings)


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
    count, n = batch * rows * columns, columns * channels
    x, y = x.reshape(batch, rows, n), y.reshape(batch, rows, n)
    column_means = column_means.reshape(batch, n)
    sums, more_sums = np.empty(n, x.dtype), np.empty(n, x.dtype)
    # Squares are of distances to some entry of x, so that little cancels in the variance.
    origin = _repeat(x[0, 0, :channels], np.empty(n, x.dtype))
    total, squares = np.zeros(channels), np.zeros(channels)
    for b in range(batch):
        sums[:] = 0
        more_sums[:] = 0
        for i in range(rows):
            row = x[b, i]
            for k in range(n):
                d = row[k] - origin[k]
                sums[k] += d
                more_sums[k] += d * d
        total += _over_columns(sums, channels)
        squares += _over_columns(more_sums, channels)
    for c in range(channels):
        offset = total[c] / count
        mean[c] = origin[c] + offset
        variance[c] = max(squares[c] / count - offset * offset, 0.0)
    scale, shift = _scale_and_shift(weight, bias, eps, mean, variance)
    scales, shifts = _repeat(scale, np.empty(n, x.dtype)), _repeat(shift, np.empty(n, x.dtype))
    zero = np.zeros(1, x.dtype)[0]
    for b in range(batch):
        more_sums[:] = 0
        for i in range(rows):
            row, out = x[b, i], y[b, i]
            for k in range(n):
                out[k] = max(row[k] * scales[k] + shifts[k], zero)
            for k in range(n):
                sums[k] = out[k]
                more_sums[k] += out[k]
            row_means[b, i] = _over_columns(sums, channels) / x.dtype.type(columns)
        column_means[b] = more_sums / x.dtype.type(rows)


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
    count, n = batch * rows * columns, columns * channels
    x, of_y, of_x = (
        x.reshape(batch, rows, n),
        of_y.reshape(batch, rows, n),
        of_x.reshape(batch, rows, n),
    )
    of_columns = of_columns.reshape(batch, n)
    scale, shift = _scale_and_shift(weight, bias, eps, mean, variance)
    scales, shifts = _repeat(scale, np.empty(n, x.dtype)), _repeat(shift, np.empty(n, x.dtype))
    means, zero = _repeat(mean, np.empty(n, x.dtype)), np.zeros(1, x.dtype)[0]
    sums, more_sums, of_row = np.empty(n, x.dtype), np.empty(n, x.dtype), np.empty(n, x.dtype)
    total, moments = np.zeros(channels), np.zeros(channels)
    for b in range(batch):
        sums[:] = 0
        more_sums[:] = 0
        of_column = of_columns[b]
        for i in range(rows):
            row, given, out = x[b, i], of_y[b, i], of_x[b, i]
            _repeat(of_rows[b, i], of_row)
            for k in range(n):
                of_row[k] += given[k] + of_column[k]
            for k in range(n):
                out[k] = of_row[k] if row[k] * scales[k] + shifts[k] > zero else zero
            for k in range(n):
                sums[k] += out[k]
                more_sums[k] += out[k] * (row[k] - means[k])
        total += _over_columns(sums, channels)
        moments += _over_columns(more_sums, channels)
    slope, offset = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for c in range(channels):
        inverse = 1 / (variance[c] + eps)
        of_bias[c] = total[c]
        of_weight[c] = moments[c] * np.sqrt(inverse)
        slope[c] = -scale[c] * inverse * moments[c] / count
        offset[c] = -scale[c] * total[c] / count - slope[c] * mean[c]
    slopes, offsets = _repeat(slope, np.empty(n, x.dtype)), _repeat(offset, np.empty(n, x.dtype))
    for b in range(batch):
        for i in range(rows):
            row, out = x[b, i], of_x[b, i]
            for k in range(n):
                out[k] = out[k] * scales[k] + row[k] * slopes[k] + offsets[k]


@_inlined
@no_type_check
def _scale_and_shift(weight, bias, eps, mean, variance):
    """What the norm multiplies each channel with, and then adds."""
    scale, shift = np.empty_like(weight), np.empty_like(bias)
    for c in range(len(weight)):
        scale[c] = weight[c] / np.sqrt(variance[c] + eps)
        shift[c] = bias[c] - mean[c] * scale[c]
    return scale, shift


@_inlined
@no_type_check
def _repeat(x, out):
    """Write the vector `x` into `out` as often as it fits, and give `out`."""
    out[: len(x)] = x
    done = len(x)
    while done < len(out):  # copies of doubling length
        more = min(done, len(out) - done)
        out[done : done + more] = out[:more]
        done += more
    return out


@_inlined
@no_type_check
def _over_columns(x, channels):
    """The sum over the columns of `x`, a vector of columns and channels, which it spends."""
    columns = len(x) // channels
    while columns > 1:  # add the upper half to the lower
        half = columns // 2
        lower, upper = x[: half * channels], x[(columns - half) * channels : columns * channels]
        for k in range(half * channels):
            lower[k] += upper[k]
        columns -= half
    return x[:channels]
