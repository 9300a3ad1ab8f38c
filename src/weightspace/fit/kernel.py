"""The compiled loops of the CPU backend: forward, backward and Adam of one SIREN at a time.

One call takes a network through all of its steps, so its weights never leave the cache. The
points are cut into tiles whose activations stay there too, as matrices `(points, neurons)`.
Neurons are the vector lanes, so only the few outputs of a network need sums across lanes. The
widths of hidden layers are multiples of `LANES` and of `ROWS`: the caller pads with zero weights,
and padded neurons stay at zero, since their sines, gradients and so their Adam steps are zero.

The weights of a hidden layer are kept as (inputs, outputs), its bias below them as one row more;
those of the output layer as (outputs, inputs), its biases after them.

None of the arithmetic flags allows the compiler to assume that numbers are finite, so NaN and
infinity come through to the caller.
"""

from typing import no_type_check

import numpy as np
from numba import njit, prange
from numba.np.ufunc import get_thread_id

from weightspace.fit.blocks import LANES, ROWS, SOURCE, block, dots

__all__ = ["COLUMNS", "fit_networks", "sine_and_slope"]

COLUMNS = 4  # the coordinates of a point and a one are padded to a multiple of it

_f = np.float32
_ZERO, _ONE = _f(0), _f(1)
# 2 sin(pi f) = f (S1 + S3 f^2 + ...) to 5e-9 relative and cos(pi f) = 1 + C2 f^2 + ... to
# 3e-10 absolute on |f| <= 1/2: least maximum error, by re-weighted least squares.
_S1, _S3, _S5 = _f(2 * 3.14159264), _f(2 * -5.16770968), _f(2 * 2.55006972)
_S7, _S9 = _f(2 * -0.59824211), _f(2 * 0.07756036)
_C2, _C4, _C6 = _f(-4.93480216), _f(4.0587096), _f(-1.3352161)
_C8, _C10 = _f(0.23495392), _f(-0.02442068)

# The order of sums is free in `_jit`, which lets them be vectorised; it is kept in `_exact`. All is
# inlined: else the first process, which compiles, would run other copies of these functions than
# the next ones, which load the caller from the cache, and these copies round otherwise.
_inlined = {"forceinline": True, "error_model": "numpy"}
_jit = njit(fastmath={"contract", "reassoc", "nsz", "arcp", "afn"}, **_inlined)
_exact = njit(fastmath={"contract", "nsz"}, **_inlined)

# Blocks of many rows; with a factor; for the few coordinates; for a single row.
_add_rows, _scale_rows = block(ROWS), block(ROWS, scaled=True)
_add_columns, _add_row = block(COLUMNS, at_once=2), block(1, at_once=ROWS)


@_exact
@no_type_check
def sine_and_slope(z, slope, omega_0):
    """In place: z <- sin(omega_0 z) and slope <- omega_0 cos(omega_0 z), on flat arrays.

    With omega_0 z = 2 pi (k + f) for a whole k and |f| <= 1/2, the half angle pi f gives
    sin = 2 sin(pi f) cos(pi f) and cos = 1 - (2 sin(pi f))^2 / 2, with no case distinction.
    turns = omega_0 / (2 pi) comes in two parts, and turns z - k is one fused operation where
    the machine has it (so turns z must not be of use elsewhere): no rounding grows with |z|.
    """
    turns = _f(omega_0 / (2 * np.pi))
    turns_rest, half_turn = _f(omega_0 / (2 * np.pi) - turns), _f(np.pi / omega_0)
    omega, half_omega = _f(omega_0), _f(omega_0 / 2)
    for n in range(z.size):
        f = (turns * z[n] - np.floor(turns * (z[n] + half_turn))) + turns_rest * z[n]
        g = f * f
        s = f * (_S1 + g * (_S3 + g * (_S5 + g * (_S7 + g * _S9))))
        c = _ONE + g * (_C2 + g * (_C4 + g * (_C6 + g * (_C8 + g * _C10))))
        z[n] = s * c
        slope[n] = omega - half_omega * (s * s)


