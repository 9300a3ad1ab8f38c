"""Supervised training of a classifier, with selection on validation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from weightspace.augment.compose import Augmentation
from weightspace.augment.mixup import Mix
from weightspace.dataset.examples import Dataset
from weightspace.dataset.statistics import Statistics, standardise
from weightspace.train.batches import examples
from weightspace.train.calibrate import calibrate_norms
from weightspace.train.draws import global_rng_from, split
from weightspace.train.losses import one_hot, soft_cross_entropy
from weightspace.train.selection import subset
from weightspace.train.steps import Stepper, check_settings, means_since, require_finite

__all__ = ["History", "balanced_accuracy", "predict", "scores", "train_supervised"]


@dataclass(frozen=True)
class History:
    """What one training left: a row per evaluation, and the best state on validation.

    `rows` have the keys update, epoch, lr, loss, train_accuracy, train_loss, val_accuracy,
    val_loss and val_balanced_accuracy; `best_row` is the selected one, `best_state` a copy of the
    model's state at it, on the CPU. `loss` is the mean objective since the row before, with
    augmentation, mix and smoothing. `train_accuracy` and `train_loss` are on the un-augmented
    training examples, of which a fixed subset no larger than the validation set is taken; unless
    others are given, it is the one that the batch norms are calibrated on.
    """

    rows: list[dict[str, Any]]
    best_row: dict[str, Any]
    best_state: dict[str, Tensor]


def train_supervised(
    model: nn.Module,
    train: Dataset,
    val: Dataset,
    *,
    augment: Augmentation | None,
    mix: Mix | None,
    statistics: Statistics,
    updates: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    warmup: int,
    label_smoothing: float = 0.0,
    clip_norm: float | None = None,
    evaluate_every: int,
    calibrate_on: Dataset | None = None,
    generator: torch.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> History:
    """Train `model` in place: select, augment, mix, standardise, predict, step.

    Augmentations and mixes act on raw weights, whose symmetries they use; standardisation
    comes after them. `generator` seeds separate streams for the order, the augmentation and
    the mix, so that trainings from equal generators see the same batches whatever their scheme.

    Args:
        model: maps standardised inputs to logits `(batch, classes)`; it ends in the state of
            the last update, the selected one is in the result.
        train: the examples to learn from, on the model's device.
        val: the examples to select on, on the same device.
        augment: applied to each batch of networks; None for none, and for raw data.
        mix: applied after `augment`; None for none, and for raw data.
        statistics: of the raw training examples, for `standardise`.
        updates: the number of optimiser steps.
        batch_size: examples per step, and per step of the evaluation.
        lr: the peak learning rate of AdamW; `warmup_cosine` gives its course.
        weight_decay: of AdamW.
        warmup: the number of updates over which the learning rate rises.
        label_smoothing: the share of each target that is spread over all classes.
        clip_norm: scale gradients down to this norm; None never does.
        evaluate_every: updates between evaluations; the last update always has one.
        calibrate_on: the un-augmented examples that the batch norms are calibrated on before
            each evaluation, on the same device; no label is used. None takes the training
            examples that `History` tells of.
        generator: the source of all randomness.
        progress: called after each update with (done, total).

    Returns:
        The rows of the evaluations and the state of best validation accuracy, ties going to the
        lower validation loss, then to the earlier one.

    Raises:
        DivergedError: if a loss is not finite.
        ValueError: if a setting is out of its range or a dataset is empty.
    """
    check_settings(
        training=len(train),
        validation=len(val),
        updates=updates,
        batch_size=batch_size,
        lr=lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip_norm=clip_norm,
        evaluate_every=evaluate_every,
    )
    device = train.device
    order, subset_stream, augment_stream, mix_stream, layer_stream = split(
        generator, ("cpu", "cpu", device, device, device)
    )
    targets = one_hot(train.labels, train.n_classes, smoothing=label_smoothing)
    seen = subset(train, len(val), generator=subset_stream)
    calibrate_on = seen if calibrate_on is None else calibrate_on
    batches = examples(train, batch_size=batch_size, generator=order)
    stepper = Stepper(
        list(model.parameters()),
        updates=updates,
        lr=lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip_norm=clip_norm,
    )

    rows: list[dict[str, Any]] = []
    best_row: dict[str, Any] = {}
    best_state: dict[str, Tensor] = {}
    losses: list[Tensor] = []
    with global_rng_from(layer_stream):
        model.train()
        for update in range(1, updates + 1):
            index, x = next(batches)
            target = targets[index]
            if augment is not None:
                x = augment(x, generator=augment_stream)
            if mix is not None:
                x, target = mix(x, target, generator=mix_stream)
            loss = soft_cross_entropy(model(standardise(x, statistics)), target)
            step_lr = stepper.step(loss, update)
            losses.append(loss.detach())
            if update % evaluate_every == 0 or update == updates:
                row = {"update": update, "epoch": update * batch_size / len(train), "lr": step_lr}
                (row["loss"],) = means_since(losses, update, loss="the training loss")
                calibrate_norms(model, calibrate_on, statistics, batch_size)
                for name, part in (("train", seen), ("val", val)):
                    logits = predict(model, part, statistics, batch_size)
                    row[f"{name}_accuracy"], row[f"{name}_loss"] = scores(logits, part.labels)
                row["val_balanced_accuracy"] = balanced_accuracy(logits, val.labels)
                require_finite(row["val_loss"], f"the validation loss after update {update}")
                if not best_row or _rank(row) > _rank(best_row):
                    best_row, best_state = row, _copy_state(model)
                rows.append(row)
                losses = []
            if progress is not None:
                progress(update, updates)
    return History(rows, best_row, best_state)


def predict(
    model: nn.Module, dataset: Dataset, statistics: Statistics, batch_size: int
) -> Float[Tensor, "n classes"]:
    """The logits of `model` in evaluation mode for each example, `batch_size` at a time."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        logits = [
            model(standardise(dataset.inputs[start : start + batch_size], statistics))
            for start in range(0, len(dataset), batch_size)
        ]
    model.train(was_training)
    return torch.cat(logits)


def scores(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> tuple[float, float]:
    """The accuracy in [0, 1] and the mean cross-entropy in nats."""
    hits = (logits.argmax(dim=1) == labels).sum().item()
    return hits / len(labels), nn.functional.cross_entropy(logits, labels).item()


def balanced_accuracy(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> float:
    """The mean over the classes that occur in `labels` of the share of theirs that is right.

    It is the accuracy where all these classes have equally many examples.
    """
    labels, hits = labels.cpu(), (logits.argmax(dim=1) == labels).cpu()
    members = labels[:, None] == labels.unique()  # (n, classes that occur)
    recalls = (members & hits[:, None]).sum(dim=0) / members.sum(dim=0).double()
    return recalls.mean().item()


def majority_accuracy(train: Int[Tensor, " n"], test: Int[Tensor, " m"]) -> float:
    """The accuracy on `test` of always answering the most frequent label of `train`."""
    return (test.cpu() == train.cpu().mode().values).double().mean().item()


def _rank(row: dict[str, Any]) -> tuple[float, float]:
    """Greater is better: accuracy on validation, then minus the loss."""
    return row["val_accuracy"], -row["val_loss"]


def _copy_state(model: nn.Module) -> dict[str, Tensor]:
    """A copy on the CPU that further updates leave alone."""
    return {k: v.detach().to("cpu", copy=True) for k, v in model.state_dict().items()}
