"""What an encoder is worth with few labels: a linear probe, fine-tuning, or from scratch."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from weightspace.dataset.examples import Dataset
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import Statistics
from weightspace.dataset.stored_weights import StoredWeights
from weightspace.rng import stream
from weightspace.train.accuracy import scores
from weightspace.train.draws import global_rng_from
from weightspace.train.frozen_encoder import FrozenEncoder, freeze
from weightspace.train.linear_probe import UnconvergedError
from weightspace.train.selection import subset
from weightspace.train.steps import DivergedError, require_finite
from weightspace.train.supervised import predict, train_supervised
from weightspace.train.unfinished import NOTHING_KEPT, UnfinishedCell

__all__ = ["FAILURES", "Failure", "FewLabels", "Judgement", "label_count", "lengthened"]

FAILURES = (DivergedError, UnconvergedError)
"""What ends one classifier and leaves the others alone."""


@dataclass(frozen=True)
class Judgement:
    """One selected classifier and what it says of the test INRs, on the CPU.

    `run` is a row of results without its seed.
    """

    run: dict[str, Any]
    object_ids: Int[Tensor, " n"]
    labels: Int[Tensor, " n"]
    predictions: Int[Tensor, " n"]


@dataclass(frozen=True)
class Failure:
    """Why a classifier has no judgement."""

    protocol: str
    label_fraction: float
    reason: str

    def __str__(self) -> str:
        """What is missing, and why."""
        name = f"{self.protocol} with label fraction {self.label_fraction:g}"
        return f"{name} has no result: {self.reason}"


@dataclass(frozen=True)
class FewLabels:
    """The task of learning from the labels of some of the training objects.

    Attributes:
        datasets: the splits train and test, all views; test is read after each selection only.
        train: the selected views of all training objects, on the device of the training.
        val: what every protocol alike selects on, with all its labels, on the same device.
        statistics: of the raw networks of `train`.
        embedding: the number of outputs of the encoders.
        label_fractions: the shares of the training objects whose labels are used.
        fine_tune: the keyword arguments of `train_supervised` from `updates` to
            `evaluate_every`.
        l2: the penalties that a linear probe may choose from.
        unfinished: what an ended job left of the trainings.
    """

    datasets: Mapping[str, Dataset]
    train: InrDataset
    val: Dataset
    statistics: Statistics
    embedding: int
    label_fractions: Sequence[float]
    fine_tune: Mapping[str, Any]
    l2: Sequence[float]
    unfinished: UnfinishedCell = NOTHING_KEPT

    @property
    def n_objects(self) -> int:
        """The number of training objects, all of whose labels are the fraction 1."""
        return len(self.datasets["train"].object_ids.unique())

    def labelled(self, fraction: float, *, seed: int) -> tuple[int, Bool[Tensor, " n"]]:
        """How many objects keep their label, and which networks of `train` are theirs.

        The objects are class-balanced and drawn by the seed; smaller fractions are parts of
        larger ones.
        """
        size = label_count(fraction, objects=self.n_objects, n_classes=self.train.n_classes)
        # The order of objects is that of all fits, so it is the same for every number of views.
        everything, ids = self.datasets["train"], self.train.object_ids
        chosen = everything.select(objects=size, seed=seed).object_ids.unique()
        return size, torch.isin(ids, chosen.to(ids.device))

    def calibration(self, *, seed: int) -> Dataset:
        """What every training calibrates its batch norms on, however few of them have a label.

        It is drawn by the seed from all training networks, at most as many as validation has.
        """
        generator = stream(seed, "contrastive", "calibration")
        return subset(self.train, len(self.val), generator=generator)

    def classifier(self, encoder: nn.Module, *, seed: int) -> nn.Module:
        """The encoder itself with a linear layer, whose initial state is the seed's."""
        with global_rng_from(stream(seed, "contrastive", "classifier")):
            head = nn.Linear(self.embedding, self.train.n_classes)
        return nn.Sequential(encoder, head.to(self.train.device))

    def frozen(self, encoder: nn.Module, protocol: str, *, seed: int) -> list[Judgement | Failure]:
        """Test a linear probe on the embedding of `encoder` for each label fraction.

        Args:
            encoder: as it is to be judged; evaluated without any change.
            protocol: the name of the runs.
            seed: of the labelled objects.
        """
        try:
            frozen = freeze(encoder, self.train, self.statistics, self.fine_tune["batch_size"])
        except DivergedError as error:
            return [Failure(protocol, f, str(error)) for f in self.label_fractions]
        return self._each(protocol, lambda f: self._probe(frozen, f, protocol, seed))

    def trained(
        self,
        encoder: nn.Module,
        protocol: str,
        *,
        seed: int,
        further_updates: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Judgement | Failure]:
        """Test a classifier trained from the state of `encoder` for each label fraction.

        No augmentation is used. One seed gives the same initial linear layer and the same
        batches, whatever the state of the encoder, which itself is left as it is.

        Args:
            encoder: pre-trained or not.
            protocol: the name of the runs.
            seed: of the linear layer, the labelled objects and the batches.
            further_updates: how many more to make than `fine_tune` says, see `lengthened`.
            progress: called after each update with (done, total) of its training.
        """
        settings = lengthened(self.fine_tune, further_updates)
        return self._each(
            protocol, lambda f: self._train(encoder, f, protocol, seed, settings, progress)
        )

    def _each(
        self, protocol: str, judge: Callable[[float], Judgement]
    ) -> list[Judgement | Failure]:
        """Judge with each label fraction; one that fails leaves the others alone."""
        found: list[Judgement | Failure] = []
        for fraction in self.label_fractions:
            try:
                found.append(judge(fraction))
            except FAILURES as error:
                found.append(Failure(protocol, fraction, str(error)))
        return found

    def _probe(
        self, encoder: FrozenEncoder, fraction: float, protocol: str, seed: int
    ) -> Judgement:
        started = perf_counter()
        size, mask = self.labelled(fraction, seed=seed)
        found = encoder.probe(mask, self.val, l2=self.l2)
        run = {"protocol": protocol, "label_fraction": fraction, "label_objects": size}
        run |= {"val_accuracy": found.val_accuracy, "best_update": None, "l2": found.l2}
        return self._tested(run, lambda test: found.probe(encoder(test)), started)

    def _train(
        self,
        encoder: nn.Module,
        fraction: float,
        protocol: str,
        seed: int,
        settings: Mapping[str, Any],
        progress: Callable[[int, int], None] | None,
    ) -> Judgement:
        started = perf_counter()
        size, mask = self.labelled(fraction, seed=seed)
        model = self.classifier(copy.deepcopy(encoder), seed=seed)
        chosen = self.train[mask]
        # What may be held decides the order of the batches of networks in their file.
        stored = [chosen.inputs.memory] if isinstance(chosen.inputs, StoredWeights) else []
        here = self.unfinished.training("seed", seed, protocol, fraction, *stored)
        found = train_supervised(
            model,
            chosen,
            self.val,
            augment=None,
            mix=None,
            statistics=self.statistics,
            **settings,
            calibrate_on=self.calibration(seed=seed),
            generator=stream(seed, "contrastive", "fine_tune"),
            unfinished=here,
            progress=progress,
        )
        model.load_state_dict(found.best_state)
        run = {"protocol": protocol, "label_fraction": fraction, "label_objects": size}
        run |= {"val_accuracy": found.best_row["val_accuracy"]}
        run |= {"best_update": found.best_row["update"], "l2": None}
        given = self.statistics, settings["batch_size"]
        return self._tested(run, lambda test: predict(model, test, *given), started - here.earlier)

    def _tested(
        self,
        run: dict[str, Any],
        classify: Callable[[Dataset], Float[Tensor, "n classes"]],
        started: float,
    ) -> Judgement:
        """Read the test split, once for each selected classifier."""
        test = self.datasets["test"].select(views=1).to(self.train.device)
        logits = classify(test)
        accuracy, loss = scores(logits, test.labels)
        require_finite(loss, "the test loss")
        run = {**run, "test_accuracy": accuracy, "test_loss": loss}
        columns = (test.object_ids, test.labels, logits.argmax(dim=1))
        return Judgement({**run, "seconds": perf_counter() - started}, *(c.cpu() for c in columns))


def label_count(fraction: float, *, objects: int, n_classes: int) -> int:
    """How many objects keep their label: the fraction, rounded, but one of each class at least.

    Raises:
        ValueError: if the fraction is not in (0, 1], or there are fewer objects than classes.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"a label fraction is {fraction}; it must be in (0, 1]")
    if objects < n_classes:
        raise ValueError(f"{objects} objects cannot show {n_classes} classes; use more objects")
    return max(n_classes, round(fraction * objects))


def lengthened(settings: Mapping[str, Any], further: int) -> dict[str, Any]:
    """The settings of a training of `further` more updates and as many evaluations.

    Where the updates cannot be divided so, there are fewer evaluations: never more to select
    from. The warm-up stays as it is.
    """
    if not further:
        return dict(settings)
    evaluations = math.ceil(settings["updates"] / settings["evaluate_every"])
    updates = settings["updates"] + further
    return {
        **settings,
        "updates": updates,
        "evaluate_every": math.ceil(updates / evaluations),
    }
