"""How the networks of a published set are to be evaluated, and the way to our own form."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.weights import Weights

__all__ = ["CONVENTIONS", "Convention", "from_house", "to_house"]


@dataclass(frozen=True, kw_only=True)
class Convention:
    """What the files of a set leave unsaid.

    A network is x <- sin(omega_0 (W x + b)) in each hidden layer and W x + b in the last. Its
    signal, in [0, 1], is output_scale times its output plus output_offset.

    Attributes:
        omega_0: the frequency of every sine.
        output_offset: added to the output after the scale.
        output_scale: multiplies the output; 0.5 where networks were fitted to [-1, 1].
        axes: `ij` if the first of two inputs runs down the rows of the picture, as ours does,
            `xy` if it runs along the columns, as the default of `numpy.meshgrid` has it.

    Raises:
        InterchangeError: if a number is not finite, omega_0 or output_scale is not positive,
            or the axes are neither.
    """

    omega_0: float = 30.0
    output_offset: float = 0.5
    output_scale: float = 1.0
    axes: str = "xy"

    def __post_init__(self) -> None:
        for name in ("omega_0", "output_scale"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InterchangeError(f"{name} is {value}; it must be positive and finite")
        if not math.isfinite(self.output_offset):
            raise InterchangeError(f"output_offset is {self.output_offset}; it must be finite")
        if self.axes not in ("ij", "xy"):
            raise InterchangeError(f"axes is {self.axes!r}; it must be 'ij' or 'xy'")


# DWSNets and its multi-view sets: output + 0.5, coordinates by numpy.meshgrid (column, row).
# NFN: pictures scaled to [-1, 1], no offset, coordinates by torch.meshgrid (row, column).
CONVENTIONS = {"dws": Convention(), "nfn": Convention(output_scale=0.5, axes="ij")}


def to_house(w: Weights, convention: Convention) -> Weights:
    """Networks of a convention as ours, which keep its omega_0 and its output_offset.

    The columns of the first layer are swapped for the axes `xy`, and the output scale is
    multiplied into the last layer; both are exact for the published conventions.

    Args:
        w: float32 networks as they lie in the files.
        convention: theirs.

    Returns:
        Networks for `siren` with the convention's omega_0 and output_offset on our grid.

    Raises:
        InterchangeError: if the axes are `xy` and there are not two inputs.
    """
    w = _swapped(w, convention)
    if convention.output_scale == 1:
        return w
    return _last(w, lambda x: convention.output_scale * x, lambda x: convention.output_scale * x)


def from_house(
    w: Weights, *, omega_0: float, output_offset: float, convention: Convention
) -> Weights:
    """Our networks as a convention has them, rendering the same.

    W and b of the hidden layers are multiplied by omega_0 / convention.omega_0, and the last
    layer takes up the difference of the offsets and the output scale. What does not differ is
    left as it is, bit by bit; the rest is computed in double precision and rounded once.

    Args:
        w: float32 networks of `siren`.
        omega_0: the frequency of their sines.
        output_offset: what is added to their outputs.
        convention: the wanted one.

    Returns:
        The networks as they lie in the files of such a set.

    Raises:
        InterchangeError: if the axes are `xy` and there are not two inputs.
    """
    w = _swapped(w, convention)
    if omega_0 != convention.omega_0:
        ratio = omega_0 / convention.omega_0
        weights = [(ratio * x.double()).to(x.dtype) for x in w.weights[:-1]]
        biases = [(ratio * x.double()).to(x.dtype) for x in w.biases[:-1]]
        w = Weights((*weights, w.weights[-1]), (*biases, w.biases[-1]))
    shift, scale = output_offset - convention.output_offset, convention.output_scale
    if shift == 0 and scale == 1:
        return w
    return _last(
        w,
        lambda x: (x.double() / scale).to(x.dtype),
        lambda x: ((x.double() + shift) / scale).to(x.dtype),
    )


def _swapped(w: Weights, convention: Convention) -> Weights:
    """The inputs in the order of the other axes; its own inverse."""
    if convention.axes == "ij":
        return w
    if w.layer_layout[0] != 2:
        raise InterchangeError(
            f"axes 'xy' swaps two inputs, but the networks have {w.layer_layout[0]}: "
            f"state the axes 'ij'"
        )
    return Weights((w.weights[0][:, :, [1, 0]], *w.weights[1:]), w.biases)


def _last(
    w: Weights, of_weight: Callable[[Tensor], Tensor], of_bias: Callable[[Tensor], Tensor]
) -> Weights:
    return Weights(
        (*w.weights[:-1], of_weight(w.weights[-1])), (*w.biases[:-1], of_bias(w.biases[-1]))
    )
