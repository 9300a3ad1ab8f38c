"""The functions that the Triton kernel of the GPU backend is made of."""

# Triton has no unpacking of tuples.
# ruff: noqa: RUF005
from typing import no_type_check

import triton
import triton.language as tl

__all__ = ["adam_rows", "adam_step", "dot", "first_layer", "fold", "rows_of", "sine_and_cosine"]
__all__ += ["zeros"]

_ROUND = tl.constexpr(12582912.0)  # 1.5 * 2**23: adding it rounds to an integer, its last bit
# sin(pi f) = f (S1 + S3 f^2 + ...) to 5e-9 relative and cos(pi f) = 1 + C2 f^2 + ... to
# 5e-8 absolute on |f| <= 1/2: least maximum error, by re-weighted least squares.
_S1, _S3, _S5 = tl.constexpr(3.14159264), tl.constexpr(-5.16770968), tl.constexpr(2.55006972)
_S7, _S9 = tl.constexpr(-0.59824211), tl.constexpr(0.07756036)
_C2, _C4 = tl.constexpr(-4.93479552), tl.constexpr(4.05845134)
_C6, _C8 = tl.constexpr(-1.33209388), tl.constexpr(0.22008069)


@triton.jit
@no_type_check
def sine_and_cosine(z, half_turns, half_turns_rest):
    """Sine and cosine of pi h z, h = half_turns + half_turns_rest.

    With h z = k + f for a whole k and |f| <= 1/2, both are those of pi f, negated for odd k.
    h comes in two parts, and h z - k is one fused operation, so that no rounding grows with |z|.
    """
    shifted = tl.fma(z, half_turns, _ROUND)
    f = tl.fma(z, half_turns_rest, tl.fma(z, half_turns, -(shifted - _ROUND)))
    g = f * f
    sine = f * ((((g * _S9 + _S7) * g + _S5) * g + _S3) * g + _S1)
    cosine = (((g * _C8 + _C6) * g + _C4) * g + _C2) * g + 1.0
    odd = shifted.to(tl.int32, bitcast=True) << 31
    sine = (sine.to(tl.int32, bitcast=True) ^ odd).to(tl.float32, bitcast=True)
    cosine = (cosine.to(tl.int32, bitcast=True) ^ odd).to(tl.float32, bitcast=True)
    return sine, cosine


@triton.jit
@no_type_check
def _leading(x):
    """The part of `x` that the 11 digits of a tf32 number hold."""
    return (x.to(tl.int32, bitcast=True) & -8192).to(tl.float32, bitcast=True)


@triton.jit
@no_type_check
def dot(a, b, c, PRECISION: tl.constexpr):
    """The product a b + c; "tf32x3" leaves out what is under 2^-19 of each |a| |b|."""
    if PRECISION == "tf32x3":
        a_1, b_1 = _leading(a), _leading(b)
        c = tl.dot(a - a_1, b_1, c, input_precision="tf32")
        c = tl.dot(a_1, b - b_1, c, input_precision="tf32")
        return tl.dot(a_1, b_1, c, input_precision="tf32")
    return tl.dot(a, b, c, input_precision=PRECISION)


@triton.jit
@no_type_check
def fold(x):
    """Sums of a tile over those points that one thread holds, where tensor cores leave it."""
    return tl.sum(tl.reshape(x, [x.shape[0] // 16, 2, 8, x.shape[1]]), 1)


@triton.jit
@no_type_check
def _total(x):
    """The sum over all points of what `fold` gave."""
    return tl.sum(tl.sum(x, 1), 0)


@triton.jit
@no_type_check
def rows_of(state, FIRST: tl.constexpr, COUNT: tl.constexpr, STRIDE: tl.constexpr, H: tl.constexpr):
    """COUNT rows of the state, from FIRST on, STRIDE apart."""
    rows = ()
    for k in tl.static_range(COUNT):
        rows = rows + (tl.load(state + (FIRST + k * STRIDE) * H + tl.arange(0, H)),)
    return rows


@triton.jit
@no_type_check
def zeros(COUNT: tl.constexpr, TILE: tl.constexpr, H: tl.constexpr):
    """COUNT empty sums over points, as `fold` gives them."""
    sums = ()
    for _ in tl.static_range(COUNT):
        sums = sums + (tl.zeros([TILE // 16, 8, H], tl.float32),)
    return sums


@triton.jit
@no_type_check
def first_layer(c, w_in, bias, TILE: tl.constexpr, H: tl.constexpr, PRECISION: tl.constexpr):
    """The first layer before its sine, `(TILE, H)`."""
    z = tl.zeros([TILE, H], tl.float32) + bias[None, :]
    for d in tl.static_range(len(c)):
        z += c[d][:, None] * w_in[d][None, :]
    if PRECISION != "ieee":
        # Adds zero: it makes the compiler lay out z over the threads as tensor cores leave the
        # later layers, which saves moving it between threads (a quarter of the shared memory).
        nothing = tl.zeros([TILE, 16], tl.float32)
        z = tl.dot(nothing, tl.zeros([16, H], tl.float32), z, input_precision="tf32")
    return z


@triton.jit
@no_type_check
def adam_step(state, SIZE: tl.constexpr, at, gradient, step_of, adam):
    """One step of Adam on the parameters at the places `at`."""
    rate, root = step_of
    keep_1, keep_2, add_1, add_2, eps = adam
    mean = keep_1 * tl.load(state + SIZE + at) + add_1 * gradient
    square = keep_2 * tl.load(state + 2 * SIZE + at) + add_2 * gradient * gradient
    tl.store(state + SIZE + at, mean)
    tl.store(state + 2 * SIZE + at, square)
    tl.store(state + at, tl.load(state + at) - rate * mean / (tl.sqrt(square) * root + eps))


@triton.jit
@no_type_check
def adam_rows(
    state, SIZE: tl.constexpr, FIRST: tl.constexpr, STRIDE: tl.constexpr, sums, step_of, adam
):
    """One step of Adam on rows of the state, from FIRST on, STRIDE apart."""
    H: tl.constexpr = sums[0].shape[2]
    for k in tl.static_range(len(sums)):
        at = (FIRST + k * STRIDE) * H + tl.arange(0, H)
        adam_step(state, SIZE, at, _total(sums[k]), step_of, adam)
