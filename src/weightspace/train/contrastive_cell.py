"""One contrastive cell: pre-train from every seed, then judge with few and with all labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import nn

from weightspace.augment.build import build_augment
from weightspace.augment.compose import Augmentation
from weightspace.dataset.examples import Dataset
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import tensor_statistics
from weightspace.models.build import build_model
from weightspace.rng import stream
from weightspace.train.calibrate import calibrate_norms
from weightspace.train.contrastive import pretrain, projection_head
from weightspace.train.few_labels import Failure, FewLabels, Judgement
from weightspace.train.selection import select_training
from weightspace.train.steps import DivergedError
from weightspace.train.unfinished import NOTHING_KEPT, UnfinishedCell

__all__ = ["ContrastiveResult", "train_contrastive_cell"]


@dataclass(frozen=True)
class ContrastiveResult:
    """What a contrastive cell found.

    `judgements` holds by seed one per protocol and label fraction, `failures` those of them that
    there is no judgement of; `history` has one row per seed and evaluation of the pre-training;
    `n_parameters` counts the encoder with its linear layer; `failed_seeds` says why a seed has
    no judgement at all.
    """

    n_parameters: int
    n_classes: int
    views: int
    objects: int
    seconds: float
    failed_seeds: dict[int, str]
    judgements: dict[int, list[Judgement]]
    failures: dict[int, list[Failure]]
    history: list[dict[str, Any]]


def train_contrastive_cell(
    datasets: Mapping[str, Dataset],
    *,
    model: Mapping[str, Any],
    embedding: int,
    scheme: Mapping[str, Any] | None,
    pairs: str | None,
    views: int,
    train_views: int | None = None,
    seeds: Sequence[int],
    label_fractions: Sequence[float],
    pretraining: Mapping[str, Any],
    fine_tune: Mapping[str, Any],
    l2: Sequence[float],
    device: torch.device | str = "cpu",
    unfinished: UnfinishedCell = NOTHING_KEPT,
    progress: Callable[[int, int], None] | None = None,
) -> ContrastiveResult:
    """Pre-train one encoder per seed without labels, then judge it with each share of labels.

    Of a pre-trained encoder, every label fraction gives a linear probe on its frozen embedding
    and a fine-tuning of all of it. Without a scheme there is no pre-training: the probe reads
    the initial encoder, which tells what the architecture alone gives ("untrained_probe"), and
    the same classifier is trained from its initial state, with the updates of the fine-tuning
    ("scratch") and with those of pre-training and fine-tuning together ("scratch_long"). None
    of these trainings augments, and all calibrate their batch norms on the same training
    networks, which need no label.

    A seed fixes the initial encoder and linear layer, the pairs, which objects keep their label
    and the batches they come in, all the same for every scheme; a smaller label fraction is a
    part of a larger one. Fractions count labels of training objects. Every protocol alike
    selects on all labels of the validation split (the probe its penalty, the trainings their
    update); the pre-training sees no label and selects nothing. The test split is read once for
    each selected classifier, after its selection.

    Args:
        datasets: the splits train, val and test; of val and test only view 0 is used.
        model: `{"kind": a key of MODELS, ...its settings}`, the encoder.
        embedding: the number of outputs of the encoder.
        scheme: `{"augment": [{"kind": a key of AUGMENTATIONS, ...}]}`; None for scratch.
        pairs: "augmented" or "views", see `pretrain`; None for scratch.
        views: the views 0, ..., views - 1 of each training object are used.
        train_views: the views from this one on are held out of all training; None holds out none.
        seeds: one pre-training each.
        label_fractions: the shares of the training objects whose labels are used, in (0, 1].
        pretraining: `projection`, the width at which pairs are compared, and the keyword
            arguments of `pretrain` from `temperature` to `evaluate_every`; without a scheme only
            `updates` is read.
        fine_tune: the keyword arguments of `train_supervised` from `updates` to
            `evaluate_every`.
        l2: the penalties that the linear probe may choose from.
        device: where to train.
        unfinished: what an earlier call that was ended left of the same cell; the trainings go on
            from there. Seconds are those of all calls.
        progress: called after each update with (done, total) over all seeds.

    Raises:
        DivergedError: if nothing of any seed succeeds. A pre-training that diverges is in
            `failed_seeds`; a classifier that does, or whose probe does not converge, is in
            `failures` and leaves the other ones of its seed.
        ValueError: if a kind or a split is unknown, a setting is out of its range, or one of
            `scheme` and `pairs` is missing.
    """
    started = perf_counter()
    _check(datasets, seeds, label_fractions)
    if (scheme is None) != (pairs is None):
        raise ValueError(
            f"scheme is {scheme} and pairs is {pairs}; pre-training needs both, scratch neither"
        )
    train = _training(datasets["train"], views, train_views).to(device)
    val = datasets["val"].select(views=1).to(device)
    statistics = tensor_statistics(train.weights)
    augment = None if scheme is None else _augmentation(scheme, train.omega_0)
    task = FewLabels(
        datasets=datasets,
        train=train,
        val=val,
        statistics=statistics,
        embedding=embedding,
        label_fractions=label_fractions,
        fine_tune=fine_tune,
        l2=l2,
        unfinished=unfinished,
    )
    on_update = _counting(progress, len(seeds) * _updates(task, pretraining, scratch=not pairs))
    judgements: dict[int, list[Judgement]] = {}
    failures: dict[int, list[Failure]] = {}
    failed_seeds: dict[int, str] = {}
    history, n_parameters = [], 0
    for seed in seeds:
        encoder = build_model(
            d_out=embedding,
            generator=stream(seed, "model"),
            statistics=statistics,
            **train.input_settings,
            **model,
        ).to(device)
        n_parameters = sum(p.numel() for p in task.classifier(encoder, seed=seed).parameters())
        if augment is None or pairs is None:
            found = _from_scratch(encoder, task, pretraining["updates"], seed, on_update)
        else:
            try:
                rows = _pretrain(encoder, task, augment, pairs, pretraining, seed, on_update)
            except DivergedError as error:
                failed_seeds[seed] = str(error)
                continue
            history += [{"seed": seed, **row} for row in rows]
            found = task.frozen(encoder, "linear_probe", seed=seed)
            found += task.trained(encoder, "fine_tune", seed=seed, progress=on_update)
        failures[seed] = [f for f in found if isinstance(f, Failure)]
        if len(failures[seed]) < len(found):
            judgements[seed] = [j for j in found if isinstance(j, Judgement)]
        else:
            failed_seeds[seed] = failures[seed][0].reason
    if not judgements:
        raise DivergedError(f"every seed failed; seed {seeds[0]}: {failed_seeds[seeds[0]]}")
    return ContrastiveResult(
        n_parameters=n_parameters,
        n_classes=train.n_classes,
        views=views,
        objects=task.n_objects,
        seconds=perf_counter() - started + unfinished.earlier,
        failed_seeds=failed_seeds,
        judgements=judgements,
        failures=failures,
        history=history,
    )


def _training(dataset: Dataset, views: int, train_views: int | None) -> InrDataset:
    """The selected views of all training objects."""
    train = select_training(dataset, views=views, objects=None, train_views=train_views).train
    if not isinstance(train, InrDataset):
        raise ValueError(
            "pre-training augments the weights of networks; it was given images or points"
        )
    return train


def _updates(task: FewLabels, pretraining: Mapping[str, Any], *, scratch: bool) -> int:
    """How many updates one seed makes."""
    n, fine_tune = len(task.label_fractions), task.fine_tune["updates"]
    if scratch:
        return n * (2 * fine_tune + pretraining["updates"])
    return n * fine_tune + pretraining["updates"]


def _from_scratch(
    encoder: nn.Module,
    task: FewLabels,
    further_updates: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> list[Judgement | Failure]:
    """Judge the initial encoder, and trainings from it, the longer ones with further updates."""
    calibrate_norms(encoder, task.train, task.statistics, task.fine_tune["batch_size"])
    found = task.frozen(encoder, "untrained_probe", seed=seed)
    for protocol, further in (("scratch", 0), ("scratch_long", further_updates)):
        found += task.trained(
            encoder, protocol, seed=seed, further_updates=further, progress=progress
        )
    return found


def _pretrain(
    encoder: nn.Module,
    task: FewLabels,
    augment: Augmentation,
    pairs: str,
    pretraining: Mapping[str, Any],
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, Any]]:
    """Pre-train the encoder in place, with a projection that is dropped; give the history."""
    settings = dict(pretraining)
    generator = stream(seed, "contrastive", "projection")
    head = projection_head(task.embedding, settings.pop("projection"), generator=generator)
    return pretrain(
        encoder,
        head.to(task.train.device),
        task.train,
        augment=augment,
        pairs=pairs,
        statistics=task.statistics,
        **settings,
        generator=stream(seed, "contrastive", "pretrain"),
        unfinished=task.unfinished.training("seed", seed, "pretraining"),
        progress=progress,
    )


def _augmentation(scheme: Mapping[str, Any], omega_0: float) -> Augmentation:
    """What the scheme does to the two networks of a pair.

    Raises:
        ValueError: if it needs labels, which pre-training has none of.
    """
    for key in ("mix", "label_smoothing"):
        if scheme.get(key):
            raise ValueError(
                f"the scheme has {key} = {scheme[key]}, which needs labels, and pre-training has "
                "none; list augmentations alone (self_mixup mixes without labels)"
            )
    return build_augment(scheme.get("augment") or (), omega_0=omega_0)


def _check(
    datasets: Mapping[str, Dataset], seeds: Sequence[int], label_fractions: Sequence[float]
) -> None:
    """Stop before training if something is missing or given twice."""
    if not {"train", "val", "test"} <= set(datasets):
        raise ValueError(f"datasets has the splits {sorted(datasets)}; it needs train, val, test")
    for name, values in (("seeds", seeds), ("label_fractions", label_fractions)):
        if not values or len(set(values)) < len(values):
            raise ValueError(f"{name} are {list(values)}; give at least one, each once")


def _counting(
    progress: Callable[[int, int], None] | None, total: int
) -> Callable[[int, int], None] | None:
    """Report the updates of one training after the other as those of the cell."""
    if progress is None:
        return None
    before = 0

    def report(done: int, updates: int) -> None:
        nonlocal before
        progress(before + done, total)
        before += updates if done == updates else 0

    return report
