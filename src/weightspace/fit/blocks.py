"""Blocks of matrix products, written in LLVM: what compilers do not find in loops by themselves.

All matrices lie row by row in flat float32 arrays. A matrix is given as (array, place of its
first entry, row step); a row is taken a vector of `LANES` numbers at a time.
"""

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "ROWS", "SOURCE", "block", "dots"]

try:
    _features = binding.get_host_cpu_features()
except RuntimeError:  # LLVM cannot tell on every system
    _features = {}
LANES = 16 if _features.get("avx512f") else 8 if _features.get("avx") else 4  # of a register
ROWS = 8  # of a block: as many sums at once hide how long one takes
# For Numba's cache, which by itself notices edits of the file of the cached function only.
SOURCE = blake2b(Path(__file__).read_bytes(), digest_size=8).hexdigest()

_LONG, _SINGLE = ir.IntType(64), ir.FloatType()
_VECTOR = ir.VectorType(_SINGLE, LANES)
_ZERO, _UNDEFINED = ir.Constant(_VECTOR, [0.0] * LANES), ir.Constant(_VECTOR, ir.Undefined)


class _Code:
    """The code under construction of one function."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.context, self.builder, self.signature, self.args = context, builder, signature, args
        self.multiply_add = partial(
            builder.call,
            cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
            ),
        )

    def pointer(self, n: int) -> Any:
        """To the first entry of the matrix whose array is argument n."""
        array = self.context.make_array(self.signature.args[n])
        data = array(self.context, self.builder, self.args[n]).data
        return self.builder.gep(data, [self.args[n + 1]])

    def step(self, place: Any, step: Any, times: Any) -> Any:
        """The place `times` steps further."""
        times = _LONG(times) if isinstance(times, int) else times
        return self.builder.gep(place, [self.builder.mul(step, times)])

    def load(self, place: Any) -> Any:
        """The vector at a place."""
        x = self.builder.load(self.builder.bitcast(place, _VECTOR.as_pointer()))
        x.align = 4
        return x

    def store(self, x: Any, place: Any) -> None:
        """Write a vector."""
        self.builder.store(x, self.builder.bitcast(place, _VECTOR.as_pointer())).align = 4

    def spread(self, place: Any) -> Any:
        """The number at a place in every lane."""
        x = self.builder.load(place)
        x = self.builder.insert_element(_UNDEFINED, x, ir.IntType(32)(0))
        return self.shuffle(x, _UNDEFINED, [0] * LANES)

    def shuffle(self, x: Any, y: Any, lanes: Sequence[int]) -> Any:
        """The given lanes of x, then y."""
        kind = ir.VectorType(ir.IntType(32), len(lanes))
        return self.builder.shuffle_vector(x, y, ir.Constant(kind, list(lanes)))

    def sum_loop(self, end: Any, by: int, starts: Sequence[Any], add: Any) -> list[Any]:
        """The sums after sums = add(k, sums) for k = 0, by, 2 by, ... < end; at least once."""
        before, builder = self.builder.block, self.builder
        loop, after = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(loop)
        builder.position_at_end(loop)
        k, sums = builder.phi(_LONG), [builder.phi(_VECTOR) for _ in starts]
        added = add(k, sums)
        further = builder.add(k, _LONG(by))
        builder.cbranch(builder.icmp_signed("<", further, end), loop, after)
        for x, start, value in zip([k, *sums], [_LONG(0), *starts], [further, *added], strict=True):
            x.add_incoming(start, before)
            x.add_incoming(value, loop)
        builder.position_at_end(after)
        return added


def block(rows: int, *, at_once: int = 1, scaled: bool = False) -> Any:
    """Make the function of a block of a product: `rows` rows of one vector, in registers.

        out[r, :] = init[r, :] + sum_{k < inner} a[r, k] b[k, :],  times scale[r, :] if `scaled`

    Its arguments are out, init, a with its column step, b, scale, inner >= 1.

    Args:
        rows: of the block; eight or more keep the arithmetic busy.
        at_once: take so many k at a time into sums of their own, as few rows need it; `inner`
            must be a multiple.
        scaled: multiply by `scale`, else ignored.
    """

    def generate(*given: Any) -> Any:
        code = _Code(*given)
        out, init, a, b, scale = (code.pointer(n) for n in (0, 3, 6, 10, 13))
        out_row, init_row, a_row, a_column, b_row = (code.args[n] for n in (2, 5, 8, 9, 12))
        scale_row, inner = code.args[15:17]

        def add(k: Any, sums: list[Any]) -> list[Any]:
            added = []
            for j in range(at_once):
                now = code.builder.add(k, _LONG(j))
                line, column = code.load(code.step(b, b_row, now)), code.step(a, a_column, now)
                factors = [code.spread(code.step(column, a_row, r)) for r in range(rows)]
                ours = sums[j * rows : (j + 1) * rows]
                added += [
                    code.multiply_add([f, line, s]) for f, s in zip(factors, ours, strict=True)
                ]
            return added

        starts = [code.load(code.step(init, init_row, r)) for r in range(rows)]
        sums = code.sum_loop(inner, at_once, starts + [_ZERO] * (at_once - 1) * rows, add)
        for r in range(rows):
            x, *others = sums[r::rows]
            for other in others:
                x = code.builder.fadd(x, other)
            if scaled:
                x = code.builder.fmul(x, code.load(code.step(scale, scale_row, r)))
            code.store(x, code.step(out, out_row, r))
        return code.context.get_dummy_value()

    @intrinsic
    def product(_, out, o, o_row, init, i, i_row, a, p, a_row, a_col, b, q, b_row, f, s, f_row, k):
        given = (out, o, o_row, init, i, i_row, a, p, a_row, a_col, b, q, b_row, f, s, f_row, k)
        kinds = [x if isinstance(x, types.Array) else types.int64 for x in given]
        return types.void(*kinds), generate

    return product


@intrinsic
def dots(_, out, o, o_step, a, p, a_row, b, q, inner):
    """out[r] = sum_{k < inner} a[r, k] b[k] for ROWS of r; `inner` is a multiple of LANES.

    Here b is a vector and `o_step` the step between the results.
    """

    def generate(*given: Any) -> Any:
        code = _Code(*given)
        out, a, b = (code.pointer(n) for n in (0, 3, 6))
        o_step, a_row, inner = (code.args[n] for n in (2, 5, 8))

        def add(k: Any, sums: list[Any]) -> list[Any]:
            column, one = code.builder.gep(a, [k]), code.load(code.builder.gep(b, [k]))
            rows = [code.load(code.step(column, a_row, r)) for r in range(ROWS)]
            return [code.multiply_add([x, one, s]) for x, s in zip(rows, sums, strict=True)]

        sums = code.sum_loop(inner, LANES, [_ZERO] * ROWS, add)
        even, odd = range(0, 2 * LANES, 2), range(1, 2 * LANES, 2)
        for _ in range(LANES.bit_length() - 1):  # neighbouring lanes of two rows become one vector
            pairs = zip(sums[::2], sums[1::2], strict=True) if len(sums) > 1 else [sums * 2]
            sums = [
                code.builder.fadd(code.shuffle(x, y, even), code.shuffle(x, y, odd))
                for x, y in pairs
            ]
        for r in range(ROWS):
            x = code.builder.extract_element(sums[r // LANES], ir.IntType(32)(r % LANES))
            code.builder.store(x, code.step(out, o_step, r))
        return code.context.get_dummy_value()

    given = (out, o, o_step, a, p, a_row, b, q, inner)
    kinds = [x if isinstance(x, types.Array) else types.int64 for x in given]
    return types.void(*kinds), generate
