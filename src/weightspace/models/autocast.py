"""Under autocast, own gradients need all their tensors in one number type."""

from typing import Any

import torch

__all__ = ["in_one_dtype"]


def in_one_dtype(*tensors: Any) -> list[Any]:
    """Return the tensors as autocast would hand them to a matrix product; None stays None.

    torch casts the arguments of its own operations one by one; the gradient of such a cast is
    the cast back. In double precision, and without autocast, nothing changes.
    """
    device = next(x.device.type for x in tensors if x is not None)
    if not torch.is_autocast_enabled(device):
        return list(tensors)
    dtype = torch.get_autocast_dtype(device)
    return [x if x is None or x.dtype == torch.float64 else x.to(dtype) for x in tensors]
