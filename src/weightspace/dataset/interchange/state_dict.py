"""One network as a `.pth` file: its state_dict, with the label inside where it has one."""

import io
import pickle
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from weightspace.dataset.interchange.listing import InterchangeError, Label, as_label

__all__ = ["Network", "read_network", "write_network"]

_KEY = re.compile(r"(?P<layer>(?:\w+\.)*)(?P<kind>weight|bias)")


class Network(NamedTuple):
    """The layers of one network, first to last, float32, and its label if the file has one."""

    weights: list[Tensor]
    biases: list[Tensor]
    label: Label | None

    @property
    def layer_layout(self) -> tuple[int, ...]:
        """The widths (d_0, ..., d_L)."""
        return (self.weights[0].shape[1], *(w.shape[0] for w in self.weights))


def read_network(path: Path) -> Network:
    """Read a state_dict with `torch.load(weights_only=True)`, which runs no code of the file.

    A layer has the keys `<prefix><i>.<anything>weight` and `...bias`; layers are ordered by
    the number, or numbers, in their keys. So `seq.0.weight` (DWSNets), `net.0.linear.weight`
    and `net.2.weight` (NFN) and a plain `nn.Sequential` are read alike. `label` may stand
    beside them: a whole number, the name of a class, or a tensor of one whole number.

    Args:
        path: the file.

    Returns:
        The network; numbers of another precision are converted to float32.

    Raises:
        InterchangeError: if the file holds anything else than that, or code.
    """
    state = _load(path)
    label = state.pop("label", None)
    if isinstance(label, Tensor) and label.numel() == 1 and not label.is_floating_point():
        label = label.item()
    if label is not None:
        label = as_label(label, f"{path}: the label")
    layers = _layers(path, list(state))
    weights = [_tensor(path, key, state[key], 2) for key, _ in layers]
    biases = [_tensor(path, key, state[key], 1) for _, key in layers]
    for l, (w, b) in enumerate(zip(weights, biases, strict=True)):
        inputs = weights[l - 1].shape[0] if l else w.shape[1]
        if w.shape[1] != inputs or b.shape[0] != w.shape[0]:
            raise InterchangeError(
                f"{path}: {layers[l][0]!r} has shape {tuple(w.shape)} and {layers[l][1]!r} "
                f"{tuple(b.shape)}, but the layer has {inputs} inputs and one bias per output: "
                f"only plain multilayer perceptrons can be read"
            )
    return Network(weights, biases, label)


def write_network(
    path: Path, weights: Sequence[Tensor], biases: Sequence[Tensor], label: int
) -> None:
    """Write `seq.i.weight`, `seq.i.bias` and `label`, as the multi-view sets of DWSNets have it.

    Args:
        path: the file; its folder is made if need be.
        weights: of each layer, `(out, in)`.
        biases: of each layer, `(out,)`.
        label: the class.

    Raises:
        OSError: if the file cannot be written.
    """
    state: dict[str, Any] = {}
    for l, (w, b) in enumerate(zip(weights, biases, strict=True)):
        state |= {f"seq.{l}.weight": w.contiguous().clone(), f"seq.{l}.bias": b.clone()}
    content = io.BytesIO()
    torch.save({**state, "label": label}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getbuffer())


def _load(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd pickles; they are refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InterchangeError(f"{path} cannot be read ({error.strerror})") from error
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"{name[1]}, which could run code" if name else "something else"
        raise InterchangeError(
            f"{path} is refused: it must hold tensors and plain values only, and it holds {what}, "
            f"or is damaged; save it again with torch.save(network.state_dict(), ...)"
        ) from error
    except Exception as error:  # torch has no error of its own for a damaged file
        reason = re.split(r"\n|\. ", str(error))[0][:200] or type(error).__name__
        raise InterchangeError(
            f"{path} is truncated or damaged ({reason}): fetch or unpack it again"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise InterchangeError(
            f"{path} holds a {type(state).__name__}; expected a state_dict with keys like "
            f"'seq.0.weight'"
        )
    return dict(state)


def _layers(path: Path, keys: Sequence[str]) -> list[tuple[str, str]]:
    """The keys of weight and bias of each layer, in order."""
    found: dict[tuple[int, ...], dict[str, str]] = {}
    for key in keys:
        match = _KEY.fullmatch(key)
        numbers = tuple(int(x) for x in match["layer"].split(".") if x.isdecimal()) if match else ()
        if not match or not numbers or match["kind"] in found.setdefault(numbers, {}):
            raise InterchangeError(
                f"{path} holds {key!r}, which is no weight or bias of one of the numbered layers "
                f"(as 'seq.0.weight'), nor 'label': only plain multilayer perceptrons can be read"
            )
        found[numbers][match["kind"]] = key
    for numbers, layer in found.items():
        if missing := {"weight", "bias"} - set(layer):
            raise InterchangeError(
                f"{path} lacks the {missing.pop()} of layer {'.'.join(map(str, numbers))} beside "
                f"{next(iter(layer.values()))!r}: every layer needs a weight and a bias"
            )
    if not found:
        raise InterchangeError(f"{path} holds no layers; expected keys like 'seq.0.weight'")
    return [(layer["weight"], layer["bias"]) for _, layer in sorted(found.items())]


def _tensor(path: Path, key: str, value: Any, ndim: int) -> Tensor:
    if (
        not isinstance(value, Tensor)
        or not value.is_floating_point()
        or value.layout != torch.strided
        or value.ndim != ndim
    ):
        shape = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value)
        raise InterchangeError(
            f"{path}: {key!r} is {shape}; expected a dense tensor of real numbers with {ndim} axes"
        )
    return value.detach().float()
