"""The compiled loops of weight matching: one pair of networks goes through all sweeps at once.

The assignments are solved by shortest augmenting paths in whole numbers: similarities are
rounded to some 50 bits (47 at 200 neurons) below the largest that could occur. So sums are
exact and nothing goes wrong for rounding. The low bits of a cost hold its column: the least of
a row, found in vector registers without case distinctions, says where it stands too. The
prices of the columns at the end of one sweep are where the next begins.

Everything compiled stays in this file and is inlined into `match_pairs`, for the on-disk cache
(`weightspace.fit.kernel` says why).

Reference: Jonker and Volgenant 1987, A shortest augmenting path algorithm for dense and sparse
    linear assignment problems.
"""

from typing import no_type_check

import numpy as np
from numba import njit, prange

__all__ = ["ROUNDING", "match_pairs"]

# A gain below this share of the objective is rounding, and following it could go in circles.
ROUNDING = 1e-12

BLOCK = 4  # similarities are summed in blocks of 4 x 4, which live in registers
LANES = 8  # rows of costs are whole vectors of 64-bit numbers
COST_BITS = 55  # of a cost with its column; sums along paths and prices need some more
NOBODY = 2**62  # a cost that nobody pays
UNKNOWN = -NOBODY  # a price to be set
DRIFTED = -(2**58)  # prices below it are not used again, so that sums stay below NOBODY
DONE = -(2**63)  # the sign bit: of a distance that is known for good

_jit = njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, forceinline=True, error_model="numpy")


@_jit
@no_type_check
def _up(n, block):
    """The least multiple of `block` that is not below n."""
    return (n + block - 1) // block * block


@_jit
@no_type_check
def _column_bits(wide):
    """How many bits hold a column."""
    bits = 0
    while (1 << bits) < wide:
        bits += 1
    return bits


@_jit
@no_type_check
def _fill_costs(cost, similarity, signed, bound):
    """Whole numbers that fall with the (absolute) similarity, each with its column below."""
    n, wide = cost.shape
    bits = _column_bits(wide)
    scale = min((1 << (COST_BITS - bits)) / bound, 1e300) if bound > 0 else 0.0
    for i in range(n):
        row, gains = cost[i], similarity[i]
        for j in range(n):
            gain = abs(gains[j]) if signed else gains[j]
            row[j] = (np.int64(np.rint(-scale * gain)) << bits) + j
        for j in range(n, wide):
            row[j] = NOBODY


@_jit
@no_type_check
def _augment(cost, prices, owner, row, paths, columns):
    """Give `row` a column: along the shortest path to one without owner, and adapt the prices.

    The loop over columns writes what the next step reads as whole vectors, never one number:
    reading a vector just after a number in it was written stalls.
    """
    distance, before = paths
    costs = cost[row]
    least = NOBODY
    for j in range(distance.size):
        least = min(least, costs[j] - prices[j])
    at = least & columns
    if owner[at] < 0:
        owner[at] = row
        return
    start = least & ~columns
    least -= start
    for j in range(distance.size):
        distance[j] = costs[j] - prices[j] - start
        before[j] = -1
    while owner[at] >= 0:
        costs = cost[owner[at]]
        done, shift = least, costs[at] - prices[at] - least
        least = NOBODY
        for j in range(distance.size):
            through = costs[j] - prices[j] - shift
            before[j] = at if through < distance[j] else before[j]
            nearest = min(distance[j], through)
            nearest = nearest ^ DONE if nearest == done else nearest
            distance[j] = nearest
            least = min(least, nearest ^ DONE)  # those that are done come last
        least ^= DONE
        at = least & columns
    for j in range(distance.size):
        prices[j] += min((distance[j] & ~DONE & ~columns) - (least & ~columns), 0)
    while before[at] >= 0:
        owner[at] = owner[before[at]]
        at = before[at]
    owner[at] = row


