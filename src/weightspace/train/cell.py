"""One cell of a study: a model and a scheme, trained from every seed and tested once."""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from weightspace.dataset.examples import Dataset
from weightspace.dataset.statistics import Statistics, tensor_statistics
from weightspace.dataset.stored_weights import StoredWeights
from weightspace.rng import stream
from weightspace.train.accuracy import balanced_accuracy, majority_accuracy, scores
from weightspace.train.results import CellResult, Predictions, SelectedModels
from weightspace.train.scheme import build_scheme
from weightspace.train.selection import select_training
from weightspace.train.steps import DivergedError, require_finite
from weightspace.train.supervised import predict, train_together
from weightspace.train.unfinished import NOTHING_KEPT, UnfinishedCell

__all__ = ["train_cell"]


def train_cell(
    datasets: Mapping[str, Dataset],
    *,
    model: Mapping[str, Any],
    scheme: Mapping[str, Any],
    views: int,
    objects: int | None = None,
    train_views: int | None = None,
    seeds: Sequence[int],
    updates: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    warmup: int,
    label_smoothing: float = 0.0,
    clip_norm: float | None = None,
    evaluate_every: int,
    seeds_together: bool | str = "auto",
    precision: str = "float32",
    device: torch.device | str = "cpu",
    unfinished: UnfinishedCell = NOTHING_KEPT,
    progress: Callable[[int, int], None] | None = None,
) -> CellResult:
    """Train one model per seed, select each on validation, and test each selection once.

    A seed fixes the initialisation, the batches and the draws: cells that differ in the scheme
    alone start from the same model and see the same batches (but for consistency, whose batches are
    pairs of views), and a seed gives the same run whatever other seeds are trained; where they
    train together, up to rounding, and but for the draws of layers such as dropout. The training
    objects are the same for all seeds. The scores on training examples are of un-augmented ones, at
    most as many as validation has: those that the batch norms are calibrated on (`History`).

    Args:
        datasets: the splits train, val and test, all of networks, of images or of points;
            of val and test only view 0 is used.
        model: `{"kind": a name that build_model knows, ...its settings}`.
        scheme: see `build_scheme`; its label_smoothing, unless None, replaces the argument, and
            its consistency goes to `train_together`. With `"standardise": False` the models read
            the inputs as they are.
        views: train on the views 0, ..., views - 1 of each object.
        objects: train on that many objects; None takes all.
        train_views: the views from this one on are held out, to see how the selected model
            does on new views of its training objects (internal generalisation); None holds out
            none.
        seeds: one run each.
        updates: see `train_supervised`, also for the settings up to `evaluate_every`.
        batch_size: examples per update.
        lr: the peak learning rate.
        weight_decay: of AdamW.
        warmup: the updates over which the learning rate rises.
        label_smoothing: the share of each target that is spread over all classes.
        clip_norm: scale gradients down to this norm; None never does.
        evaluate_every: updates between evaluations.
        seeds_together: all seeds make each update in one call, see `Stacked`, rather than train
            one after the other; "auto" does so on a GPU. Never with networks that stay in
            their file.
        precision: "float32" or "bfloat16".
        device: where to train.
        unfinished: what an earlier call that was ended left of the same cell; the trainings go on
            from there. Seconds are those of all calls.
        progress: called after each update with (done, total) over all seeds.

    Raises:
        DivergedError: if the training of every seed diverges, or its loss on test is not finite;
            one of which this is true is in `failed_seeds`.
        ValueError: if a kind or a split is unknown, a setting is out of its range, or views
            that are held out are to be trained on.
    """
    started = perf_counter()
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {list(seeds)}; give at least one, each once")
    if not {"train", "val", "test"} <= set(datasets):
        raise ValueError(f"datasets has the splits {sorted(datasets)}; it needs train, val, test")
    chosen = select_training(
        datasets["train"], views=views, objects=objects, train_views=train_views
    )
    train, val = chosen.train.to(device), datasets["val"].select(views=1).to(device)
    if scheme.get("label_smoothing") is not None:
        label_smoothing = scheme["label_smoothing"]
    augment, mix = build_scheme(scheme, train=train, pool=chosen.pool, smoothing=label_smoothing)
    statistics = tensor_statistics(train.inputs)
    if not scheme.get("standardise", True):
        statistics = statistics.of_nothing()
    models = SelectedModels(dict(model), train.input_settings, train.n_classes, statistics, {})
    settings = {
        "augment": augment,
        "mix": mix,
        "statistics": statistics,
        "updates": updates,
        "batch_size": batch_size,
        "lr": lr,
        "weight_decay": weight_decay,
        "warmup": warmup,
        "label_smoothing": label_smoothing,
        "consistency": scheme.get("consistency", 0.0),
        "clip_norm": clip_norm,
        "evaluate_every": evaluate_every,
        "precision": precision,
    }
    runs, history, predictions, n_parameters = [], [], [], 0
    failed_seeds: dict[int, str] = {}
    stored = train.inputs if isinstance(train.inputs, StoredWeights) else None
    for group in _groups(seeds, seeds_together, train.device, streamed=stored is not None):
        group_started = perf_counter()
        networks = [models.initial(seed).to(device) for seed in group]
        n_parameters = sum(p.numel() for p in networks[0].parameters())
        on_update = _of_all(progress, seeds.index(group[0]) * updates, len(group), len(seeds))
        # What may be held decides the order of the batches of networks in their file.
        here = unfinished.training("seed", *group, *([] if stored is None else [stored.memory]))
        settings["generators"] = [stream(seed, "train") for seed in group]
        trained = train_together(
            networks, train, val, unfinished=here, progress=on_update, **settings
        )
        share = (perf_counter() - group_started + here.earlier) / len(group)
        for seed, network, found in zip(group, networks, trained, strict=True):
            test_started = perf_counter()
            try:
                if isinstance(found, DivergedError):
                    raise found
                network.load_state_dict(found.best_state)
                internal = _accuracy(network, chosen.internal, statistics, batch_size, device)
                test = datasets["test"].select(views=1).to(device)
                logits = predict(network, test, statistics, batch_size)
                accuracy, loss = scores(logits, test.labels)
                require_finite(loss, f"the test loss of update {found.best_row['update']}")
            except DivergedError as error:
                failed_seeds[seed] = str(error)
                continue
            models.states[seed] = found.best_state
            history += [{"seed": seed, **row} for row in found.rows]
            predictions.append(_predictions(seed, test, logits))
            run = _run(seed, updates, found.best_row)
            run |= {"internal_accuracy": internal, "test_accuracy": accuracy}
            run |= {"test_balanced_accuracy": balanced_accuracy(logits, test.labels)}
            seconds = share + perf_counter() - test_started
            runs.append({**run, "test_loss": loss, "seconds": seconds})
    if not runs:
        raise DivergedError(f"every seed failed; seed {seeds[0]}: {failed_seeds[seeds[0]]}")
    return CellResult(
        models=models,
        n_parameters=n_parameters,
        views=views,
        objects=objects or len(datasets["train"].object_ids.unique()),
        train_inrs=len(train),
        test_inrs=len(predictions[0].labels),
        majority_accuracy=majority_accuracy(train.labels, predictions[0].labels),
        updates=updates,
        batch_size=batch_size,
        streamed_mb=None if stored is None else stored.memory / 1e6,
        seconds=perf_counter() - started + unfinished.earlier,
        failed_seeds=failed_seeds,
        runs=runs,
        history=history,
        predictions=predictions,
    )


