"""Compile a kernel for a GPU that is not there, and read what came out.

    python -m kanditioned_triton.aot sm_90 dense_interpolate

compiles the configs of the table for an architecture and a kernel, or all, and prints registers,
spills, shared memory and matrix instructions. No GPU is needed, nor PyTorch.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # its default changes in Triton 3.10

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from . import configs, kernels
from .arithmetic import Arithmetic, of_products, of_weights
from .configs import Config

TARGETS = {
    **{f"sm_{number}": GPUTarget("cuda", number, 32) for number in (75, 80, 86, 89, 90, 100, 120)},
    "gfx942": GPUTarget("hip", "gfx942", 64),
}
"""Architectures by name."""
SHARED_MEMORY = {
    name: 1024 * kibibytes
    for name, kibibytes in zip(TARGETS, (64, 163, 99, 99, 227, 227, 99, 64), strict=True)
}
"""Bytes that a program may use."""
SORT = ("count_keys", "place_samples")
STORED = {"medium": "bfloat16", "high": "float32", "highest": "float32", "float64": "float64"}
"""What is stored, of the kinds that are computed at a precision: what takes most memory."""
_POINTERS = {"float64": "*fp64", "float32": "*fp32", "float16": "*fp16", "bfloat16": "*bf16"}
_TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
_MATRIX = r"\b(HMMA|HGMMA|DMMA|UTC\w*MMA)\b|\b(v_mfma)_"


@dataclass(frozen=True)
class Job:
    """One kernel at one config, with the kind of arguments that it is launched with.

    Attributes:
        kernel: Name in the table.
        config: Tile sizes and schedule.
        stored: Name of the dtype of all tensors.
        precision: `"highest"`, `"high"` or `"medium"`.
        num_control_points: Number of control points of each function, K.
    """

    kernel: str
    config: Config
    stored: str
    precision: str
    num_control_points: int


@dataclass(frozen=True)
class Report:
    """What the compiler made of a kernel.

    Attributes:
        registers: Of a thread.
        spilled_bytes: Stored to or loaded from local memory.
        shared_bytes: Shared memory of a program.
        matrix_instructions: Their mnemonics, such as `"HGMMA"`, with how often each occurs.
        is_serialized: Whether the assembler waits after every asynchronous matrix instruction.
    """

    registers: int
    spilled_bytes: int
    shared_bytes: int
    matrix_instructions: dict[str, int]
    is_serialized: bool


def family(architecture: str) -> str:
    """Return the family whose configs an architecture uses."""
    target = TARGETS[architecture]
    return configs.family(divmod(target.arch, 10) if target.backend == "cuda" else None)


def jobs(architecture: str) -> Iterator[Job]:
    """Yield what is compiled for an architecture.

    Each config at the lowest and the highest precision and, of matrix products, as it is fitted to
    the smallest problem.
    """
    seen = set()
    for row in configs.rows():
        kernel, entry = row["kernel"], (row["kernel"], *row["precision"])
        if row["family"] != family(architecture) or entry in seen:
            continue
        seen.add(entry)
        config = Config(**row["config"])
        count = 8 if kernel.startswith(("dense", "accumulate")) else 128
        for precision in row["precision"]:
            job = Job(kernel, config, STORED[precision], precision, count)
            yield job
            if not kernel.startswith("lookup") and precision != "float64":
                yield replace(job, config=configs.fit(config, 1, 1, 1))
    for kernel in SORT:
        yield Job(kernel, configs.SORT, "float32", "highest", 128)


def compile(job: Job, architecture: str) -> Report:
    """Compile a job for an architecture and read registers, memory and instructions."""
    return compile_job(job, architecture)[1]


def compile_job(job: Job, architecture: str) -> tuple[Any, Report]:
    """Compile a job for an architecture; return Triton's result and what was read from it."""
    target = TARGETS[architecture]
    kernel, types, constants = _arguments(job, is_hip=target.backend == "hip")
    aligned = {name for name in types if name.startswith(_DIVISIBLE) or name.endswith("_ptr")}
    signature = {**types, **dict.fromkeys(constants, "constexpr")}
    attributes = {
        (kernel.arg_names.index(name),): [["tt.divisibility", 16]] for name in sorted(aligned)
    }
    source = ASTSource(kernel, signature, constants, attributes)
    result = triton.compile(source, target=target, options=job.config.schedule())
    shared = int(result.metadata.shared)
    read = _read_amd if target.backend == "hip" else _read_nvidia
    return result, read(result, shared)


def disassemble(compiled: Any) -> str:
    """Return the machine code (SASS) of a kernel compiled for an NVIDIA GPU, as text."""
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder, "kernel.cubin")
        binary.write_bytes(compiled.asm["cubin"])
        return _run(_TOOLS / "cuobjdump", "-sass", binary).stdout


_DIVISIBLE = ("in_features", "out_features", "feature_share", "batch_share", "stride_")
_UNIT_STRIDES = ("stride_xi", "stride_co", "stride_go")


