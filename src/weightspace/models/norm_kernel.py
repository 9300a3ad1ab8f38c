"""An update of matrices, their batch normalisation, a ReLU and the means, compiled for a CPU.

The matrices of a batch are too large for a cache, so their time is the number of passes over them:
two forward and two back here, where PyTorch's operations need five times as many. The second
pass back knows the gradient of a row before the norm while the row lies in the cache, and turns it
into the gradients of all that the update was made of.

A row of a matrix, its columns and their channels, is one vector; what belongs to a channel is
repeated along it, so that the loops are long and of few arrays, as compilers want them.
Both functions write into the arrays they are given. Sums are in float32 within a matrix, else in
float64.
"""

from typing import Any, no_type_check

import numpy as np
from numba import njit

from weightspace.fit.blocks import LANES, ROWS, SOURCE, block

__all__ = ["LANES", "ROWS", "backward", "forward"]

_settings = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
# As in fit/kernel.py: a copy that is loaded from the cache might round otherwise.
_inlined = njit(forceinline=True, **_settings)
_f = np.float32
_ZERO = _f(0)
_add_rows, _add_row = block(ROWS), block(1, at_once=ROWS)


@_inlined
@no_type_check
def _repeat(x, out):
    """Write the vector `x` into `out` as often as it fits, and give `out`."""
    done = len(x)
    for k in range(done):
        out[k] = x[k]
    while done < len(out):  # copies of doubling length
        more = min(done, len(out) - done)
        for k in range(more):
            out[done + k] = out[k]
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


@_inlined
@no_type_check
def _scale_and_shift(weight, bias, eps, mean, variance, n):
    """What the norm multiplies each channel with; the same, and what it then adds, `n` long."""
    scale, shift = np.empty_like(weight), np.empty_like(bias)
    for c in range(len(weight)):
        scale[c] = weight[c] / np.sqrt(variance[c] + eps)
        shift[c] = bias[c] - mean[c] * scale[c]
    return scale, _repeat(scale, np.empty(n, _f)), _repeat(shift, np.empty(n, _f))


