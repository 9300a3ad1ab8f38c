"""The Triton kernel of the GPU backend: one program takes one SIREN through many Adam steps.

A program walks over its points in tiles: forward, backward, sums of gradients. The matrices lie
in shared memory (up to width 32) and the gradients in registers for the whole step. The state
between steps (parameters and running means, 14 KB at 2-32-32-1) lies in global memory that the
program alone uses, the means once per step, so that it stays in the caches: registers are what
is short. Therefore it makes no difference where a fit is cut into launches.

State: `(batch, 3, rows, H)`, with every hidden width padded with zeros to H, a power of two: the
columns of the first matrix, its bias; per further hidden layer the H rows of its matrix and its
bias; the rows of the last matrix and its bias. Padded neurons stay at zero, for their sine,
their gradients and therefore their Adam steps are zero. Nothing here assumes that numbers are
finite, so NaN and infinity come through to the caller.

The products between hidden layers run on tensor cores. The first and last layer, whose inputs
or outputs are too few for these, are sums of multiplications in float32.
"""

# Triton has no unpacking of tuples.
# ruff: noqa: RUF005
from typing import no_type_check

import triton
import triton.language as tl

from weightspace.fit.triton_pieces import (
    adam_rows,
    adam_step,
    dot,
    first_layer,
    fold,
    rows_of,
    sine_and_cosine,
    zeros,
)

__all__ = ["fit_steps"]

# Without specialisation the same code runs for all numbers and addresses, so a step is the same
# in any launch.
_NUMBERS = ("first_step", "last_step", "slices", "points", "all_points", "coords_stride", "zero")
_POINTERS = ("taken", "coords", "targets", "rates")