def _arguments(job: Job, *, is_hip: bool) -> tuple[Any, dict[str, str], dict[str, Any]]:
    """Return kernel, argument types and compile-time arguments, as `launch` would give them."""
    is_bucketed = job.kernel == "bucketed_accumulate"
    kernel = getattr(kernels, "accumulate" if is_bucketed else job.kernel)
    groups = triton.cdiv(job.num_control_points, kernels.GROUP)
    how = _arithmetic(job, is_hip)
    config = job.config
    chunk = config.block_g if is_bucketed or job.kernel in SORT else 1
    chunks = triton.cdiv(groups, chunk)
    known: dict[str, Any] = {
        **how.constants("WEIGHT", "VALUE"),
        **how.constants("GY", "C"),
        **dict.fromkeys(_UNIT_STRIDES, 1),
        "v_ptr": None,
        "stride_vb": 0,
        "stride_vi": 0,
        "HAS_DIRECTION": False,
        "BUCKETED": is_bucketed,
        "INTERPRETED": False,
        "CHUNKS": chunks,
        "CHUNK": chunk,
        "IS_EVEN": True,
        "BLOCK_B": config.block_b,
        "BLOCK_G": config.block_g,
        "BLOCK_O": config.block_o,
        "BLOCK_K": config.block_o,
        "KNOTS": chunk * kernels.GROUP,
        "OFFSET": tl.int32,
        "PART": configs.PART,
        "BLOCK_F": config.block_g,
        "NARROW": 16,
    }
    if not is_bucketed and job.kernel not in SORT:
        known |= {"order_ptr": None, "start_ptr": None}
    types, constants = {}, {}
    for name in kernel.arg_names:
        if name in known:
            constants[name] = known[name]
        elif name in ("order_ptr", "start_ptr", "count_ptr"):
            types[name] = "*i32"
        elif name == "spline_width":
            types[name] = "i64"
        elif name.endswith("_ptr"):
            types[name] = _POINTERS[job.stored]
        else:
            types[name] = "i32"
    return kernel, types, constants


def _arithmetic(job: Job, is_hip: bool) -> Arithmetic:
    compute = "float64" if job.stored == "float64" else "float32"
    precision = "highest" if job.precision == "float64" else job.precision
    if "contract" in job.kernel:
        return of_products(job.stored, job.stored, precision, compute=compute, is_hip=is_hip)
    return of_weights(job.stored, precision, compute=compute, has_direction=False)


def _read_nvidia(compiled: Any, shared: int) -> Report:
    """Assemble the PTX again for its report, and disassemble the binary."""
    ptx = compiled.asm["ptx"]
    architecture = re.search(r"\.target (sm_(\d+)\w*)", ptx)
    if architecture is None:
        raise ValueError("the PTX names no target")
    newer = _TOOLS / "ptxas-blackwell"
    assembler = newer if int(architecture[2]) >= 90 and newer.exists() else _TOOLS / "ptxas"
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "kernel.ptx")
        text.write_text(ptx, encoding="utf-8")
        # The optimisation level is the one that Triton's compiler passes.
        flags = ["-v", "--regAllocOptLevel=2", f"--gpu-name={architecture[1]}"]
        log = _run(assembler, *flags, text, "-o", Path(folder, "again.cubin")).stderr
    spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", log)
    return Report(
        registers=int(_find(r"Used (\d+) registers", log)),
        spilled_bytes=sum(map(int, spills)),
        shared_bytes=shared,
        matrix_instructions=_matrix_instructions(disassemble(compiled)),
        is_serialized="serialized" in log,
    )


def _read_amd(compiled: Any, shared: int) -> Report:
    assembly = compiled.asm["amdgcn"]
    spilled = int(_find(r"vgpr_spill_count:\s*(\d+)", assembly))
    return Report(
        registers=int(_find(r"\.vgpr_count:\s*(\d+)", assembly)),
        spilled_bytes=4 * spilled,
        shared_bytes=shared,
        matrix_instructions=_matrix_instructions(assembly),
        is_serialized=False,
    )


def _matrix_instructions(assembly: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for match in re.finditer(_MATRIX, assembly):
        name = match[1] or match[2]
        found[name] = found.get(name, 0) + 1
    return found


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"the compiler's report has no {pattern!r}")
    return match[1]


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True, timeout=120
    )


def main(arguments: list[str]) -> None:
    """Print a line per job: `[--json] [ARCHITECTURE [KERNEL ...]]`."""
    as_json = arguments[:1] == ["--json"]
    architecture, *chosen = arguments[as_json:] or [""]
    for name in (architecture,) if architecture else TARGETS:
        for job in jobs(name):
            if chosen and job.kernel not in chosen:
                continue
            report = compile(job, name)
            if as_json:
                entry = {"kernel": job.kernel, "precision": job.precision, **asdict(job.config)}
                print(json.dumps({**entry, **asdict(report)}))
                continue
            print(
                f"{name:7} {job.kernel:20} {job.stored:8} {job.precision:8} "
                f"registers {report.registers:3}  spilled {report.spilled_bytes:4}  "
                f"shared {report.shared_bytes:6}  {report.matrix_instructions}"
                f"{'  serialized' if report.is_serialized else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
