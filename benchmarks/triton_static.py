"""What the GPU fitting kernel asks of an H100 or H200, found by compiling: no GPU is needed.

    python -m benchmarks.triton_static

Per layout and precision: registers of a thread, bytes that spill from them, shared memory of a
program, and the instructions that one step of one network costs, counted in the machine code.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import triton
from tabulate import tabulate
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from weightspace.fit.cuda import Precision, launch_of
from weightspace.fit.triton_kernel import fit_steps

# layout, points, precision
CASES: list[tuple[tuple[int, ...], int, Precision]] = [
    ((2, 32, 32, 1), 784, "tf32x3"),
    ((2, 32, 32, 1), 784, "tf32"),
    ((2, 32, 32, 1), 784, "ieee"),
    ((3, 32, 32, 1), 2048, "tf32x3"),
    ((2, 64, 64, 3), 1024, "tf32x3"),
    ((2, 64, 64, 64, 3), 1024, "tf32x3"),
    ((2, 64, 64, 64, 3), 1024, "tf32"),
    ((2, 64, 64, 64, 3), 1024, "ieee"),
    ((2, 16, 1), 784, "tf32x3"),
    ((3, 20, 12, 9, 3), 784, "tf32x3"),
]
POINTERS = {"state": "*fp32", "taken": "*i32", "coords": "*fp32", "targets": "*fp32"}
POINTERS |= {"rates": "*fp32"}
INTEGERS = {"first_step", "last_step", "slices", "points", "all_points", "coords_stride", "zero"}


def compiled(layout: tuple[int, ...], precision: Precision):
    """The kernel for compute capability 9.0, as `fit_cuda` would launch it there."""
    launch = launch_of(layout)
    constants = {
        "D_IN": layout[0],
        "D_OUT": layout[-1],
        "HIDDEN": len(layout) - 2,
        "H": launch.width,
        "TILE": launch.tile,
        "RELOAD": launch.reload,
        "PRECISION": precision,
    }
    names = fit_steps.arg_names
    kinds = {name: "i32" if name in INTEGERS else "fp32" for name in names}
    kinds |= POINTERS | dict.fromkeys(constants, "constexpr")
    aligned = {(names.index("state"),): [["tt.divisibility", 16]]}
    values = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fit_steps, {name: kinds[name] for name in names}, values, aligned)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=launch.options())


def registers_of(ptx: str) -> tuple[int, int]:
    """The registers of a thread, and the bytes that it stores for lack of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.ptx"
        path.write_text(ptx)
        command = [knobs.nvidia.ptxas.path, "-v", "--gpu-name=sm_90a", path, "-o", "/dev/null"]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"(\d+) bytes spill stores.*Used (\d+) registers", run.stderr, re.DOTALL)
    assert found, run.stderr
    return int(found[2]), int(found[1])


def loops(cubin: bytes) -> Iterator[int]:
    """The instructions of each loop of the machine code, those inside it included."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [knobs.nvidia.nvdisasm.path, "-c", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    labels, count = {}, 0
    for line in text.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = count
        elif re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+\S", line):
            count += 1
            jump = re.search(r"BRA.*(\.L_x_\d+)", line)
            if jump and jump[1] in labels:
                yield count - labels[jump[1]]


def row(layout: tuple[int, ...], points: int, precision: Precision) -> dict:
    """What the kernel needs, and the instructions of all warps for one step of one network."""
    launch, kernel = launch_of(layout), compiled(layout, precision)
    sizes = sorted(n for n in loops(kernel.asm["cubin"]) if n > 100)
    tile, step = sizes[-2], sizes[-1]  # the loop over tiles lies in the loop over steps
    registers, spilled = registers_of(kernel.asm["ptx"])
    instructions = launch.warps * (tile * ceil(points / launch.tile) + step - tile)
    return {
        "layout": "-".join(map(str, layout)),
        "points": points,
        "precision": precision,
        "warps": launch.warps,
        "registers": registers,
        "spilled bytes": spilled,
        "shared bytes": kernel.metadata.shared,
        "instructions of a tile": tile,
        "of a step": instructions,
    }


if __name__ == "__main__":
    print(tabulate([row(*case) for case in CASES], headers="keys"))
