"""Example pictures of mixed networks, and the file that holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.data.archive import read_npz, write_npz
from weightspace.fit.quality import psnr

__all__ = ["Midpoints", "draw_midpoints", "join_midpoints", "read_midpoints", "write_midpoints"]

Functions = Float[Tensor, "pairs points d_out"]


@dataclass(frozen=True)
class Midpoints:
    """Pictures of pairs of networks and of their mixtures under each alignment.

    A row is a pair at one lam, the share of the first network; lam = 0.5 is the midpoint.

    Attributes:
        pictures: in [0, 1], `(rows, 3 + alignments, *shape, d_out)`: the first and the second
            network, the mixture of both pictures, the mixed network under each alignment.
        psnr: of each mixed network to the mixed picture, in dB, `(rows, alignments)`.
        lams: of each row.
        kinds: the kind of the pair of each row.
        classes: the classes of both networks, `(rows, 2)`.
        alignments: their names.
    """

    pictures: np.ndarray
    psnr: np.ndarray
    lams: np.ndarray
    kinds: np.ndarray
    classes: np.ndarray
    alignments: np.ndarray


def draw_midpoints(
    f_a: Functions,
    f_b: Functions,
    mixed: Mapping[str, Functions],
    *,
    lam: float,
    shape: Sequence[int],
    kind: str,
    classes: np.ndarray,
) -> Midpoints:
    """Make pictures of functions on a grid.

    Args:
        f_a: the functions of the first networks.
        f_b: those of the second.
        mixed: those of the mixed networks, by alignment.
        lam: the share of the first network.
        shape: of the grid.
        kind: of the pairs.
        classes: the names of the classes of both networks, `(pairs, 2)`.

    Returns:
        The pictures, clipped to [0, 1].
    """
    f_a, f_b = f_a.clamp(0, 1), f_b.clamp(0, 1)
    target = lam * f_a + (1 - lam) * f_b
    clipped = [x.clamp(0, 1) for x in mixed.values()]
    errors = torch.stack([(x - target).square().mean(dim=(1, 2)) for x in clipped], 1)
    pictures = torch.stack([f_a, f_b, target, *clipped], 1)
    return Midpoints(
        pictures.unflatten(2, tuple(shape)).numpy(),
        psnr(errors).numpy(),
        np.full(len(f_a), lam),
        np.full(len(f_a), kind),
        classes,
        np.array(list(mixed)),
    )


def join_midpoints(parts: Sequence[Midpoints]) -> Midpoints:
    """The examples of several kinds of pairs, or of several lams, one after the other."""
    names = ("pictures", "psnr", "lams", "kinds", "classes")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Midpoints(**joined, alignments=parts[0].alignments)


def write_midpoints(path: Path | str, midpoints: Midpoints) -> None:
    """Write examples to an .npz file in one step; equal content gives equal bytes."""
    write_npz(Path(path), asdict(midpoints))


def read_midpoints(path: Path | str) -> Midpoints:
    """Read what `write_midpoints` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    return Midpoints(**read_npz(Path(path), tuple(field.name for field in fields(Midpoints))))