@_jit
@no_type_check
def _forward(params, net, coord, x, slopes, tile, omega_0):
    """Fill `x` with the outputs of the hidden layers and `slopes` with those of their sines."""
    inner, _, widths, starts, places, _, _ = net
    below, p, row = coord, 0, coord.size // tile
    for h in range(widths.size):
        n, weights, here = widths[h], starts[h], places[h] * tile
        for v in range(0, n, LANES):
            for r in range(0, tile, ROWS):
                _add_rows(
                    x, here + r * n + v, n, params, weights + inner * n + v, 0,
                    below, p + r * row, row, 1, params, weights + v, n, x, 0, 0, inner,
                )  # fmt: skip
        there = here + tile * n
        sine_and_slope(x[here:there], slopes[here:there], omega_0)
        below, p, row, inner = x, here, n, n


@_jit
@no_type_check
def _errors(params, net, x, target, valid, tile, output_offset, scale, delta):
    """Fill `delta` with scale (output - target), 0 in the padding; returns the squared error."""
    _, d_out, widths, starts, places, _, _ = net
    n, weights, last, total = widths[-1], starts[-2], places[-2] * tile, 0.0
    for o in range(d_out):
        for r in range(0, tile, ROWS):
            dots(delta, r * d_out + o, d_out, x, last + r * n, n, params, weights + o * n, n)
        bias, s = params[weights + d_out * n + o] + output_offset, _ZERO
        for t in range(valid):
            e = delta[t * d_out + o] + bias - target[t * d_out + o]
            s += e * e
            delta[t * d_out + o] = scale * e
        total += s
    delta[valid * d_out :] = _ZERO
    return total


@_jit
@no_type_check
def _backward(params, turned, gradient, net, coord, x, slopes, output_delta, deltas, tile):
    """Add to `gradient` what one tile gives, from the errors of the outputs down."""
    _, d_out, widths, starts, places, turns, constants = net
    n, weights, last = widths[-1], starts[-2], places[-2] * tile
    for o in range(d_out):
        for v in range(0, n, LANES):
            g = weights + o * n + v
            _add_row(
                gradient, g, 0, gradient, g, 0,
                output_delta, o, 0, d_out, x, last + v, n, x, 0, 0, tile,
            )  # fmt: skip
        s = _ZERO
        for t in range(tile):
            s += output_delta[t * d_out + o]
        gradient[weights + d_out * n + o] += s
    above, row, matrix, q = output_delta, d_out, params, weights
    for h in range(widths.size - 1, -1, -1):
        n, here, weights = widths[h], places[h] * tile, starts[h]
        delta = deltas[h % 2]
        for v in range(0, n, LANES):
            for r in range(0, tile, ROWS):
                _scale_rows(
                    delta, r * n + v, n, constants, 0, 0,
                    above, r * row, row, 1, matrix, q + v, n,
                    slopes, here + r * n + v, n, row,
                )  # fmt: skip
        if h == 0:
            break
        below, m = places[h - 1] * tile, widths[h - 1]
        for v in range(0, n, LANES):
            for r in range(0, m, ROWS):
                g = weights + r * n + v
                _add_rows(
                    gradient, g, n, gradient, g, n,
                    x, below + r, 1, m, delta, v, n, x, 0, 0, tile,
                )  # fmt: skip
            g = weights + m * n + v
            _add_row(
                gradient, g, 0, gradient, g, 0,
                constants, LANES, 0, 0, delta, v, n, x, 0, 0, tile,
            )  # fmt: skip
        above, row, matrix, q = delta, n, turned, turns[h]
    columns = coord.size // tile
    for v in range(0, widths[0], LANES):
        for r in range(0, columns, COLUMNS):
            g = r * widths[0] + v
            _add_columns(
                gradient, g, widths[0], gradient, g, widths[0],
                coord, r, 1, columns, deltas[0], v, widths[0], x, 0, 0, tile,
            )  # fmt: skip


