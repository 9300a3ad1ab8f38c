"""Trainings that a killed job left behind, in files beside its outputs: it goes on from them."""

import io
import logging
import pickle
import shutil
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import nn

from weightspace.atomic import replacing

__all__ = [
    "NOTHING_KEPT",
    "UnfinishedCell",
    "UnfinishedTraining",
    "captured",
    "put_back",
    "unfinished_cell",
]

SECONDS_BETWEEN_SAVES = 30.0
MAGIC = "weightspace.unfinished 1"

logger = logging.getLogger(__name__)


class UnfinishedCell:
    """The trainings of one cell, in a folder that is removed when the cell is done.

    Args:
        folder: holds a file per training; None keeps nothing.
        identity: of all that decides the results; a file of another is not used.
    """

    def __init__(self, folder: Path | None = None, identity: str = "") -> None:
        self.folder, self.identity = folder, identity
        self._kept: list[UnfinishedTraining] = []

    def training(self, *names: str | int | float) -> "UnfinishedTraining":
        """The training of these names."""
        name = "-".join(map(str, names))
        if self.folder is None:
            return UnfinishedTraining()
        self._kept.append(UnfinishedTraining(self.folder / f"{name}.pt", f"{name} {self.identity}"))
        return self._kept[-1]

    @property
    def earlier(self) -> float:
        """The seconds that earlier attempts spent on what is not trained again."""
        return sum((training.earlier for training in self._kept), 0.0)

    def forget(self) -> None:
        """Remove all files: the results of the cell are written."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


NOTHING_KEPT = UnfinishedCell()


def unfinished_cell(
    folder: Path | str,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path | str],
    origin: Mapping[str, Any],
) -> UnfinishedCell:
    """The unfinished trainings of a job.

    Args:
        folder: where to keep them.
        settings: of the cell.
        code: the fingerprint of what trains it.
        inputs: the files that are read; their sizes and times count.
        origin: versions, device, threads; the commit, which changes with any text, does not count.
    """
    stats = [(str(path), Path(path).stat()) for path in inputs]
    files = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    counted = {key: value for key, value in origin.items() if key != "commit"}
    decisive = repr((settings, code, files, counted))
    return UnfinishedCell(Path(folder), _digest(decisive.encode()))


class UnfinishedTraining:
    """The last saved state of one training, in a file that is whole or not there.

    A finished training stays saved at its last update until its cell is done.

    Args:
        path: the file; None keeps nothing.
        identity: what the state must be of.

    Attributes:
        earlier: the seconds that earlier attempts spent on what `load` gave.
    """

    def __init__(self, path: Path | None = None, identity: str = "") -> None:
        self.path, self.identity = path, identity
        self.earlier = 0.0
        self._began = self._saved = monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the saved state, on the CPU, or None; say so either way if there is a file."""
        self._began = self._saved = monotonic()
        if self.path is None:
            return None
        try:
            head, _, body = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._refuse(f"cannot be read ({error.strerror})")
        if not head.startswith(f"{MAGIC} {self.identity} ".encode()):
            return self._refuse("is damaged or of other settings, code, data or another machine")
        if head != self._head(body):
            return self._refuse("is damaged")
        # weights_only: tensors and plain containers, nothing that could run code.
        try:
            state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            return self._refuse("holds something else than tensors and numbers")
        self.earlier = state.pop("seconds")
        logger.info("going on after update %d, from %s", state["update"], self.path)
        return state

    def save(self, state: Mapping[str, Any], *, last: bool) -> None:
        """Save a state if it is the last one, or the one before is older than some seconds.

        A disk or memory that takes no more is only a warning: the training goes on.

        Args:
            state: plain containers of tensors, numbers and texts, with the key update.
            last: whether the training ends here.
        """
        now = monotonic()
        if self.path is None or not (last or now - self._saved >= SECONDS_BETWEEN_SAVES):
            return
        try:
            buffer = io.BytesIO()
            torch.save({**state, "seconds": self.earlier + now - self._began}, buffer)
            body = buffer.getbuffer()
            with replacing(self.path) as temporary, temporary.open("wb") as file:
                file.write(self._head(body) + b"\n")
                file.write(body)
        except (OSError, MemoryError) as error:
            logger.warning(
                "update %d could not be saved (%s): the training goes on, but if it is ended now "
                "it will start from what was saved before; make room on the disk of %s",
                *(state["update"], getattr(error, "strerror", "no memory left"), self.path.parent),
            )
        self._saved = monotonic()

    def _head(self, body: bytes | memoryview) -> bytes:
        return f"{MAGIC} {self.identity} {_digest(body)}".encode()

    def _refuse(self, reason: str) -> None:
        logger.warning("%s %s: it is not used, this training starts anew", self.path, reason)


def captured(
    models: Sequence[nn.Module],
    optimizer: torch.optim.Optimizer,
    generators: Sequence[torch.Generator],
    device: torch.device,
) -> dict[str, Any]:
    """What a training between two updates is made of, but for the order of its batches.

    Args:
        models: all that is trained.
        optimizer: of their parameters.
        generators: what is drawn from, beside the global RNG.
        device: of the models.
    """
    return {
        "models": [model.state_dict() for model in models],
        "optimizer": optimizer.state_dict(),
        "generators": [generator.get_state() for generator in generators],
        "layers": torch.get_rng_state(),
        "layers_on_gpu": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def put_back(
    state: Mapping[str, Any],
    models: Sequence[nn.Module],
    optimizer: torch.optim.Optimizer,
    generators: Sequence[torch.Generator],
    device: torch.device,
) -> None:
    """Bring everything that `captured` was given to what it was then."""
    for model, own in zip(models, state["models"], strict=True):
        model.load_state_dict(own)
    optimizer.load_state_dict(state["optimizer"])
    for generator, own in zip(generators, state["generators"], strict=True):
        generator.set_state(own)
    torch.set_rng_state(state["layers"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["layers_on_gpu"], device)


def _digest(data: bytes | memoryview) -> str:
    return blake2b(data, digest_size=16).hexdigest()
