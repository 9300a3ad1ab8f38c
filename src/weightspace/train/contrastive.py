"""Pre-training an encoder without labels: two networks of one object should look alike to it."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from weightspace.augment.compose import Augmentation, compose
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import Statistics, standardise
from weightspace.train.calibrate import calibrate_norms
from weightspace.train.draws import global_rng_from, split
from weightspace.train.nt_xent import nt_xent, pair_accuracy
from weightspace.train.pairs import PairTable, object_batches
from weightspace.train.steps import Stepper, check_settings, means_since
from weightspace.train.unfinished import UnfinishedTraining, captured, put_back
from weightspace.weights import cat

__all__ = ["pretrain", "projection_head"]


def pretrain(
    encoder: nn.Module,
    projection: nn.Module,
    train: InrDataset,
    *,
    augment: Augmentation | None,
    pairs: str,
    statistics: Statistics,
    temperature: float,
    updates: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    warmup: int,
    clip_norm: float | None = None,
    evaluate_every: int,
    generator: torch.Generator,
    unfinished: UnfinishedTraining | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Train `encoder` and `projection` in place to tell the pairs of a batch apart.

    A batch holds `batch_size` different objects; each gives two of its networks (`pairs`), both
    are augmented anew, and the loss is `nt_xent` of projection(encoder(network)). Labels are
    never read, and there is no selection: what is kept is the state of the last update, whose
    batch norms are then calibrated on the un-augmented training networks.

    Args:
        encoder: maps standardised `Weights` to embeddings; it is what is kept.
        projection: maps embeddings to where they are compared; thrown away afterwards.
        train: the INRs of the training objects, on the device of the modules.
        augment: applied to both networks of each pair, drawn per network; None for none.
        pairs: "augmented", the same network twice, or "views", two views of one object.
        statistics: of the raw training INRs, for `standardise`.
        temperature: of `nt_xent`.
        updates: the number of optimiser steps.
        batch_size: pairs per step, so twice as many networks.
        lr: the peak learning rate of AdamW; `warmup_cosine` gives its course.
        weight_decay: of AdamW.
        warmup: the number of updates over which the learning rate rises.
        clip_norm: scale gradients down to this norm; None never does.
        evaluate_every: updates between rows; the last update always has one.
        generator: the source of all randomness; equal ones give equal pairs, whatever the
            augmentation.
        unfinished: as of `train_together`.
        progress: called after each update with (done, total).

    Returns:
        Rows with the keys update, lr, loss (nats) and pair_accuracy (the share of networks that
        find their partner); the latter two are means since the row before.

    Raises:
        DivergedError: if a loss is not finite.
        ValueError: if a setting is out of its range or the dataset cannot make the pairs.

    Reference: Chen et al. 2020, A Simple Framework for Contrastive Learning, algorithm 1.
    """
    check_settings(
        updates=updates,
        batch_size=batch_size,
        lr=lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip_norm=clip_norm,
        evaluate_every=evaluate_every,
    )
    table = PairTable.of(train, pairs=pairs)
    device = train.device
    order, pair_stream, augment_stream, layer_stream = split(
        generator, ("cpu", device, device, device)
    )
    augment = augment or compose(())
    batches = object_batches(len(table), batch_size=batch_size, generator=order, device=device)
    stepper = Stepper(
        [*encoder.parameters(), *projection.parameters()],
        updates=updates,
        lr=lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip_norm=clip_norm,
    )

    unfinished = unfinished or UnfinishedTraining()
    saved = unfinished.load()
    done = 0 if saved is None else saved["update"]
    modules = [encoder.train(), projection.train()]
    everything = modules, stepper.optimizer, [pair_stream, augment_stream], device
    rows: list[dict[str, Any]] = []
    seen: list[Tensor] = []
    with global_rng_from(layer_stream):
        if saved is not None:
            put_back(saved, *everything)
            rows = saved["rows"]
            if progress is not None:
                progress(done, updates)
        order_left = islice(batches, done, updates)
        for update, objects in enumerate(order_left, start=done + 1):
            one, other = table.draw(objects, generator=pair_stream)
            w = cat([train.weights[one], train.weights[other]])
            w = standardise(augment(w, generator=augment_stream), statistics)
            z_a, z_b = projection(encoder(w)).split(batch_size)
            loss = nt_xent(z_a, z_b, temperature=temperature)
            step_lr = stepper.step(loss, update)
            seen.append(torch.stack([loss.detach(), pair_accuracy(z_a.detach(), z_b.detach())]))
            if update % evaluate_every == 0 or update == updates:
                means = means_since(seen, update, loss="the contrastive loss")
                found = dict(zip(("loss", "pair_accuracy"), means, strict=True))
                rows.append({"update": update, "lr": step_lr, **found})
                seen = []
                state = {"update": update, "rows": rows, **captured(*everything)}
                unfinished.save(state, last=update == updates)
            if progress is not None:
                progress(update, updates)
    calibrate_norms(encoder, train, statistics, batch_size)
    return rows


def projection_head(embedding: int, width: int, *, generator: torch.Generator) -> nn.Module:
    """An MLP of one hidden layer from the embedding to `width` outputs, on the CPU.

    Reference: Chen et al. 2020, A Simple Framework for Contrastive Learning, section 4.2.
    """
    with global_rng_from(generator):
        return nn.Sequential(
            nn.Linear(embedding, embedding), nn.ReLU(), nn.Linear(embedding, width)
        )
