"""An encoder that is not changed any more, and the linear probes on its embedding."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from weightspace.dataset.examples import Dataset
from weightspace.dataset.statistics import CONSTANT, Statistics
from weightspace.train.linear_probe import SelectedProbe, select_probe
from weightspace.train.steps import DivergedError
from weightspace.train.supervised import predict

__all__ = ["FrozenEncoder", "freeze"]


@dataclass(frozen=True)
class FrozenEncoder:
    """An encoder with its embeddings of the training networks, which calls give for others.

    Attributes:
        encoder: maps standardised `Weights` to embeddings; evaluated as it is.
        train: the training networks, with and without label.
        statistics: of the raw training networks.
        batch_size: networks at a time.
        raw: the embeddings of `train`.
        mean: of each dimension of `raw`.
        scale: the deviation of each dimension, 1 where it is mere rounding of a constant.
    """

    encoder: nn.Module
    train: Dataset
    statistics: Statistics
    batch_size: int
    raw: Float[Tensor, "n dim"]
    mean: Float[Tensor, " dim"]
    scale: Float[Tensor, " dim"]

    def __call__(self, dataset: Dataset) -> Float[Tensor, "m dim"]:
        """The embeddings of networks, each dimension standardised over the training networks."""
        raw = predict(self.encoder, dataset, self.statistics, self.batch_size)
        return (raw - self.mean) / self.scale

    def probe(
        self, labelled: Bool[Tensor, " n"], val: Dataset, *, l2: Sequence[float]
    ) -> SelectedProbe:
        """Select a linear probe that learns from those training networks that are `labelled`.

        Args:
            labelled: which training networks may be learnt from with their label.
            val: the networks to select on.
            l2: the penalties to choose from.
        """
        return select_probe(
            ((self.raw - self.mean) / self.scale)[labelled],
            self.train.labels[labelled],
            self(val),
            val.labels,
            n_classes=val.n_classes,
            l2=l2,
        )


def freeze(
    encoder: nn.Module, train: Dataset, statistics: Statistics, batch_size: int
) -> FrozenEncoder:
    """Embed the training networks once; no label is used, for the standardisation neither.

    Raises:
        DivergedError: if an embedding is not finite.
    """
    raw = predict(encoder, train, statistics, batch_size)
    if not raw.isfinite().all():
        raise DivergedError(
            "an embedding of the frozen encoder is not finite; lower lr or set clip_norm"
        )
    mean, deviation = raw.mean(dim=0), raw.std(dim=0, correction=0)
    varies = deviation > CONSTANT * mean.abs()
    scale = torch.where(varies, deviation, torch.ones_like(deviation))
    return FrozenEncoder(encoder, train, statistics, batch_size, raw, mean, scale)
