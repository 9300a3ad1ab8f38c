"""Supervised training of a classifier, with selection on validation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weightspace.augment.compose import Augmentation
from weightspace.augment.mixup import Mix
from weightspace.dataset.examples import Dataset
from weightspace.dataset.statistics import Statistics, standardise
from weightspace.parts import in_parts
from weightspace.train.accuracy import balanced_accuracy, scores
from weightspace.train.batches import examples
from weightspace.train.calibrate import calibrate_norms
from weightspace.train.draws import global_rng_from, split
from weightspace.train.history import History
from weightspace.train.losses import classification, one_hot
from weightspace.train.pairs import view_pairs
from weightspace.train.selection import subset
from weightspace.train.stacked import Stacked
from weightspace.train.steps import (
    DivergedError,
    Stepper,
    check_settings,
    means_since,
    require_finite,
)
from weightspace.train.unfinished import UnfinishedTraining, captured, put_back

__all__ = ["predict", "train_supervised", "train_together"]


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
    consistency: float = 0.0,
    clip_norm: float | None = None,
    evaluate_every: int,
    precision: str = "float32",
    calibrate_on: Dataset | None = None,
    generators: Sequence[torch.Generator],
    unfinished: UnfinishedTraining | None = None,
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
        consistency: the weight in the loss of `symmetric_kl` between the predictions of two views
            of one object. Unless it is 0, a batch is of `view_pairs`: as many networks, but two
            views each of half as many objects, augmented apart.
        clip_norm: scale the gradients of each model down to this norm; None never does.
        evaluate_every: updates between evaluations; the last update always has one.
        precision: "float32", or "bfloat16" for what the models multiply while they train.
            Parameters, AdamW, standardisation, losses and evaluations are in float32.
        calibrate_on: the un-augmented examples that the batch norms are calibrated on before
            each evaluation, on the same device; no label is used. None takes the training
            examples that `History` tells of.
        generators: the source of all randomness of each model.
        unfinished: where a training that is ended is saved at evaluations, and goes on from when
            it is called again with equal arguments, to the same result; None saves nothing.
        progress: called after each update with (done, total).

    Returns:
        For each model the rows of the evaluations and the state of best validation accuracy,
        ties going to the lower validation loss, then to the earlier one; or, if a loss is not
        finite, the error that says so.

    Raises:
        ValueError: if a setting is out of its range, a dataset is empty, or consistency is asked
            for with a mix or of objects with one view.

    Reference: Liang et al. 2021, R-Drop, equation 4: consistency, there of two dropouts.
    """
    if consistency and mix is not None:
        raise ValueError("consistency is of two views of one object, mixtures are of two objects")
    check_settings(
        training=len(train),
        validation=len(val),
        updates=updates,
        batch_size=batch_size,
        consistency=consistency,
        lr=lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip_norm=clip_norm,
        evaluate_every=evaluate_every,
        precision=precision,
    )
    targets = one_hot(train.labels, train.n_classes, smoothing=label_smoothing)
    device, runs = train.device, []
    unfinished, report = unfinished or UnfinishedTraining(), progress or (lambda *_: None)
    saved = unfinished.load()
    done = 0 if saved is None else saved["update"]
    read = view_pairs if consistency else examples
    for model, generator in zip(models, generators, strict=True):
        order, chosen, augmented, mixed, layers = split(
            generator, ("cpu", "cpu", device, device, device)
        )
        seen = subset(train, len(val), generator=chosen)
        batches = read(train, batch_size=batch_size, generator=order, skip=done)
        runs.append(_Run(model.train(), batches, augmented, mixed, layers, seen))
    objective = classification(statistics, device, precision, consistency)
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
    drawn_from = [g for run in runs for g in (run.augment_stream, run.mix_stream)]
    everything = models, stepper.optimizer, drawn_from, device
    with global_rng_from(runs[0].layer_stream):
        if saved is not None:
            put_back(saved, *everything)
            for run, found in zip(runs, saved["found"], strict=True):
                run.put_back(found)
            report(done, updates)
        for update in range(done + 1, updates + 1):
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
                over = update == updates or all(run.failure for run in runs)
                state = {"update": updates if over else update, **captured(*everything)}
                unfinished.save(state | {"found": [run.found for run in runs]}, last=over)
                if over and update < updates:
                    break
                losses = []
            report(update, updates)
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

    @property
    def found(self) -> dict[str, Any]:
        """The history and the failure in plain containers."""
        return {"history": vars(self.history), "failure": self.failure and str(self.failure)}

    def put_back(self, found: Mapping[str, Any]) -> None:
        """Take up what was `found`."""
        self.history = History(**found["history"])
        self.failure = found["failure"] and DivergedError(found["failure"])

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


def predict(
    model: nn.Module, dataset: Dataset, statistics: Statistics, batch_size: int
) -> Float[Tensor, "n classes"]:
    """The logits of `model` in evaluation mode for each example, `in_parts` of `batch_size`."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        given = len(dataset), batch_size
        logits = [*in_parts(lambda i: model(standardise(dataset.inputs[i], statistics)), *given)]
    model.train(was_training)
    return torch.cat(logits)
