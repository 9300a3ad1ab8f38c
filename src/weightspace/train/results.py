"""What a trained cell found: the selected models, their scores and their predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from weightspace.dataset.statistics import Statistics
from weightspace.models.build import build_model
from weightspace.rng import stream

__all__ = ["CellResult", "Predictions", "SelectedModels"]


@dataclass(frozen=True)
class SelectedModels:
    """The selected state of each seed, and all that rebuilds the models.

    `model` is the kind and its settings; `input_settings` say what it reads, as those of the
    dataset; `statistics` standardise what it is given.
    """

    model: Mapping[str, Any]
    input_settings: dict[str, Any]
    n_classes: int
    statistics: Statistics
    states: dict[int, dict[str, Tensor]]

    def initial(self, seed: int) -> nn.Module:
        """The model of `seed` before its first update, on the CPU; the same for every scheme."""
        return build_model(
            d_out=self.n_classes,
            generator=stream(seed, "model"),
            statistics=self.statistics,
            **self.input_settings,
            **self.model,
        )

    def restore(self, seed: int) -> nn.Module:
        """The selected model of `seed` on the CPU, in evaluation mode.

        Raises:
            ValueError: if there is no state of this seed.
        """
        if seed not in self.states:
            raise ValueError(f"there is no model of seed {seed}; there are {sorted(self.states)}")
        network = self.initial(seed)
        network.load_state_dict(self.states[seed])
        return network.eval()


@dataclass(frozen=True)
class Predictions:
    """The logits of one selected model on the test examples, on the CPU."""

    seed: int
    object_ids: Int[Tensor, " n"]
    views: Int[Tensor, " n"]
    labels: Int[Tensor, " n"]
    logits: Float[Tensor, "n classes"]


@dataclass(frozen=True)
class CellResult:
    """What a cell found; `views` and `objects` are those asked for.

    `train_inrs` and `test_inrs` count the networks there were, without failed fits, or the
    images or sets of points. `majority_accuracy` is the share of the test examples that are of
    the most frequent class of training. `runs` has one row per seed, `history` one per seed and
    evaluation; `failed_seeds` says why a seed has none.
    `streamed_mb`, of networks that stayed in their file, is how much of them could be held, which
    decides the order of the batches; None of all others.
    """

    models: SelectedModels
    n_parameters: int
    views: int
    objects: int
    train_inrs: int
    test_inrs: int
    majority_accuracy: float
    updates: int
    batch_size: int
    streamed_mb: float | None
    seconds: float
    failed_seeds: dict[int, str]
    runs: list[dict[str, Any]]
    history: list[dict[str, Any]]
    predictions: list[Predictions]
