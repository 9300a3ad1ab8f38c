"""What one training leaves, and which of its states is selected."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

__all__ = ["History"]


@dataclass
class History:
    """What one training left: a row per evaluation, and the best state on validation.

    `rows` have the keys update, epoch, lr, loss, train_accuracy, train_loss, val_accuracy,
    val_loss and val_balanced_accuracy; `best_row` is the selected one, `best_state` a copy of the
    model's state at it, on the CPU. `loss` is the mean objective since the row before, with
    augmentation, mix and smoothing. `train_accuracy` and `train_loss` are on the un-augmented
    training examples, of which a fixed subset no larger than the validation set is taken; unless
    others are given, it is the one that the batch norms are calibrated on.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    best_row: dict[str, Any] = field(default_factory=dict)
    best_state: dict[str, Tensor] = field(default_factory=dict)

    def add(self, row: dict[str, Any], model: nn.Module) -> None:
        """Add the row of an evaluation; select the state of `model` if it is the best so far."""
        if not self.rows or _rank(row) > _rank(self.best_row):
            self.best_row, self.best_state = row, _copy_state(model)
        self.rows.append(row)


def _rank(row: dict[str, Any]) -> tuple[float, float]:
    """Greater is better: accuracy on validation, then minus the loss."""
    return row["val_accuracy"], -row["val_loss"]


def _copy_state(model: nn.Module) -> dict[str, Tensor]:
    """A copy on the CPU that further updates leave alone."""
    return {k: v.detach().to("cpu", copy=True) for k, v in model.state_dict().items()}
