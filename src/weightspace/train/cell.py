"""One cell of a study: a model and a scheme, trained from every seed and tested once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.augment.compose import compose
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import Statistics, tensor_statistics
from weightspace.models.build import build_model
from weightspace.rng import stream
from weightspace.train.supervised import DivergedError, History, predict, scores, train_supervised

__all__ = ["CellResult", "Predictions", "SelectedModels", "train_cell"]


@dataclass(frozen=True)
class SelectedModels:
    """The selected state of each seed, and all that rebuilds the models.

    `model` is the kind and its settings; `statistics` standardise what the models are given.
    """

    model: dict[str, Any]
    layer_layout: tuple[int, ...]
    n_classes: int
    statistics: Statistics
    states: dict[int, dict[str, Tensor]]

    def restore(self, seed: int) -> nn.Module:
        """The model of `seed` on the CPU, in evaluation mode.

        Raises:
            ValueError: if there is no state of this seed.
        """
        if seed not in self.states:
            raise ValueError(f"there is no model of seed {seed}; there are {sorted(self.states)}")
        network = _initial_model(self.model, self.layer_layout, self.n_classes, seed)
        network.load_state_dict(self.states[seed])
        return network.eval()


@dataclass(frozen=True)
class Predictions:
    """The logits of one selected model on the test INRs, on the CPU."""

    seed: int
    object_ids: Int[Tensor, " n"]
    views: Int[Tensor, " n"]
    labels: Int[Tensor, " n"]
    logits: Float[Tensor, "n classes"]


@dataclass(frozen=True)
class CellResult:
    """What a cell found; `views` and `objects` are those asked for.

    `train_inrs` and `test_inrs` count the networks there were, without failed fits. `runs` has
    one row per seed, `history` one per seed and evaluation; `failed_seeds` says why a seed has
    none.
    """

    models: SelectedModels
    n_parameters: int
    views: int
    objects: int
    train_inrs: int
    test_inrs: int
    updates: int
    batch_size: int
    seconds: float
    failed_seeds: dict[int, str]
    runs: list[dict[str, Any]]
    history: list[dict[str, Any]]
    predictions: list[Predictions]


def train_cell(
    datasets: Mapping[str, InrDataset],
    *,
    model: Mapping[str, Any],
    scheme: Mapping[str, Any],
    views: int,
    objects: int | None = None,
    seeds: Sequence[int],
    updates: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    warmup: int,
    label_smoothing: float = 0.0,
    clip_norm: float | None = None,
    evaluate_every: int,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> CellResult:
    """Train one model per seed, select each on validation, and test each selection once.

    A seed fixes the initialisation, the batches and the draws: cells that differ in the scheme
    alone start from the same model and see the same batches, and a seed gives the same run
    whatever other seeds are trained. The training objects are the same for all seeds.

    Args:
        datasets: the splits train, val and test; of val and test only view 0 is used.
        model: `{"kind": a key of MODELS, ...its settings}`.
        scheme: `{"augment": [{"kind": a key of AUGMENTATIONS, ...}], "mix": None or {"kind": a
            key of MIXES, ...}}`; an absent key means none.
        views: train on the views 0, ..., views - 1 of each object.
        objects: train on that many objects; None takes all.
        seeds: one run each.
        updates: see `train_supervised`, also for the settings up to `evaluate_every`.
        batch_size: INRs per update.
        lr: the peak learning rate.
        weight_decay: of AdamW.
        warmup: the updates over which the learning rate rises.
        label_smoothing: the share of each target that is spread over all classes.
        clip_norm: scale gradients down to this norm; None never does.
        evaluate_every: updates between evaluations.
        device: where to train.
        progress: called after each update with (done, total) over all seeds.

    Raises:
        DivergedError: if the training of every seed diverges; else it is in `failed_seeds`.
        ValueError: if a kind or a split is unknown or a setting is out of its range.
    """
    started = perf_counter()
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {list(seeds)}; give at least one, each once")
    if not {"train", "val", "test"} <= set(datasets):
        raise ValueError(f"datasets has the splits {sorted(datasets)}; it needs train, val, test")
    augment = compose([_build(AUGMENTATIONS, s, "augment") for s in scheme.get("augment") or ()])
    mix = _build(MIXES, scheme["mix"], "mix") if scheme.get("mix") else None
    train = datasets["train"].select(views=views, objects=objects).to(device)
    val = datasets["val"].select(views=1).to(device)
    statistics = tensor_statistics(train.weights)
    models = SelectedModels(
        dict(model), train.weights.layer_layout, train.n_classes, statistics, states={}
    )
    runs, history, predictions, n_parameters = [], [], [], 0
    failed_seeds: dict[int, str] = {}
    for i, seed in enumerate(seeds):
        run_started = perf_counter()
        network = _initial_model(model, models.layer_layout, models.n_classes, seed).to(device)
        n_parameters = sum(p.numel() for p in network.parameters())
        try:
            found = train_supervised(
                network,
                train,
                val,
                augment=augment,
                mix=mix,
                statistics=statistics,
                updates=updates,
                batch_size=batch_size,
                lr=lr,
                weight_decay=weight_decay,
                warmup=warmup,
                label_smoothing=label_smoothing,
                clip_norm=clip_norm,
                evaluate_every=evaluate_every,
                generator=stream(seed, "train"),
                progress=_shifted(progress, i * updates, len(seeds) * updates),
            )
        except DivergedError as error:
            failed_seeds[seed] = str(error)
            continue
        network.load_state_dict(found.best_state)
        test = datasets["test"].select(views=1).to(device)
        logits = predict(network, test, statistics, batch_size)
        models.states[seed] = found.best_state
        history += [{"seed": seed, **row} for row in found.rows]
        predictions.append(_predictions(seed, test, logits))
        seconds = perf_counter() - run_started
        runs.append(_run(seed, updates, found, scores(logits, test.labels), seconds))
    if not runs:
        raise DivergedError(f"every seed failed; seed {seeds[0]}: {failed_seeds[seeds[0]]}")
    return CellResult(
        models=models,
        n_parameters=n_parameters,
        views=views,
        objects=objects or len(datasets["train"].object_ids.unique()),
        train_inrs=len(train),
        test_inrs=len(predictions[0].labels),
        updates=updates,
        batch_size=batch_size,
        seconds=perf_counter() - started,
        failed_seeds=failed_seeds,
        runs=runs,
        history=history,
        predictions=predictions,
    )


def _build(registry: Mapping[str, Callable[..., Any]], spec: Mapping[str, Any], name: str) -> Any:
    """Construct what `spec` names: `{"kind": a key of registry, ...its settings}`."""
    settings = dict(spec)
    kind = settings.pop("kind", None)
    if kind not in registry:
        raise ValueError(f"{name} kind is {kind!r}; it must be one of {', '.join(registry)}")
    return registry[kind](**settings)


def _initial_model(
    model: Mapping[str, Any], layer_layout: tuple[int, ...], n_classes: int, seed: int
) -> nn.Module:
    """The model of `seed` before its first update; the same for every scheme."""
    return build_model(
        layer_layout=layer_layout, d_out=n_classes, generator=stream(seed, "model"), **model
    )


def _shifted(
    progress: Callable[[int, int], None] | None, before: int, total: int
) -> Callable[[int, int], None] | None:
    """Report the progress of one run as that of the whole cell."""
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)


def _predictions(seed: int, test: InrDataset, logits: Tensor) -> Predictions:
    """Keep the predictions of one selected model, on the CPU."""
    columns = (test.object_ids, test.views, test.labels, logits)
    return Predictions(seed, *(c.cpu() for c in columns))


def _run(
    seed: int, updates: int, found: History, test_scores: tuple[float, float], seconds: float
) -> dict[str, Any]:
    """One row of results: the scores of the selected state."""
    best = next(row for row in found.rows if row["update"] == found.best_update)
    return {
        "seed": seed,
        "updates": updates,
        "best_update": found.best_update,
        "train_accuracy": best["train_accuracy"],
        "val_accuracy": best["val_accuracy"],
        "val_loss": best["val_loss"],
        "test_accuracy": test_scores[0],
        "test_loss": test_scores[1],
        "seconds": seconds,
    }
