"""The core type: the weights and biases of a batch of networks of one layout."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Weights", "cat", "lerp"]


@dataclass(frozen=True)
class Weights:
    """Weights and biases of a batch of multilayer perceptrons of one layout.

    With L layers of widths d_0, ..., d_L, `weights[l]` is `(batch, d[l+1], d[l], *channels)`
    and `biases[l]` is `(batch, d[l+1], *channels)`, l = 0, ..., L-1. Raw networks have no
    channel axis; the features inside an equivariant model have one. One type for both lets
    one group action serve augmentation, models and tests.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.biases) or not self.weights:
            raise ValueError(
                f"Weights needs one bias per weight and at least one layer; "
                f"got {len(self.weights)} weights and {len(self.biases)} biases"
            )
        batch, layout, channels = self.batch_size, self.layer_layout, self.channels
        for l, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            n_in, n_out = layout[l], layout[l + 1]
            for name, x, expected in (
                (f"weights[{l}]", w, (batch, n_out, n_in, *channels)),
                (f"biases[{l}]", b, (batch, n_out, *channels)),
            ):
                if tuple(x.shape) != expected:
                    raise ValueError(
                        f"{name} has shape {tuple(x.shape)}; layer_layout {layout} needs {expected}"
                    )

    @property
    def layer_layout(self) -> tuple[int, ...]:
        """The widths (d_0, ..., d_L)."""
        return (self.weights[0].shape[2], *(w.shape[1] for w in self.weights))

    @property
    def batch_size(self) -> int:
        """The number of networks."""
        return self.weights[0].shape[0]

    @property
    def channels(self) -> tuple[int, ...]:
        """The shape of the channel axes, `()` for raw networks."""
        return tuple(self.weights[0].shape[3:])

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.weights[0].device

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the tensors."""
        return self.weights[0].dtype

    def __len__(self) -> int:
        return self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        """Yield every tensor in the order of `map`: all weights, then all biases."""
        yield from self.weights
        yield from self.biases

    def __getitem__(self, index: Tensor | slice) -> "Weights":
        """Select networks by an index tensor, a mask or a slice."""
        return self.map(lambda x: x[index])

    def map(self, f: Callable[..., Tensor], *others: "Weights") -> "Weights":
        """Apply `f` to each tensor, together with the same tensor of each of `others`."""
        return Weights(
            tuple(f(*xs) for xs in zip(self.weights, *(o.weights for o in others), strict=True)),
            tuple(f(*xs) for xs in zip(self.biases, *(o.biases for o in others), strict=True)),
        )

    def to(self, *args: torch.device | torch.dtype | str) -> "Weights":
        """Move or convert every tensor, as `torch.Tensor.to`."""
        return self.map(lambda x: x.to(*args))

    def flatten(self) -> Float[Tensor, "batch parameters"]:
        """One row per network: all weights, then all biases, each in layer order."""
        return torch.cat([x.flatten(1) for x in self], dim=1)


def cat(parts: Sequence[Weights]) -> Weights:
    """Join batches of networks of one layout along the batch axis.

    Raises:
        ValueError: if `parts` is empty or the layouts differ.
    """
    if not parts:
        raise ValueError("cat needs at least one batch of networks; got none")
    layouts = {p.layer_layout for p in parts}
    if len(layouts) > 1:
        raise ValueError(f"cat needs networks of one layer_layout; got {sorted(layouts)}")
    first, *rest = parts
    return first.map(lambda *xs: torch.cat(xs), *rest)


def lerp(a: Weights, b: Weights, lam: Float[Tensor, " batch"]) -> Weights:
    """The mixture lam a + (1 - lam) b, one `lam` per network; lam = 1 gives `a`."""

    def mix(x: Tensor, y: Tensor) -> Tensor:
        t = lam.to(x.dtype).view(-1, *[1] * (x.ndim - 1))
        return t * x + (1 - t) * y

    return a.map(mix, b)
