"""Several random streams from one generator, and layers that draw from one of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

__all__ = ["global_rng_from", "split"]


def split(
    generator: torch.Generator, devices: Sequence[torch.device | str]
) -> list[torch.Generator]:
    """One stream per device, all seeded by one draw from `generator`."""
    seeds = torch.randint(2**63 - 1, (len(devices),), generator=generator, device=generator.device)
    return [
        torch.Generator(d).manual_seed(seed)
        for d, seed in zip(devices, seeds.tolist(), strict=True)
    ]


@contextmanager
def global_rng_from(generator: torch.Generator) -> Iterator[None]:
    """Seed the global RNG, from which layers such as dropout draw, and put it back afterwards."""
    cuda = [generator.device] if generator.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(generator.initial_seed())
        for device in cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(generator.initial_seed())
        yield
