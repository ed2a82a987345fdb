"""What the assembler makes of the hot kernels: their main loops, counted without a GPU.

`python -m kanditioned_triton.sass` prints the table that the tests compare with, so that an
edit that makes a kernel slower on paper is seen in review. The instructions depend on the version
of Triton, which the table names.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import triton

from . import aot, configs
from .aot import Job

ARCHITECTURE = "sm_90"
DENSE = ("dense_interpolate", "dense_contract", "accumulate")
LOOKUP = ("lookup_interpolate", "lookup_contract", "bucketed_accumulate")
_INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,5})\*/\s+(.*?)\s*;")
_BRANCH = re.compile(r"\bBRA\b.*?0x([0-9a-f]+)")
_WIDE = re.compile(r"(LDG|LDGSTS)\b.*\.128")


def jobs() -> Iterator[Job]:
    """Yield the kernels of a training step at the two ends of the precisions."""
    for precision in ("medium", "highest"):
        for kernel in (*DENSE, *LOOKUP):
            config = configs.config(aot.family(ARCHITECTURE), kernel, precision)
            for count in (8, 32) if kernel in DENSE else (128,):
                yield Job(kernel, config, aot.STORED[precision], precision, count)


def read(job: Job) -> dict[str, Any]:
    """Compile a job and count the instructions of its main loop, as a row of the table.

    The main loop is the innermost one that has most matrix instructions and, of equals, is
    longest. 128-bit loads are those from global memory, asynchronous ones too.
    """
    compiled, report = aot.compile_job(job, ARCHITECTURE)
    body = main_loop(aot.disassemble(compiled))
    names = Counter(_name(instruction).split(".")[0] for instruction in body)
    products = names["HGMMA"] + names["HMMA"]
    return {
        "kernel": job.kernel,
        "precision": job.precision,
        "K": job.num_control_points,
        "instructions": len(body),
        "per product": round(len(body) / products, 1) if products else None,
        "matrix instructions": {n: names[n] for n in ("HGMMA", "HMMA") if names[n]},
        "asynchronous": bool(names["HGMMA"]) and not report.is_serialized,
        "128-bit loads": sum(_WIDE.match(_name(instruction)) is not None for instruction in body),
        "registers": report.registers,
        "spilled bytes": report.spilled_bytes,
    }


def main_loop(assembly: str) -> list[str]:
    """Return the instructions of the main loop: from the target of a backward branch to it."""
    found = _INSTRUCTION.findall(assembly)
    places = {int(address, 16): index for index, (address, _) in enumerate(found)}
    instructions = [instruction for _, instruction in found]
    spans = []
    for end, instruction in enumerate(instructions):
        branch = _BRANCH.search(instruction)
        start = places.get(int(branch[1], 16), end) if branch else end
        if start < end:
            spans.append((start, end))
    bodies = [
        instructions[start : end + 1]
        for start, end in spans
        if not any(start <= s and e <= end and (s, e) != (start, end) for s, e in spans)
    ]
    return max(bodies, key=lambda body: (_products(body), len(body)), default=[])


def text() -> str:
    """Return the table as it is stored, a row per line."""
    rows = ",\n".join(f"  {json.dumps(read(job))}" for job in jobs())
    return f'{{\n "triton": "{triton.__version__}",\n "rows": [\n{rows}\n ]\n}}\n'


def _products(body: list[str]) -> int:
    return sum(_name(instruction).startswith(("HGMMA", "HMMA")) for instruction in body)


def _name(instruction: str) -> str:
    """Return the mnemonic, without the predicate before it."""
    return re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0]


if __name__ == "__main__":
    print(text(), end="")
