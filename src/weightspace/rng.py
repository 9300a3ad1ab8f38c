"""Named random streams: every random choice is a function of a seed and a name."""

from hashlib import blake2b

import torch

__all__ = ["stream"]


def stream(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of the stream `names` under `seed`.

    Streams with different names are independent, and none depends on the order in which
    they are made or used, so any sharding or scheduling of the work draws the same numbers.

    Args:
        seed: the study's seed.
        names: what the numbers are for, e.g. `("init", object_id, view)`.
        device: where the numbers are drawn.

    Returns:
        A fresh `torch.Generator` on `device`.
    """
    digest = blake2b(repr((int(seed), *names)).encode(), digest_size=8).digest()
    # torch takes seeds in [0, 2**63).
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)
