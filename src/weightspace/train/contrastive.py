"""Pre-training an encoder without labels: two networks of one object should look alike to it."""

import math
from collections.abc import Callable
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
from weightspace.train.schedule import warmup_cosine
from weightspace.train.supervised import DivergedError
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
        progress: called after each update with (done, total).

    Returns:
        Rows with the keys update, lr, loss (nats) and pair_accuracy (the share of networks that
        find their partner); the latter two are means since the row before.

    Raises:
        DivergedError: if a loss is not finite.
        ValueError: if a setting is out of its range or the dataset cannot make the pairs.

    Reference: Chen et al. 2020, A Simple Framework for Contrastive Learning, algorithm 1.
    """
    for name, value, in_range, expected in (
        ("updates", updates, updates > 0, "at least 1"),
        ("evaluate_every", evaluate_every, evaluate_every > 0, "at least 1"),
        ("lr", lr, 0 < lr < math.inf, "positive and finite"),
    ):
        if not in_range:
            raise ValueError(f"{name} is {value}; it must be {expected}")
    table = PairTable.of(train, pairs=pairs)
    device = train.device
    order, pair_stream, augment_stream, layer_stream = split(
        generator, ("cpu", device, device, device)
    )
    augment = augment or compose(())
    batches = object_batches(len(table), batch_size=batch_size, generator=order, device=device)
    parameters = [*encoder.parameters(), *projection.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=weight_decay, fused=True)

    rows: list[dict[str, Any]] = []
    seen: list[Tensor] = []
    with global_rng_from(layer_stream):
        encoder.train()
        projection.train()
        for update in range(1, updates + 1):
            one, other = table.draw(next(batches), generator=pair_stream)
            w = cat([train.weights[one], train.weights[other]])
            w = standardise(augment(w, generator=augment_stream), statistics)
            z_a, z_b = projection(encoder(w)).split(batch_size)
            loss = nt_xent(z_a, z_b, temperature=temperature)

            optimizer.zero_grad()
            loss.backward()
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(parameters, clip_norm)
            step_lr = lr * warmup_cosine(update - 1, updates=updates, warmup=warmup)
            for group in optimizer.param_groups:
                group["lr"] = step_lr
            optimizer.step()

            seen.append(torch.stack([loss.detach(), pair_accuracy(z_a.detach(), z_b.detach())]))
            if update % evaluate_every == 0 or update == updates:
                rows.append({"update": update, "lr": step_lr, **_means(seen, update)})
                seen = []
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


def _means(seen: list[Tensor], update: int) -> dict[str, float]:
    """The mean loss and pair accuracy since the last row; `update` is the last one."""
    table = torch.stack(seen)
    for number, loss in enumerate(table[:, 0].tolist(), start=update - len(seen) + 1):
        if not math.isfinite(loss):
            raise DivergedError(
                f"the contrastive loss at update {number} is {loss}; it must be finite. Lower lr, "
                f"lengthen warmup or set clip_norm"
            )
    loss, accuracy = table.mean(dim=0).tolist()
    return {"loss": loss, "pair_accuracy": accuracy}