def _groups(
    seeds: Sequence[int], together: bool | str, device: torch.device, *, streamed: bool
) -> list[Sequence[int]]:
    """The seeds that train together; each would read a streamed set into memory of its own."""
    if together not in (True, False, "auto"):
        raise ValueError(f"seeds_together is {together!r}; it must be True, False or 'auto'")
    if together == "auto":
        together = device.type != "cpu"
    return [seeds] if together and not streamed else [[seed] for seed in seeds]


def _of_all(
    progress: Callable[[int, int], None] | None, before: int, seeds: int, of: int
) -> Callable[[int, int], None] | None:
    """Report the progress of some seeds at a time as that of the whole cell."""
    if progress is None:
        return None
    return lambda done, updates: progress(before + seeds * done, of * updates)


def _accuracy(
    network: nn.Module,
    dataset: Dataset,
    statistics: Statistics,
    batch_size: int,
    device: torch.device | str,
) -> float | None:
    """The accuracy on a dataset, None where it is empty."""
    if not len(dataset):
        return None
    here = dataset.to(device)
    return scores(predict(network, here, statistics, batch_size), here.labels)[0]


def _predictions(seed: int, test: Dataset, logits: Tensor) -> Predictions:
    """Keep the predictions of one selected model, on the CPU."""
    columns = (test.object_ids, test.views, test.labels, logits)
    return Predictions(seed, *(c.cpu() for c in columns))


def _run(seed: int, updates: int, best: Mapping[str, Any]) -> dict[str, Any]:
    """The start of a row of results: the scores of the selected state."""
    kept = ("train_accuracy", "val_accuracy", "val_balanced_accuracy", "val_loss")
    row = {"seed": seed, "updates": updates, "best_update": best["update"]}
    return row | {key: best[key] for key in kept}