@_jit
@no_type_check
def _start_prices(cost, prices, bits):
    """Set each price to the mean of its column, from where paths are half as long as from 0."""
    n, wide = cost.shape
    prices[:] = 0
    for i in range(n):
        row = cost[i]
        for j in range(wide):
            prices[j] += row[j] >> bits
    for j in range(n):
        prices[j] = (prices[j] // n) << bits
    prices[n:] = 0


@_jit
@no_type_check
def _assign(cost, prices, owner, paths):
    """Fill `owner` with the row of each column, at the least total cost.

    `prices` hold those of a similar problem, or UNKNOWN; they are adapted.
    """
    n, wide = cost.shape
    bits = _column_bits(wide)
    if prices.min() < DRIFTED:
        _start_prices(cost, prices, bits)
    owner[:] = -1
    for row in range(n):
        _augment(cost, prices, owner, row, paths, (1 << bits) - 1)


@_jit
@no_type_check
def _weight(net, layout, starts, l):
    """The weight matrix of layer l inside a flat network."""
    start = starts[0, l]
    return net[start : start + layout[l + 1] * layout[l]].reshape(layout[l + 1], layout[l])


@_jit
@no_type_check
def _fill_neurons(columns, net, layout, starts, l, order, flip):
    """Each neuron of layer l as a column: incoming, bias, outgoing, zeros; neighbours moved."""
    incoming, outgoing = _weight(net, layout, starts, l - 1), _weight(net, layout, starts, l)
    n, d = incoming.shape
    columns[:] = 0.0
    for j in range(n):
        for k in range(d):
            columns[k, j] = flip[l - 1, k] * incoming[j, order[l - 1, k]]
        columns[d, j] = net[starts[1, l - 1] + j]
    for k in range(outgoing.shape[0]):
        row, sign = outgoing[order[l + 1, k]], flip[l + 1, k]
        for j in range(n):
            columns[d + 1 + k, j] = sign * row[j]


@_jit
@no_type_check
def _product(out, a, x):
    """Fill `out` with a^T x; all sizes are multiples of BLOCK."""
    for o in range(0, out.shape[0], BLOCK):
        r0, r1, r2, r3 = out[o], out[o + 1], out[o + 2], out[o + 3]
        out[o : o + BLOCK] = 0.0
        for i in range(0, x.shape[0], BLOCK):
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            a0, a1, a2, a3 = a[i, o:], a[i + 1, o:], a[i + 2, o:], a[i + 3, o:]
            a00, a01, a02, a03 = a0[0], a1[0], a2[0], a3[0]
            a10, a11, a12, a13 = a0[1], a1[1], a2[1], a3[1]
            a20, a21, a22, a23 = a0[2], a1[2], a2[2], a3[2]
            a30, a31, a32, a33 = a0[3], a1[3], a2[3], a3[3]
            for t in range(out.shape[1]):
                y0, y1, y2, y3 = x0[t], x1[t], x2[t], x3[t]
                r0[t] += a00 * y0 + a01 * y1 + a02 * y2 + a03 * y3
                r1[t] += a10 * y0 + a11 * y1 + a12 * y2 + a13 * y3
                r2[t] += a20 * y0 + a21 * y1 + a22 * y2 + a23 * y3
                r3[t] += a30 * y0 + a31 * y1 + a32 * y2 + a33 * y3


@_jit
@no_type_check
def _largest_norm(x):
    """The largest norm of a column."""
    sums = np.zeros(x.shape[1])
    for k in range(x.shape[0]):
        for j in range(x.shape[1]):
            sums[j] += x[k, j] * x[k, j]
    return np.sqrt(sums.max())


@_jit
@no_type_check
def _take(similarity, owner, order, flip, signed):
    """Put the assignment into `order` and `flip` if it is better than these; says whether."""
    n = owner.size
    gain = now = 0.0
    for i in range(n):
        x = similarity[i, order[i]] * flip[i]
        gain -= x
        now += abs(x)
    for j in range(n):
        x = similarity[owner[j], j]
        gain += abs(x) if signed else x
    if not gain > ROUNDING * now:
        return False
    for j in range(n):
        i = owner[j]
        order[i] = j
        flip[i] = -1.0 if signed and similarity[i, j] < 0 else 1.0
    return True


@_jit
@no_type_check
def _matrix(flat, rows, columns):
    """The start of a flat array as a matrix."""
    return flat[: rows * columns].reshape(rows, columns)


@_jit
@no_type_check
def _match_one(a, b, layout, starts, signed, sweeps, order, flip):
    """Match one pair; `order` and `flip` have a row per layer of neurons, inputs first."""
    last, widest = layout.size - 1, layout.max()
    wide, deep = _up(widest, LANES), _up(2 * widest + 1, BLOCK)
    fixed, moved = np.empty((last, deep * wide)), np.empty(deep * wide)
    similarity, cost = np.empty(wide * wide), np.empty(widest * wide, np.int64)
    prices, owner = np.full((last, wide), UNKNOWN), np.empty(widest, np.int64)
    distance, before = np.empty(wide, np.int64), np.empty(wide, np.int64)
    stale = np.zeros(last + 1, np.bool_)  # to be solved (again)
    for l in range(last + 1):
        stale[l] = 0 < l < last
        for k in range(widest):
            order[l, k], flip[l, k] = k, 1.0
    for l in range(1, last):
        columns = _matrix(fixed[l], deep, _up(layout[l], LANES))
        _fill_neurons(columns, a, layout, starts, l, order, flip)
    for _ in range(sweeps):
        for l in range(1, last):
            if not stale[l]:
                continue
            stale[l] = False
            n, t = layout[l], _up(layout[l], LANES)
            d = _up(layout[l - 1] + 1 + layout[l + 1], BLOCK)
            columns = _matrix(moved, d, t)
            _fill_neurons(columns, b, layout, starts, l, order, flip)
            stay, gains = _matrix(fixed[l], d, t), _matrix(similarity, t, t)
            _product(gains, stay, columns)
            costs, paths = _matrix(cost, n, t), (distance[:t], before[:t])
            _fill_costs(costs, gains, signed, _largest_norm(stay) * _largest_norm(columns))
            _assign(costs, prices[l, :t], owner[:n], paths)
            if _take(gains, owner[:n], order[l], flip[l], signed):
                stale[l - 1], stale[l + 1] = l > 1, l < last - 1
        if not stale.any():
            break


@_jit
@no_type_check
def _sum_of_squares(x):
    """Finite if and only if all of x is, but for numbers near the end of the range."""
    s = 0.0
    for k in range(x.size):
        s += np.float64(x[k]) * np.float64(x[k])
    return s


@njit(cache=True, parallel=True, error_model="numpy")
@no_type_check
def match_pairs(a, b, layout, starts, signed, sweeps, orders, flips, squares):
    """Match every pair, in parallel; `orders`, `flips` and `squares` are written.

    Args:
        a: `(batch, parameters)`, networks to be matched to: all weights, then all biases.
        b: the networks to move, likewise.
        layout: the widths.
        starts: `(2, layers)`: where the weights and the biases of each layer start.
        signed: whether to search over signs too.
        sweeps: the most passes over the hidden layers.
        orders: `(batch, layers + 1, widest)` int64, receives which neuron of b comes to each
            place, for each layer of neurons, inputs and outputs included.
        flips: the same shape, float64, receives the signs in the new order.
        squares: `(batch, 2)` float64, receives the squared norms; a pair that has one which is
            not finite is left out.
    """
    for n in prange(a.shape[0]):
        squares[n, 0], squares[n, 1] = _sum_of_squares(a[n]), _sum_of_squares(b[n])
        if np.isfinite(squares[n, 0]) and np.isfinite(squares[n, 1]):
            _match_one(a[n], b[n], layout, starts, signed, sweeps, orders[n], flips[n])
