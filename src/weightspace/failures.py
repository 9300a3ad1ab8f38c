"""What a failed job tells its user: what failed, where, and what to do. Imports no torch."""

import errno
import mmap
import os
import re
from pathlib import Path

__all__ = ["ADVICE", "clear_message", "is_out_of_memory", "raise_fault_of_machine"]

# Of CUDA, of torch on the host, of cuBLAS and cuDNN, of HDF5, and of the system.
OUT_OF_MEMORY = (
    *("out of memory", "can't allocate memory", "STATUS_ALLOC_FAILED"),
    *("memory allocation failed", "Cannot allocate memory"),
)
LOST_GPU = (
    "CUDA error",
    "CUDA driver error",
    "Triton Error [CUDA]",
    "CUBLAS_STATUS",
    "CUDNN_STATUS",
    "Found no NVIDIA driver",
    "No CUDA GPUs are available",
)
OUR_BUG = "device-side assert"  # as of an index that is out of range
ADVICE = {
    errno.ENOSPC: "the disk is full: make room there",
    errno.EDQUOT: "your share of the disk is used up: make room there",
    errno.EFBIG: "the file would exceed the largest allowed size: raise the limit (ulimit -f)",
    errno.EROFS: "the disk is read-only: make it writable, or work in a copy on another",
    errno.EACCES: "there is no permission for it: change that, or work in a copy of your own",
    errno.EPERM: "there is no permission for it: change that, or work in a copy of your own",
    errno.EIO: "the disk does not work reliably: check it",
    errno.ESTALE: "the network file system lost it: see that it is mounted",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: end other programs",
}
SPARE = 2**27  # bytes: reading a whole file takes less beside what is in it
AGAIN = "then run again, what is finished is kept"


def clear_message(error: Exception) -> str | None:
    """Say what failed and what to do, in one line; None if the error is a bug of ours."""
    if is_out_of_memory(error):
        return (
            f"memory ran out ({_first_line(error)}): give the job more (mem_mb, a larger GPU), or "
            f"lower fit.shard_size of fits, train.batch_size or memory_mb of trainings, or turn "
            f"seeds_together off; {AGAIN}"
        )
    if isinstance(error, RuntimeError) and _says(error, LOST_GPU) and OUR_BUG not in str(error):
        return (
            f"the GPU failed ({_first_line(error)}): see whether nvidia-smi still lists it, or set "
            f"fit.device and train.device to cpu; {AGAIN}"
        )
    if isinstance(error, OSError) and error.errno in ADVICE:
        return f"{error}: {ADVICE[error.errno]}; {AGAIN}"
    return str(error) if isinstance(error, ValueError | OSError) else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, NumPy, torch or HDF5 says that memory, of the host or of a GPU, ran out."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError | OSError) and _says(error, OUT_OF_MEMORY)


def raise_fault_of_machine(error: Exception, path: Path | str, needs: int = 0) -> None:
    """Do nothing if a file is at fault for an error of its reader; raise if the machine is.

    A damaged file may ask for any amount of memory. So it is at fault where as much as a whole one
    takes can still be had.

    Args:
        error: what the reader met.
        path: the file.
        needs: bytes, the most that reading a whole file asks for in one piece.

    Raises:
        OSError: if the disk or the network file system failed; it names the file.
        Exception: `error` itself, if memory ran out.
    """
    number = getattr(error, "errno", None)
    if stated := re.search(r"\berrno = (\d+)", str(error)):  # HDF5 has it in the text alone
        number = int(stated[1])
    if number in ADVICE:
        raise OSError(number, os.strerror(number), str(path)) from error
    if is_out_of_memory(error) and not _can_be_had(needs + SPARE):
        raise error


def _can_be_had(size: int) -> bool:
    """Whether so much memory would be given; none of it is touched."""
    try:
        mmap.mmap(-1, size).close()
    except (OSError, OverflowError):
        return False
    return True


def _says(error: Exception, texts: tuple[str, ...]) -> bool:
    return any(text in str(error) for text in texts)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
