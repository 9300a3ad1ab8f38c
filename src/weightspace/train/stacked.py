"""Models of one architecture that go forward and backward in one call, for a GPU."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from weightspace.weights import Weights

__all__ = ["Objective", "Stacked"]

Objective = Callable[[Callable[[Any], Tensor], Any, Tensor], Tensor]
"""The loss of a model on inputs with targets."""


class Stacked:
    """Models as one function of their stacked parameters and buffers, `(models, ...)`.

    For small models a GPU waits for the host, which starts their operations one by one. Here it
    starts them once for all models. `vmap` alone would lose as much time at each operation as
    it saves, so its first call, forward and backward, is recorded and then replayed.

    It needs the memory of all models. Each of `models` stays usable by itself: its parameters
    and buffers become views of the stacked ones, so that it sees every step, and its batch
    norms can be calibrated.

    Args:
        models: of one class and of equal shapes, on one device and in training mode.
        objective: (model, x, target) -> loss, the same operations in every call, all of them
            known to `torch.func.vmap`.

    Attributes:
        parameters: what to optimise.
    """

    def __init__(self, models: Sequence[nn.Module], objective: Objective) -> None:
        self.model, self.objective = models[0], objective
        self.recorded: Callable[..., Any] | None = None
        stacked, self.buffers = stack_module_state(list(models))
        self.names, self.parameters = list(stacked), list(stacked.values())
        for i, model in enumerate(models):
            for name, x in (*model.named_parameters(), *model.named_buffers()):
                x.data = (stacked | self.buffers)[name].detach()[i]
        for norm in self.model.modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                norm.register_forward_pre_hook(_as_its_weight)

    def backward(
        self, batches: Sequence[tuple[Weights | Tensor, Tensor]]
    ) -> Float[Tensor, " models"]:
        """Return the loss of each model on its own batch and set the gradients of `parameters`.

        Layers such as dropout draw anew for each model, but all from the global RNG.

        Args:
            batches: x and target for each model, of the same shapes in every call.
        """
        inputs, targets = zip(*batches, strict=True)
        networks = isinstance(inputs[0], Weights)
        columns = zip(*inputs, strict=True) if networks else [inputs]
        given = [torch.stack(column) for column in columns], torch.stack(targets)
        if self.recorded is None:
            self.recorded = self._record(given)
        with torch.no_grad():
            losses, gradients = self.recorded(self.parameters, self.buffers, *given)
        for p, gradient in zip(self.parameters, gradients, strict=True):
            # The fused AdamW takes numbers in the order of the memory.
            p.grad = None if gradient is None else gradient.contiguous()
        return losses

    def _record(self, given: Sequence[Any]) -> Callable[..., Any]:
        """The operations of a call; recording them makes them, but leaves no trace."""
        record = make_fx(lambda *inputs: self._gradients(*inputs))
        device = self.parameters[0].device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            buffers = {name: x.clone() for name, x in self.buffers.items()}
            return record(self.parameters, buffers, *given)

    def _gradients(
        self, parameters: list[Tensor], buffers: dict[str, Tensor], x: list[Tensor], target: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The losses, and the gradients of all parameters."""

        def one(state: Any, x: list[Tensor], target: Tensor) -> Tensor:
            given = _weights(x) if len(x) > 1 else x[0]
            return self.objective(lambda z: functional_call(self.model, state, (z,)), given, target)

        state = (dict(zip(self.names, parameters, strict=True)), buffers)
        losses = vmap(one, randomness="different")(state, x, target)
        return losses.detach(), torch.autograd.grad(losses.sum(), parameters, allow_unused=True)


def _weights(tensors: Sequence[Tensor]) -> Weights:
    """The networks that yield these tensors."""
    n = len(tensors) // 2
    return Weights(tuple(tensors[:n]), tuple(tensors[n:]))


def _as_its_weight(norm: nn.BatchNorm1d | nn.BatchNorm2d, given: tuple[Tensor]) -> tuple[Tensor]:
    # Under vmap, torch refuses inputs of another number type than that of the norm itself.
    return (given[0].to(norm.weight.dtype),)
