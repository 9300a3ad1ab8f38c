"""The compiled loops of the CPU backend: forward, backward and Adam of one SIREN at a time.

One call takes a network through all of its steps, so its weights never leave the cache.
Points are the vector lanes: every array of activations is `(neurons, tile)`, `tile` points
of one signal, and the loops over points are those the compiler turns into vector code. The
sums over neurons are cut into blocks of 4 x 4, which live in registers; so every width here
is a multiple of 4, and the caller pads with zero weights. Padded neurons stay at zero: their
sine, their gradients and therefore their Adam steps are zero.

Everything compiled stays in this file, because the on-disk cache notices edits of the file
of the called function only. None of the arithmetic flags allows the compiler to assume that
numbers are finite, so NaN and infinity come through to the caller.
"""

from typing import no_type_check

import numpy as np
from numba import njit, prange
from numba.np.ufunc import get_thread_id

__all__ = ["BLOCK", "fit_networks", "sine_and_slope"]

BLOCK = 4  # the widths must be multiples of it
WEIGHT, BIAS, NEURON = 0, 1, 2  # the rows of `starts`

_f = np.float32
_ZERO, _ONE, _TWO = _f(0), _f(1), _f(2)
# sin(pi f) = f (S1 + S3 f^2 + ...) to 5e-9 relative and cos(pi f) = 1 + C2 f^2 + ... to
# 3e-10 absolute on |f| <= 1/2: least maximum error, by re-weighted least squares.
_S1, _S3, _S5 = _f(3.14159264), _f(-5.16770968), _f(2.55006972)
_S7, _S9 = _f(-0.59824211), _f(0.07756036)
_C2, _C4, _C6 = _f(-4.93480216), _f(4.0587096), _f(-1.3352161)
_C8, _C10 = _f(0.23495392), _f(-0.02442068)

# The order of sums is free in `_jit`, which lets them be vectorised; it is kept in `_exact`. All is
# inlined: else the first process, which compiles, would run other copies of these functions than
# the next ones, which load the caller from the cache, and these copies round otherwise.
_inlined = {"forceinline": True, "error_model": "numpy"}
_jit = njit(fastmath={"contract", "reassoc", "nsz", "arcp", "afn"}, **_inlined)
_exact = njit(fastmath={"contract", "nsz"}, **_inlined)


@_exact
@no_type_check
def sine_and_slope(z, slope, omega_0):
    """In place: z <- sin(omega_0 z) and slope <- omega_0 cos(omega_0 z).

    With omega_0 z = 2 pi (k + f) for a whole k and |f| <= 1/2, the half angle pi f gives
    sin = 2 sin(pi f) cos(pi f) and cos = cos(pi f)^2 - sin(pi f)^2, with no case distinction.
    turns = omega_0 / (2 pi) comes in two parts, and turns z - k is one fused operation where
    the machine has it, so that no rounding grows with |z|.
    """
    turns = _f(omega_0 / (2 * np.pi))
    half_turn = _f(np.pi / omega_0)
    turns_rest = _f(omega_0 / (2 * np.pi) - turns)
    omega = _f(omega_0)
    for o in range(z.shape[0]):
        for t in range(z.shape[1]):
            k = np.floor(turns * (z[o, t] + half_turn))
            f = (turns * z[o, t] - k) + turns_rest * z[o, t]
            g = f * f
            s = f * (_S1 + g * (_S3 + g * (_S5 + g * (_S7 + g * _S9))))
            c = _ONE + g * (_C2 + g * (_C4 + g * (_C6 + g * (_C8 + g * _C10))))
            z[o, t] = _TWO * s * c
            slope[o, t] = omega * (c * c - s * s)


@_jit
@no_type_check
def _add_product(out, a, x):
    """out[o, t] += sum_i a[o, i] x[i, t]."""
    for o in range(0, out.shape[0], BLOCK):
        r0, r1, r2, r3 = out[o], out[o + 1], out[o + 2], out[o + 3]
        for i in range(0, x.shape[0], BLOCK):
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            a00, a01, a02, a03 = a[o, i], a[o, i + 1], a[o, i + 2], a[o, i + 3]
            a10, a11, a12, a13 = a[o + 1, i], a[o + 1, i + 1], a[o + 1, i + 2], a[o + 1, i + 3]
            a20, a21, a22, a23 = a[o + 2, i], a[o + 2, i + 1], a[o + 2, i + 2], a[o + 2, i + 3]
            a30, a31, a32, a33 = a[o + 3, i], a[o + 3, i + 1], a[o + 3, i + 2], a[o + 3, i + 3]
            for t in range(out.shape[1]):
                y0, y1, y2, y3 = x0[t], x1[t], x2[t], x3[t]
                r0[t] += a00 * y0 + a01 * y1 + a02 * y2 + a03 * y3
                r1[t] += a10 * y0 + a11 * y1 + a12 * y2 + a13 * y3
                r2[t] += a20 * y0 + a21 * y1 + a22 * y2 + a23 * y3
                r3[t] += a30 * y0 + a31 * y1 + a32 * y2 + a33 * y3