@_jit
@no_type_check
def _turn(params, net, turned):
    """Fill `turned` with the weights between hidden layers as (outputs, inputs)."""
    _, _, widths, starts, _, turns, _ = net
    for h in range(1, widths.size):
        m, n = widths[h - 1], widths[h]
        for o in range(n):
            for i in range(m):
                turned[turns[h] + o * m + i] = params[starts[h] + i * n + o]


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
def _fit_one(params, net, coords, targets, points, tile, scratch, siren, adam, target_mse):
    """Fit one network in place, each step on the next slice; returns the steps taken."""
    omega_0, output_offset = siren
    rates, beta_1, beta_2, eps = adam
    _, d_out, widths, _, places, _, _ = net
    neurons = places[-1] * tile
    x, slopes, rest = scratch[:neurons], scratch[neurons : 2 * neurons], scratch[2 * neurons :]
    widest = widths.max() * tile
    deltas = (rest[:widest], rest[widest : 2 * widest])
    output_delta = rest[2 * widest : 2 * widest + d_out * tile]
    turned = rest[2 * widest + d_out * tile :]
    moments = np.zeros((3, params.size), np.float32)
    gradient, mean, square = moments[0], moments[1], moments[2]
    slices, tiles = coords.shape[0], coords.shape[1]
    values = points * d_out
    for t in range(rates.size):
        coord, target = coords[t % slices], targets[t % slices]
        gradient[:] = _ZERO
        _turn(params, net, turned)
        loss = 0.0
        for k in range(tiles):
            valid = min(tile, points - k * tile)
            _forward(params, net, coord[k], x, slopes, tile, omega_0)
            loss += _errors(
                params, net, x, target[k], valid, tile,
                _f(output_offset), _f(2 / values), output_delta,
            )  # fmt: skip
            _backward(
                params, turned, gradient, net, coord[k], x, slopes, output_delta, deltas, tile
            )
        if loss / values <= target_mse:
            return t
        _adam(params, gradient, mean, square, t + 1, rates[t], beta_1, beta_2, eps)
    return rates.size


@no_type_check
def _compiled(source):
    """Make `fit_networks`; its copy on disk is known by this file and by `source`."""

    @njit(cache=True, parallel=True, error_model="numpy")
    def fit_networks(
        params, net, coords, sets, targets, points, tile, scratch, siren, adam, target_mse, taken
    ):
        """Fit every network to its signal, in parallel; `params` and `taken` are written.

        Args:
            params: `(batch, parameters)` float32, laid out as the head of this file says.
            net: d_in; d_out; the widths of the hidden layers, multiples of both; where the
                parameters of each layer start, and their end; where the neurons of each hidden
                layer start, and their end; where the turned weights of each hidden layer start,
                and their end; LANES zeros and a one.
            coords: `(sets, slices, tiles, tile * columns)`: the coordinates of each point, a
                one, and zeros up to a multiple of `COLUMNS`; all zero in the padding.
            sets: `(batch,)` int64, which set of coords each network has.
            targets: `(batch, slices, tiles, tile * d_out)`.
            points: the true number of points in a slice.
            tile: the points of a tile, a multiple of `ROWS`.
            scratch: `(threads, numbers)`, a part per thread: for the points of a tile all neurons
                and their slopes, the widest layer twice, and the outputs; then the turned weights.
            siren: (omega_0, output_offset).
            adam: (rates, beta_1, beta_2, eps) with the learning rate of each step, `(steps,)`.
            target_mse: a network at or below it stops; a negative number for never.
            taken: `(batch,)` int64, receives the number of steps.
        """
        _ = source  # Numba looks for a compiled copy by what the function encloses, too
        for n in prange(params.shape[0]):
            taken[n] = _fit_one(
                params[n],
                net,
                coords[sets[n]],
                targets[n],
                points,
                tile,
                scratch[get_thread_id()],
                siren,
                adam,
                target_mse,
            )

    return fit_networks


fit_networks = _compiled(SOURCE)