@triton.jit(do_not_specialize=_NUMBERS, do_not_specialize_on_alignment=_POINTERS)
@no_type_check
def fit_steps(
    state,
    taken,
    coords,
    targets,
    rates,
    first_step,
    last_step,
    slices,
    points,
    all_points,
    coords_stride,
    zero,
    half_turns,
    half_turns_rest,
    omega_0,
    output_offset,
    scale,
    target_loss,
    keep_1,
    keep_2,
    add_1,
    add_2,
    eps,
    D_IN: tl.constexpr,
    D_OUT: tl.constexpr,
    HIDDEN: tl.constexpr,
    H: tl.constexpr,
    TILE: tl.constexpr,
    RELOAD: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Take every network from step `first_step` to before `last_step`, or to its target.

    Args:
        state: `(batch, 3, rows, H)`: parameters, running means of gradient and of its square.
        taken: `(batch,)` int32: the steps taken; a network that stopped has fewer than
            `first_step` and is left alone.
        coords: `(all_points, D_IN)`, those of a network `coords_stride` numbers (0 if shared)
            after those of the one before.
        targets: `(batch, all_points, D_OUT)`.
        rates: `(steps, 2)`: the corrected learning rate lr / (1 - beta_1^t) and
            1 / sqrt(1 - beta_2^t) of each step.
        first_step: the first step, from 0 on.
        last_step: the one after the last.
        slices: how many slices the points have.
        points: the points of a slice.
        all_points: the points of a signal.
        coords_stride: see `coords`.
        zero: 0, unknown to the compiler.
        half_turns: omega_0 / pi.
        half_turns_rest: what float32 leaves out of it.
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.
        scale: 2 / (points D_OUT), that of the gradient.
        target_loss: the sum of squared errors at which a network stops.
        keep_1: beta_1.
        keep_2: beta_2.
        add_1: 1 - beta_1.
        add_2: 1 - beta_2.
        eps: Adam's small number.
        D_IN: the inputs.
        D_OUT: the outputs.
        HIDDEN: the number of hidden layers.
        H: their width.
        TILE: points at once.
        RELOAD: whether to read the matrices anew for each tile, for lack of shared memory.
        PRECISION: of the products, "tf32x3", "ieee" or "tf32".
    """
    n = tl.program_id(0).to(tl.int64)
    TOP: tl.constexpr = D_IN + 1 + (HIDDEN - 1) * (H + 1)  # the first row of the last layer
    SIZE: tl.constexpr = (TOP + D_OUT + 1) * H
    state += n * 3 * SIZE
    coords += n * coords_stride
    targets += n * all_points * D_OUT
    matrix = tl.arange(0, H)[:, None] * H + tl.arange(0, H)[None, :]
    adam = (keep_1, keep_2, add_1, add_2, eps)
    step = first_step
    end = tl.where(tl.load(taken + n) == first_step, last_step, first_step)
    while step < end:
        g_in, g_out, g_b = zeros(D_IN, TILE, H), zeros(D_OUT, TILE, H), zeros(HIDDEN, TILE, H)
        b_out, g_b_out, g_w = (), (), ()
        for d in tl.static_range(D_OUT):
            b_out = b_out + (tl.load(state + (TOP + D_OUT) * H + d) + output_offset,)
            g_b_out = g_b_out + (0.0,)
        for _ in tl.static_range(1, HIDDEN):
            g_w = g_w + (tl.zeros([H, H], tl.float32),)
        loss = 0.0
        for start in range(0, points, TILE):
            place = start + tl.arange(0, TILE)
            valid = place < points
            point = (step % slices) * points + place
            again = state + start * zero  # read for each tile, for lack of registers
            weights = again if RELOAD else state
            w_in, w_out = rows_of(again, 0, D_IN, 1, H), rows_of(again, TOP, D_OUT, 1, H)
            biases = rows_of(again, D_IN, HIDDEN, H + 1, H)
            # Forward.
            c = ()
            for d in tl.static_range(D_IN):
                c = c + (tl.load(coords + point * D_IN + d, mask=valid, other=0.0),)
            z = first_layer(c, w_in, biases[0], TILE, H, PRECISION)
            x, slope = sine_and_cosine(z, half_turns, half_turns_rest)
            xs, slopes = (x,), (slope,)
            for l in tl.static_range(1, HIDDEN):
                w = tl.load(weights + (D_IN + 1 + (l - 1) * (H + 1)) * H + matrix)
                z = tl.zeros([TILE, H], tl.float32) + biases[l][None, :]
                z = dot(x, tl.trans(w), z, PRECISION)
                x, slope = sine_and_cosine(z, half_turns, half_turns_rest)
                xs, slopes = xs + (x,), slopes + (slope,)
            # Errors, and the last layer. `delta` is the gradient of z, so far without its slope.
            delta = tl.zeros([TILE, H], tl.float32)
            g_out_next, g_b_out_next = (), ()
            for d in tl.static_range(D_OUT):
                t = tl.load(targets + point * D_OUT + d, mask=valid, other=0.0)
                e = tl.where(valid, tl.sum(x * w_out[d][None, :], 1) + b_out[d] - t, 0.0)
                loss += tl.sum(e * e, 0)
                e *= scale
                g_out_next = g_out_next + (g_out[d] + fold(e[:, None] * x),)
                g_b_out_next = g_b_out_next + (g_b_out[d] + tl.sum(e, 0),)
                delta += (omega_0 * e)[:, None] * w_out[d][None, :]
            g_out, g_b_out = g_out_next, g_b_out_next
            # Backward.
            g_b_next, g_w_next, g_in_next = (), (), ()
            for l in tl.static_range(HIDDEN - 1, 0, -1):
                delta *= slopes[l]
                g_b_next = (g_b[l] + fold(delta),) + g_b_next
                g_w_next = (dot(tl.trans(delta), xs[l - 1], g_w[l - 1], PRECISION),) + g_w_next
                w = tl.load(weights + (D_IN + 1 + (l - 1) * (H + 1)) * H + matrix)
                delta = dot(delta, omega_0 * w, tl.zeros([TILE, H], tl.float32), PRECISION)
            delta *= slopes[0]
            for d in tl.static_range(D_IN):
                g_in_next = g_in_next + (g_in[d] + fold(delta * c[d][:, None]),)
            g_b, g_w, g_in = (g_b[0] + fold(delta),) + g_b_next, g_w_next, g_in_next
        if loss <= target_loss:
            end = step
        else:
            step_of = (tl.load(rates + 2 * step), tl.load(rates + 2 * step + 1))
            tl.debug_barrier()  # all have read the parameters
            adam_rows(state, SIZE, 0, 1, g_in, step_of, adam)
            adam_rows(state, SIZE, D_IN, H + 1, g_b, step_of, adam)
            adam_rows(state, SIZE, TOP, 1, g_out, step_of, adam)
            for l in tl.static_range(1, HIDDEN):
                at = (D_IN + 1 + (l - 1) * (H + 1)) * H + matrix
                adam_step(state, SIZE, at, g_w[l - 1], step_of, adam)
            for d in tl.static_range(D_OUT):
                adam_step(state, SIZE, (TOP + D_OUT) * H + d, g_b_out[d], step_of, adam)
            tl.debug_barrier()  # all are written
            step += 1
    if step > first_step:
        tl.store(taken + n, step)