@_jit
@no_type_check
def _add_outer(gradient, delta, x):
    """gradient[o, i] += sum_t delta[o, t] x[i, t]."""
    for o in range(0, delta.shape[0], BLOCK):
        d0, d1, d2, d3 = delta[o], delta[o + 1], delta[o + 2], delta[o + 3]
        for i in range(0, x.shape[0], BLOCK):
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = _ZERO
            s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = _ZERO
            for t in range(delta.shape[1]):
                y0, y1, y2, y3 = x0[t], x1[t], x2[t], x3[t]
                e0, e1, e2, e3 = d0[t], d1[t], d2[t], d3[t]
                s00, s01, s02, s03 = s00 + e0 * y0, s01 + e0 * y1, s02 + e0 * y2, s03 + e0 * y3
                s10, s11, s12, s13 = s10 + e1 * y0, s11 + e1 * y1, s12 + e1 * y2, s13 + e1 * y3
                s20, s21, s22, s23 = s20 + e2 * y0, s21 + e2 * y1, s22 + e2 * y2, s23 + e2 * y3
                s30, s31, s32, s33 = s30 + e3 * y0, s31 + e3 * y1, s32 + e3 * y2, s33 + e3 * y3
            _add_four(gradient[o], i, s00, s01, s02, s03)
            _add_four(gradient[o + 1], i, s10, s11, s12, s13)
            _add_four(gradient[o + 2], i, s20, s21, s22, s23)
            _add_four(gradient[o + 3], i, s30, s31, s32, s33)


@_jit
@no_type_check
def _add_four(row, i, a, b, c, d):
    """Add four numbers to `row` from place i on."""
    row[i] += a
    row[i + 1] += b
    row[i + 2] += c
    row[i + 3] += d


@_jit
@no_type_check
def _add_row_sums(sums, x):
    """sums[o] += sum_t x[o, t]."""
    for o in range(x.shape[0]):
        s = _ZERO
        for t in range(x.shape[1]):
            s += x[o, t]
        sums[o] += s


@_jit
@no_type_check
def _weight(flat, layout, starts, l):
    """The weight matrix of layer l inside a flat vector of parameters."""
    matrix = flat[starts[WEIGHT, l] : starts[WEIGHT, l + 1]]
    return matrix.reshape(layout[l + 1], layout[l])


@_jit
@no_type_check
def _rows(array, layout, starts, row, l):
    """The rows of `array`, one per neuron, that belong to the outputs of layer l."""
    return array[starts[row, l] : starts[row, l] + layout[l + 1]]


@_jit
@no_type_check
def _forward(params, layout, starts, coords, x, slopes, omega_0):
    """Fill `x` with the outputs of all layers and `slopes` with those of the sines."""
    below = coords
    for l in range(layout.size - 1):
        bias = _rows(params, layout, starts, BIAS, l)
        z = _rows(x, layout, starts, NEURON, l)
        for o in range(z.shape[0]):
            z[o, :] = bias[o]
        _add_product(z, _weight(params, layout, starts, l), below)
        if l < layout.size - 2:
            sine_and_slope(z, _rows(slopes, layout, starts, NEURON, l), omega_0)
        below = z
    return below


@_jit
@no_type_check
def _output_delta(outputs, target, valid, output_offset, scale, delta):
    """Fill `delta` with scale (output - target), 0 in the padding; returns the squared error."""
    total = 0.0
    delta[:] = _ZERO
    for o in range(target.shape[0]):
        s = _ZERO
        for t in range(valid):
            e = outputs[o, t] + output_offset - target[o, t]
            s += e * e
            delta[o, t] = scale * e
        total += s
    return total