@_inlined
@no_type_check
def _times(out, o, a, p, inner, b, n, channels):
    """Add a b to the row at place `o` of `out`, which has `n` numbers, a multiple of ROWS columns.

    The row of a is at place `p` and has `inner` channels; b is `inner` x `channels`.
    """
    for v in range(0, channels, LANES):
        for j in range(0, n // channels, ROWS):
            here = o + j * channels + v
            _add_rows(
                out, here, channels, out, here, channels,
                a, p + j * inner, inner, 1, b, v, channels, b, 0, 0, inner,
            )  # fmt: skip


@_inlined
@no_type_check
def _add_outer(out, m, p, inner, d, columns, channels):
    """Add to `out`, `inner` x `channels`, the sum of m[column] d[column]^T over a row's columns.

    The row of m is at place `p`, d is its gradient; columns are a multiple of ROWS.
    """
    for v in range(0, channels, LANES):
        if inner < ROWS:
            for k in range(inner):
                here = k * channels + v
                _add_row(
                    out, here, 0, out, here, 0, m, p + k, 0, inner, d, v, channels, d, 0, 0, columns
                )  # fmt: skip
        else:
            for k in range(0, inner, ROWS):
                here = k * channels + v
                _add_rows(
                    out, here, channels, out, here, channels,
                    m, p + k, 1, inner, d, v, channels, d, 0, 0, columns,
                )  # fmt: skip


@no_type_check
def _compiled(source) -> Any:
    """Make both functions; their copies on disk are known by this file and by `source`."""

    @njit(cache=True, **_settings)
    def forward(m, mixing, row_context, column_context, weight, bias, eps, x, y, means, moments):
        """Write x = m A + r_i + c_j, y = relu(norm(x)), and the means of y.

        Args:
            m: `(batch, rows, columns, c_in)` float32, contiguous like all others; columns are a
                multiple of `ROWS`.
            mixing: A, `(c_in, c)`; c is a multiple of `LANES`, c_in below or a multiple of `ROWS`.
            row_context: r, `(batch, rows, c)`.
            column_context: c, `(batch, columns, c)`.
            weight: `(c,)`, of the norm, like bias.
            bias: see weight.
            eps: added to the variance.
            x: `(batch, rows, columns, c)`, to be written, like what follows.
            y: of the shape of x, or empty if it is not wanted.
            means: those of rows `(batch, rows, c)` and of columns `(batch, columns, c)`.
            moments: mean and variance of x, `(c,)` each, the latter divided by the entries.
        """
        _ = source  # Numba looks for a compiled copy by what the function encloses, too
        batch, rows, columns, channels = x.shape
        inner, count, n = m.shape[3], batch * rows * columns, columns * channels
        row_means, column_means = means
        mean, variance = moments
        a, b, out, wanted = m.reshape(-1), mixing.reshape(-1), x.reshape(-1), y.size > 0
        y = y.reshape(-1)
        sums, more_sums, value = np.empty(n, _f), np.empty(n, _f), np.empty(n, _f)
        origin = np.empty(n, _f)
        total, squares = np.zeros(channels), np.zeros(channels)
        for i in range(batch):
            sums[:] = 0
            more_sums[:] = 0
            column = column_context[i].reshape(-1)
            for r in range(rows):
                place = (i * rows + r) * n
                row = out[place : place + n]
                _repeat(row_context[i, r], value)
                for k in range(n):
                    row[k] = value[k] + column[k]
                _times(out, place, a, (i * rows + r) * columns * inner, inner, b, n, channels)
                if i == 0 and r == 0:
                    # Squares are of distances to about the mean, so that little cancels.
                    sums[:] = row
                    _repeat(_over_columns(sums, channels) / _f(columns), origin)
                    sums[:] = 0
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
        _, scales, shifts = _scale_and_shift(weight, bias, eps, mean, variance, n)
        for i in range(batch):
            more_sums[:] = 0
            for r in range(rows):
                place = (i * rows + r) * n
                row = out[place : place + n]
                for k in range(n):
                    value[k] = max(row[k] * scales[k] + shifts[k], _ZERO)
                for k in range(n):
                    more_sums[k] += value[k]
                if wanted:
                    kept = y[place : place + n]
                    for k in range(n):
                        kept[k] = value[k]
                _over_columns(value, channels)
                for c in range(channels):
                    row_means[i, r, c] = value[c] / columns
            column_means[i] = (more_sums / _f(rows)).reshape(columns, channels)

    @njit(cache=True, **_settings)
    def backward(given, moments, x, of_y, of_means, of_m, of_mixing, of_contexts, of_norm):
        """The gradients of what `forward` is given, from those of what it gives.

        Args:
            given: m, mixing, the norm's weight, bias and eps, as in `forward`, with its widths.
            moments: as in `forward`, read only.
            x: as in `forward`.
            of_y: of the shape of x, or empty for zeros.
            of_means: the gradients of the sums, not the means, of each row and each column of y.
            of_m: of the shape of m, or empty if it is not wanted; to be written, like what follows.
                If it is wanted, c_in is a multiple of `LANES`.
            of_mixing: of the shape of mixing.
            of_contexts: of those of row_context and column_context.
            of_norm: of those of weight and bias.
        """
        _ = source
        m, mixing, weight, bias, eps = given
        mean, variance = moments
        batch, rows, columns, channels = x.shape
        inner, count, n = m.shape[3], batch * rows * columns, columns * channels
        scale, scales, shifts = _scale_and_shift(weight, bias, eps, mean, variance, n)
        a, x, known, wanted = m.reshape(-1), x.reshape(-1), of_y.size > 0, of_m.size > 0
        of_y, of_m = of_y.reshape(-1), of_m.reshape(-1)
        turned = np.empty(mixing.size, _f)
        for k in range(inner):
            for c in range(channels):
                turned[c * inner + k] = mixing[k, c]
        means, incoming, g = _repeat(mean, np.empty(n, _f)), np.empty(n, _f), np.empty(n, _f)
        sums, more_sums = np.empty(n, _f), np.empty(n, _f)
        slopes, offsets = np.empty(n, _f), np.empty(n, _f)
        total, moment = np.zeros(channels), np.zeros(channels)
        of_a, all_of_a = np.empty(mixing.size, _f), np.zeros(mixing.size)
        # One loop for both passes: what they share, as a function, makes it 1.15 times slower.
        for second in range(2):
            for i in range(batch):
                sums[:] = 0
                more_sums[:] = 0
                of_a[:] = 0
                of_column = of_means[1][i].reshape(-1)
                for r in range(rows):
                    place = (i * rows + r) * n
                    row = x[place : place + n]
                    _repeat(of_means[0][i, r], incoming)
                    for k in range(n):
                        incoming[k] += of_column[k]
                    if known:
                        above = of_y[place : place + n]
                        for k in range(n):
                            incoming[k] += above[k]
                    for k in range(n):
                        g[k] = incoming[k] if row[k] * scales[k] + shifts[k] > _ZERO else _ZERO
                    if second:
                        for k in range(n):
                            g[k] = g[k] * scales[k] + row[k] * slopes[k] + offsets[k]
                        from_here = (i * rows + r) * columns * inner
                        _add_outer(of_a, a, from_here, inner, g, columns, channels)
                        if wanted:
                            of_m[from_here : from_here + columns * inner] = _ZERO
                            _times(of_m, from_here, g, 0, channels, turned, columns * inner, inner)
                        for k in range(n):
                            sums[k] += g[k]
                        _over_columns(g, channels)
                        for c in range(channels):
                            of_contexts[0][i, r, c] = g[c]
                    else:
                        for k in range(n):
                            sums[k] += g[k]
                            more_sums[k] += g[k] * (row[k] - means[k])
                if second:
                    of_contexts[1][i] = sums.reshape(columns, channels)
                    all_of_a += of_a
                else:
                    total += _over_columns(sums, channels)
                    moment += _over_columns(more_sums, channels)
            if not second:
                slope, offset = np.empty(channels, _f), np.empty(channels, _f)
                for c in range(channels):
                    inverse = 1 / (variance[c] + eps)
                    of_norm[0][c] = moment[c] * np.sqrt(inverse)
                    of_norm[1][c] = total[c]
                    slope[c] = -scale[c] * inverse * moment[c] / count
                    offset[c] = -scale[c] * total[c] / count - slope[c] * mean[c]
                _repeat(slope, slopes)
                _repeat(offset, offsets)
        of_mixing[:] = all_of_a.reshape(mixing.shape)

    return forward, backward


forward, backward = _compiled(SOURCE)
