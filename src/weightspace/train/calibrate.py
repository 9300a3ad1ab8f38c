"""Batch-norm statistics of the inputs that a model is judged on, not of augmented ones."""

import torch
from torch import nn

from weightspace.dataset.examples import Dataset
from weightspace.dataset.statistics import Statistics, standardise

__all__ = ["calibrate_norms"]


def calibrate_norms(
    model: nn.Module, dataset: Dataset, statistics: Statistics, batch_size: int
) -> None:
    """Measure the running statistics of every batch norm of `model` afresh on `dataset`.

    While a model trains under noise or MixUp its running statistics are those of noisy or mixed
    networks; evaluating clean networks with them costs such schemes several points that have
    nothing to do with what they learnt. Training itself never uses the running statistics.

    Args:
        model: the model, changed in place; one without batch norm is left alone.
        dataset: un-augmented training examples, at least 2.
        statistics: as in training.
        batch_size: the least number of examples at a time.
    """
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    norms = [m for m in model.modules() if isinstance(m, kinds) and m.track_running_stats]
    if not norms:
        return
    was_training = model.training
    model.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the chunks
        norm.train()
    # At least batch_size at a time: one network alone has no variance.
    with torch.no_grad():
        n_chunks = max(1, len(dataset) // batch_size)
        for index in torch.arange(len(dataset), device=dataset.device).tensor_split(n_chunks):
            model(standardise(dataset.inputs[index], statistics))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)
