"""Where a job computes, and what makes it repeat exactly there."""

import os
import platform

import torch

__all__ = ["choose_device", "device_name", "use_threads"]

# What torch computes by MKL's vector functions where it has MKL (ATen/cpu/vml.h).
_VECTOR_FUNCTIONS = ("acos", "asin", "atan", "cos", "erf", "erfc", "erfinv", "exp", "log", "log10")
_VECTOR_FUNCTIONS += ("log2", "sin", "sqrt", "tan", "tanh", "trunc")


def choose_device(name: str) -> torch.device:
    """Return the device of a name: `cpu`, `cuda`, or `auto` for the GPU if there is one.

    Raises:
        ValueError: if `cuda` is asked for and there is no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is 'cuda', but torch finds no GPU here; use 'auto' or 'cpu'")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """Return the device as a reader would name it: `cuda: NVIDIA H200`, `cpu: x86_64, AVX512`."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"cpu: {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def use_threads(threads: int) -> None:
    """Prepare this process: the threads of torch and libigl, and what makes it repeat exactly.

    A given configuration, seed and device type then repeats exactly; an operation that cannot
    is an error, which names it.
    """
    # cuBLAS repeats exactly only with a fixed workspace, chosen before its first call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ["IGL_NUM_THREADS"] = str(threads)  # libigl reads it at its first parallel loop
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Else every new tensor would be written once more, with NaN; it is for finding what reads it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore
    _settle_vector_functions()


def _settle_vector_functions() -> None:
    """Call each of MKL's vector functions on one number, in one thread.

    MKL chooses the code of a function at its first call. Where several threads make that call
    at once, MKL 2024 now and then gives one of them code of low accuracy for its part: a sine
    wrong by 1.5e-4, and results that a second run does not repeat.

    Reference: https://github.com/pytorch/pytorch/issues/188792
    """
    for dtype in (torch.float32, torch.float64):
        for name in _VECTOR_FUNCTIONS:
            getattr(torch, name)(torch.tensor([0.5], dtype=dtype))