@_jit
@no_type_check
def _backward(params, gradient, layout, starts, coords, x, slopes, deltas):
    """Add to `gradient` what one tile gives; `deltas[0]` holds the error of the outputs."""
    delta, spare = deltas[0], deltas[1]
    for l in range(layout.size - 2, -1, -1):
        above = delta[: layout[l + 1]]
        below = _rows(x, layout, starts, NEURON, l - 1) if l > 0 else coords
        _add_outer(_weight(gradient, layout, starts, l), above, below)
        _add_row_sums(_rows(gradient, layout, starts, BIAS, l), above)
        if l > 0:
            slope = _rows(slopes, layout, starts, NEURON, l - 1)
            result = spare[: layout[l]]
            result[:] = _ZERO
            _add_product(result, _weight(params, layout, starts, l).T, above)
            for i in range(result.shape[0]):
                for t in range(result.shape[1]):
                    result[i, t] *= slope[i, t]
            delta, spare = spare, delta


@_jit
@no_type_check
def _adam(params, gradient, mean, square, t, lr, beta_1, beta_2, eps):
    """Step t = 1, 2, ... of Adam on flat vectors, in place."""
    rate, root = _f(lr / (1 - beta_1**t)), _f(1 / np.sqrt(1 - beta_2**t))
    keep_1, keep_2, add_1, add_2 = _f(beta_1), _f(beta_2), _f(1 - beta_1), _f(1 - beta_2)
    small = _f(eps)
    for i in range(params.size):
        mean[i] = keep_1 * mean[i] + add_1 * gradient[i]
        square[i] = keep_2 * square[i] + add_2 * gradient[i] * gradient[i]
        params[i] -= rate * mean[i] / (np.sqrt(square[i]) * root + small)


@_jit
@no_type_check
def _fit_one(params, layout, starts, coords, targets, points, scratch, siren, adam, target_mse):
    """Fit one network in place, each step on the next slice; returns the steps taken."""
    omega_0, output_offset = siren
    rates, beta_1, beta_2, eps = adam
    steps = rates.size
    neurons, width = starts[NEURON, -1], layout.max()
    x, slopes = scratch[:neurons], scratch[neurons : 2 * neurons]
    deltas = scratch[2 * neurons :].reshape(2, width, scratch.shape[1])
    moments = np.zeros((3, params.size), np.float32)
    gradient, mean, square = moments[0], moments[1], moments[2]
    slices, tiles, tile = coords.shape[0], coords.shape[1], coords.shape[3]
    values = points * targets.shape[2]
    for t in range(steps):
        coord, target = coords[t % slices], targets[t % slices]
        gradient[:] = _ZERO
        loss = 0.0
        for k in range(tiles):
            valid = min(tile, points - k * tile)
            outputs = _forward(params, layout, starts, coord[k], x, slopes, omega_0)
            delta = deltas[0, : layout[-1]]
            loss += _output_delta(
                outputs, target[k], valid, _f(output_offset), _f(2 / values), delta
            )
            _backward(params, gradient, layout, starts, coord[k], x, slopes, deltas)
        if loss / values <= target_mse:
            return t
        _adam(params, gradient, mean, square, t + 1, rates[t], beta_1, beta_2, eps)
    return steps


@njit(cache=True, parallel=True, error_model="numpy")
@no_type_check
def fit_networks(
    params, layout, starts, coords, sets, targets, points, scratch, siren, adam, target_mse, taken
):
    """Fit every network to its signal, in parallel; `params` and `taken` are written.

    Args:
        params: `(batch, parameters)` float32, all weights, then all biases, in layer order.
        layout: the widths, multiples of `BLOCK`.
        starts: `(3, layers + 1)`: where each layer starts in a row of `params` (its weights,
            its biases) and among the neurons.
        coords: `(sets, slices, tiles, d_in, tile)`, zero in the padding.
        sets: `(batch,)` int64, which set of coords each network has.
        targets: `(batch, slices, tiles, d_out, tile)` with the true d_out.
        points: the true number of points in a slice.
        scratch: `(threads, 2 (neurons + widest), tile)`, one part per thread.
        siren: (omega_0, output_offset).
        adam: (rates, beta_1, beta_2, eps) with the learning rate of each step, `(steps,)`.
        target_mse: a network at or below it stops; a negative number for never.
        taken: `(batch,)` int64, receives the number of steps.
    """
    for n in prange(params.shape[0]):
        taken[n] = _fit_one(
            params[n],
            layout,
            starts,
            coords[sets[n]],
            targets[n],
            points,
            scratch[get_thread_id()],
            siren,
            adam,
            target_mse,
        )
