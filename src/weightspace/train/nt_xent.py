"""The contrastive loss: each embedding has to find its partner among all others of the batch."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

__all__ = ["nt_xent", "pair_accuracy"]


def nt_xent(
    z_a: Float[Tensor, "pairs dim"], z_b: Float[Tensor, "pairs dim"], *, temperature: float
) -> Float[Tensor, ""]:
    """The normalised temperature-scaled cross-entropy of a batch of positive pairs.

    With s_ij the cosine of two of the 2n embeddings and j(i) the partner of i, the mean over i of
    -log(exp(s_ij(i) / t) / sum_{k != i} exp(s_ik / t)).

    Args:
        z_a: one embedding of each of n pairs.
        z_b: the other ones, in the same order.
        temperature: t, positive.

    Returns:
        The loss in nats; it is log(2n - 1) where all embeddings are equal.

    Raises:
        ValueError: if the temperature is not positive or there are fewer than two pairs.

    Reference: Chen et al. 2020, A Simple Framework for Contrastive Learning, eq. 1.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be positive")
    if len(z_a) < 2:
        raise ValueError(f"nt_xent got {len(z_a)} pair(s); it needs at least 2, to tell apart")
    return cross_entropy(_cosines(z_a, z_b) / temperature, _partners(z_a))


def pair_accuracy(
    z_a: Float[Tensor, "pairs dim"], z_b: Float[Tensor, "pairs dim"]
) -> Float[Tensor, ""]:
    """The share of the 2n embeddings whose most similar other one is the partner.

    Of several equally similar ones the first counts alone, so that embeddings that are all equal
    score 1 / (2n); guessing gives 1 / (2n - 1).
    """
    hits = _cosines(z_a, z_b).argmax(dim=1) == _partners(z_a)
    return hits.to(z_a.dtype).mean()


def _cosines(z_a: Tensor, z_b: Tensor) -> Float[Tensor, "two_pairs two_pairs"]:
    """The cosine of every pair of embeddings; minus infinity with itself, which is no choice."""
    z = normalize(torch.cat([z_a, z_b]), dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return (z @ z.T).masked_fill(itself, -torch.inf)


def _partners(z_a: Tensor) -> Int64[Tensor, " two_pairs"]:
    """Where the partner of each embedding stands: n places further, around the end."""
    return torch.arange(2 * len(z_a), device=z_a.device).roll(len(z_a))
