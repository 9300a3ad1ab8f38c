"""Models of one architecture that go forward and backward in one call, for a GPU."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from weightspace.weights import Weights

__all__ = ["Stacked"]


class Stacked:
    """Models as one function of their stacked parameters and buffers, `(models, ...)`.

    A GPU takes about as long to start a small operation as to do it, so several models in one
    call cost little more than one. They need the memory of all of them. Each of `models` stays
    usable by itself: its parameters and buffers become views of the stacked ones, so that it
    sees every step, and its batch norms can be calibrated.

    Args:
        models: of one class and of equal shapes, on one device and in training mode.

    Attributes:
        parameters: what to optimise.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.model = models[0]
        self.state = stack_module_state(list(models))
        self.parameters = list(self.state[0].values())
        for i, model in enumerate(models):
            for stacked, own in zip(
                self.state, (model.named_parameters(), model.named_buffers()), strict=True
            ):
                for name, x in own:
                    x.data = stacked[name].detach()[i]
        for norm in self.model.modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                norm.register_forward_pre_hook(_as_its_weight)

    def __call__(
        self,
        objective: Callable[[Callable[[Any], Tensor], Any, Tensor], Tensor],
        batches: Sequence[tuple[Weights | Tensor, Tensor]],
    ) -> Float[Tensor, " models"]:
        """Return objective(model, x, target) of each model on its own batch.

        Layers such as dropout draw anew for each model, but all from the global RNG.

        Args:
            objective: made of operations that `torch.func.vmap` knows.
            batches: x and target for each model, of equal shapes.
        """
        inputs, targets = zip(*batches, strict=True)
        x = inputs[0]
        columns = zip(*inputs, strict=True) if isinstance(x, Weights) else [inputs]

        def one(state: Any, tensors: list[Tensor], target: Tensor) -> Tensor:
            given = _weights(tensors) if isinstance(x, Weights) else tensors[0]
            return objective(lambda z: functional_call(self.model, state, (z,)), given, target)

        stacked = [torch.stack(column) for column in columns]
        return vmap(one, randomness="different")(self.state, stacked, torch.stack(targets))


def _weights(tensors: Sequence[Tensor]) -> Weights:
    """The networks that yield these tensors."""
    n = len(tensors) // 2
    return Weights(tuple(tensors[:n]), tuple(tensors[n:]))


def _as_its_weight(norm: nn.BatchNorm1d | nn.BatchNorm2d, given: tuple[Tensor]) -> tuple[Tensor]:
    # Under vmap, torch refuses inputs of another number type than that of the norm itself.
    return (given[0].to(norm.weight.dtype),)
