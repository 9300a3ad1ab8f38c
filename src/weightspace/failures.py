"""What a failed job tells its user: what failed, where, and what to do. Imports no torch."""

import errno

__all__ = ["ADVICE", "clear_message", "is_out_of_memory"]

OUT_OF_MEMORY = ("out of memory", "can't allocate memory")
LOST_GPU = (
    "CUDA error",
    "CUDA driver error",
    "Triton Error [CUDA]",
    "CUBLAS_STATUS",
    "CUDNN_STATUS",
)
ADVICE = {
    errno.ENOSPC: "the disk is full: make room there",
    errno.EDQUOT: "your share of the disk is used up: make room there",
    errno.EFBIG: "the file would exceed the largest allowed size: raise the limit (ulimit -f)",
    errno.EROFS: "the disk is read-only: make it writable, or work in a copy on another",
    errno.EACCES: "there is no permission for it: change that, or work in a copy of your own",
    errno.EPERM: "there is no permission for it: change that, or work in a copy of your own",
    errno.EIO: "the disk does not work reliably: check it",
    errno.ESTALE: "the network file system lost it: see that it is mounted",
}
AGAIN = "then run again, what is finished is kept"


def clear_message(error: Exception) -> str | None:
    """Say what failed and what to do, in one line; None if the error is a bug of ours."""
    if is_out_of_memory(error):
        return (
            f"memory ran out ({_first_line(error)}): give the job more (mem_mb, a larger GPU), or "
            f"lower fit.shard_size of fits, train.batch_size or memory_mb of trainings, or turn "
            f"seeds_together off; {AGAIN}"
        )
    if isinstance(error, RuntimeError) and any(text in str(error) for text in LOST_GPU):
        return (
            f"the GPU failed ({_first_line(error)}): see whether nvidia-smi still lists it, or set "
            f"fit.device and train.device to cpu; {AGAIN}"
        )
    if isinstance(error, OSError) and error.errno in ADVICE:
        return f"{error}: {ADVICE[error.errno]}; {AGAIN}"
    return str(error) if isinstance(error, ValueError | OSError) else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or torch says that the memory of the host or of a GPU ran out."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in OUT_OF_MEMORY)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
