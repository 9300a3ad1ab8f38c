"""How well a classifier does, from its logits."""

from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["balanced_accuracy", "majority_accuracy", "scores"]


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
