"""Supervised training of a classifier, with selection on validation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from weightspace.train.history import History
from weightspace.train.losses import one_hot, soft_cross_entropy
from weightspace.train.selection import subset
from weightspace.train.stacked import Objective, Stacked
from weightspace.train.steps import (
    DivergedError,
    Stepper,
    check_settings,
    means_since,
    require_finite,
)

__all__ = [
    "balanced_accuracy",
    "majority_accuracy",
    "predict",
    "scores",
    "train_supervised",
    "train_together",
]


def train_supervised(
    model: nn.Module,
    train: Dataset,
    val: Dataset,
    *,
    generator: torch.Generator,
    **settings: Any,
) -> History:
    """Train one model in place.

    Args:
        model: ends in the state of the last update; the selected one is in the result.
        train: the examples to learn from, on the model's device.
        val: the examples to select on, on the same device.
        generator: the source of all randomness.
        settings: the further arguments of `train_together`.

    Raises:
        DivergedError: if a loss is not finite.
        ValueError: if a setting is out of its range or a dataset is empty.
    """
    (found,) = train_together([model], train, val, generators=[generator], **settings)
    if isinstance(found, DivergedError):
        raise found
    return found


def train_together(
    models: Sequence[nn.Module],
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
    precision: str = "float32",
    calibrate_on: Dataset | None = None,
    generators: Sequence[torch.Generator],
    progress: Callable[[int, int], None] | None = None,
) -> list[History | DivergedError]:
    """Train each of `models` in place: select, augment, mix, standardise, predict, step.

    Augmentations and mixes act on raw weights, whose symmetries they use; standardisation
    comes after them. Each generator seeds separate streams for the order, the augmentation and
    the mix, so that trainings from equal generators see the same batches whatever their scheme.

    Several models make each update in one call, see `Stacked`. They share nothing else: a model
    gives what it gives alone, up to rounding, and one that diverges leaves the others as they
    are. The exception are layers that draw, such as dropout: they draw from one stream for all
    models, so with them a training depends on which others it is together with.

    Args:
        models: of one architecture, from standardised inputs to logits `(batch, classes)`; they
            end in the state of the last update, the selected ones are in the result.
        train: the examples to learn from, on the models' device.
        val: the examples to select on, on the same device.
        augment: applied to each batch of networks; None for none, and for raw data.
        mix: applied after `augment`; None for none, and for raw data.
        statistics: of the raw training examples, for `standardise`.
        updates: the number of optimiser steps.
        batch_size: examples per step of each model, and per step of the evaluation.
        lr: the peak learning rate of AdamW; `warmup_cosine` gives its course.
        weight_decay: of AdamW.
        warmup: the number of updates over which the learning rate rises.
        label_smoothing: the share of each target that is spread over all classes.
        clip_norm: scale the gradients of each model down to this norm; None never does.
        evaluate_every: updates between evaluations; the last update always has one.
        precision: "float32", or "bfloat16" for what the models multiply while they train.
            Parameters, AdamW, standardisation, losses and evaluations are in float32.
        calibrate_on: the un-augmented examples that the batch norms are calibrated on before
            each evaluation, on the same device; no label is used. None takes the training
            examples that `History` tells of.
        generators: the source of all randomness of each model.
        progress: called after each update with (done, total).

    Returns:
        For each model the rows of the evaluations and the state of best validation accuracy,
        ties going to the lower validation loss, then to the earlier one; or, if a loss is not
        finite, the error that says so.

    Raises:
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
        precision=precision,
    )
    targets = one_hot(train.labels, train.n_classes, smoothing=label_smoothing)
    device, runs = train.device, []
    for model, generator in zip(models, generators, strict=True):
        order, chosen, augmented, mixed, layers = split(
            generator, ("cpu", "cpu", device, device, device)
        )
        seen = subset(train, len(val), generator=chosen)
        batches = examples(train, batch_size=batch_size, generator=order)
        runs.append(_Run(model.train(), batches, augmented, mixed, layers, seen))
    objective = _objective(statistics, device, precision)
    stacked = Stacked(models, objective) if len(models) > 1 else None
    stepper = Stepper(
        list(models[0].parameters()) if stacked is None else stacked.parameters,
        updates=updates,
        lr=lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip_norm=clip_norm,
        stacked=stacked is not None,
    )

    losses: list[Tensor] = []  # since the last evaluation, one per model each
    with global_rng_from(runs[0].layer_stream):
        for update in range(1, updates + 1):
            drawn = [run.draw(targets, augment, mix) for run in runs]
            if stacked is None:
                loss = objective(models[0], *drawn[0])[None]
                step_lr = stepper.step(loss.sum(), update)
            else:
                loss = stacked.backward(drawn)
                step_lr = stepper.descend(update)
            losses.append(loss.detach())
            if update % evaluate_every == 0 or update == updates:
                row = {"update": update, "epoch": update * batch_size / len(train), "lr": step_lr}
                for run, own in zip(runs, torch.stack(losses, dim=1).cpu(), strict=True):
                    run.evaluate(row, own, val, calibrate_on, statistics, batch_size)
                if all(run.failure for run in runs):
                    break
                losses = []
            if progress is not None:
                progress(update, updates)
    return [run.failure or run.history for run in runs]


@dataclass
class _Run:
    """One model of a training: where its batches come from, and what it has found."""

    model: nn.Module
    batches: Iterator[tuple[Tensor, Any]]
    augment_stream: torch.Generator
    mix_stream: torch.Generator
    layer_stream: torch.Generator
    seen: Dataset
    history: History = field(default_factory=History)
    failure: DivergedError | None = None

    def draw(
        self, targets: Tensor, augment: Augmentation | None, mix: Mix | None
    ) -> tuple[Any, Tensor]:
        """The inputs of the next update, not yet standardised, and their targets."""
        index, x = next(self.batches)
        target = targets[index]
        if augment is not None:
            x = augment(x, generator=self.augment_stream)
        if mix is not None:
            x, target = mix(x, target, generator=self.mix_stream)
        return x, target

    def evaluate(
        self,
        row: Mapping[str, Any],
        losses: Float[Tensor, " updates"],
        val: Dataset,
        calibrate_on: Dataset | None,
        statistics: Statistics,
        batch_size: int,
    ) -> None:
        """Finish the row of an evaluation and select, unless the training has diverged."""
        if self.failure:
            return
        found, given = dict(row), (statistics, batch_size)
        try:
            (found["loss"],) = means_since(losses.unbind(), row["update"], loss="the training loss")
            calibration = self.seen if calibrate_on is None else calibrate_on
            calibrate_norms(self.model, calibration, *given)
            for name, part in (("train", self.seen), ("val", val)):
                logits = predict(self.model, part, *given)
                found[f"{name}_accuracy"], found[f"{name}_loss"] = scores(logits, part.labels)
            found["val_balanced_accuracy"] = balanced_accuracy(logits, val.labels)
            require_finite(found["val_loss"], f"the validation loss after update {row['update']}")
        except DivergedError as error:
            self.failure = error
        else:
            self.history.add(found, self.model)


def _objective(statistics: Statistics, device: torch.device, precision: str) -> Objective:
    """The loss of a model on a batch of raw inputs with soft targets."""
    half = precision == "bfloat16"

    def objective(model: Callable[[Any], Tensor], x: Any, target: Tensor) -> Tensor:
        x = standardise(x, statistics)  # before anything is rounded
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = model(x)
        return soft_cross_entropy(logits.float() if half else logits, target)

    return objective


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
