"""Autocast for functions whose gradients are written out; torch sees to its own."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["apply"]


def apply(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    """`function.apply`, under autocast with all tensors in its number type.

    Torch converts what it multiplies, but not for products in place, nor in a gradient that is
    written out.

    Args:
        function: what to apply.
        arguments: its arguments, of which the first is a tensor.
    """
    kind = arguments[0].device.type
    if not torch.is_autocast_enabled(kind):
        return function.apply(*arguments)
    dtype = torch.get_autocast_dtype(kind)
    with torch.autocast(kind, enabled=False):
        return function.apply(*(x.to(dtype) if isinstance(x, Tensor) else x for x in arguments))
