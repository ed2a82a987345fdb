"""Tile sizes: a table per GPU family, and a rule that fits its entries to a problem.

The table, `configs.json`, is data. `python -m kanditioned_triton.tune` measures it again on the GPU
at hand; `KANDITIONED_TRITON_CONFIGS` names another file to use instead. Nothing is measured while
a layer runs.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import triton

from .kernels import GROUP

ENVIRONMENT_VARIABLE = "KANDITIONED_TRITON_CONFIGS"
FAMILIES = ("sm_75", "sm_80", "sm_90", "sm_100", "gfx942")
"""GPU families of the table. GPUs of capability 8.x and 12.x share that of sm_80, whose tiles fit
into the 99 KiB of shared memory that the smallest of them has. Those of 7.5 multiply no matrices of
float32 or bfloat16 numbers: theirs takes the lookup, and small tiles where that has no kernel."""
INTERPRETER = "interpreter"
"""The family that stands for Triton's interpreter."""
SMALLEST = 16
"""Smallest side of a tile that a matrix unit multiplies."""


@dataclass(frozen=True)
class Config:
    """Sizes of a tile, and how it is scheduled.

    Attributes:
        block_b: Rows of the batch.
        block_g: Groups of eight knots; in `lookup_contract`, features of a program.
        block_o: Outputs; where a batch is sorted, keys that are counted at a time.
        num_warps: Warps of a program.
        num_stages: Depth of the software pipeline.
        max_registers: Of a thread, so that several programs fit on a multiprocessor (0: any).
    """

    block_b: int
    block_g: int
    block_o: int
    num_warps: int = 4
    num_stages: int = 2
    max_registers: int = 0

    def schedule(self) -> dict[str, int]:
        """Return what Triton is told besides the sizes."""
        options = {"num_warps": self.num_warps, "num_stages": self.num_stages}
        return options | ({"maxnreg": self.max_registers} if self.max_registers else {})


SORT = Config(block_b=128, block_g=2, block_o=32, num_warps=4, num_stages=1)
"""How a batch is sorted, for tiles of two groups of knots."""
PART = 2048
"""Samples that one program sorts."""


@dataclass(frozen=True)
class _Table:
    """What a file of this format says, and what has been looked up in it."""

    contents: dict[str, Any]
    found: dict[tuple[str, str, str], Config] = field(default_factory=dict)


_IN_USE: list[_Table] = []


def family(capability: tuple[int, int] | None) -> str:
    """Return the family of a CUDA GPU of this compute capability, or of an AMD GPU (None)."""
    if capability is None:
        return "gfx942"
    return {7: "sm_75", 9: "sm_90", 10: "sm_100"}.get(capability[0], "sm_80")


def config(family: str, kernel: str, precision: str) -> Config:
    """Return the entry for a kernel at a precision, as `Arithmetic.precision` names it.

    Raises:
        LookupError: The table has none.
    """
    found, entry = _table().found, (family, kernel, precision)
    if entry in found:
        return found[entry]
    for row in rows():
        if row["family"] == family and row["kernel"] == kernel and precision in row["precision"]:
            return found.setdefault(entry, Config(**row["config"]))
    raise LookupError(f"configs.json has no entry for {family}, {kernel}, {precision}")


def dense_up_to(family: str, kernel: str, precision: str) -> int:
    """Return the largest K at which the matrix product is taken instead of the lookup."""
    limit: int = table()["dense_up_to"][family][kernel][precision]
    return limit


@functools.lru_cache(maxsize=1024)
def fit(config: Config, batch: int, groups: int, out_features: int) -> Config:
    """Shrink a tile to the problem: sides to the next power of two, warps with the area."""
    block_b, block_g, block_o = (
        min(side, max(smallest, power_of_two(length)))
        for side, smallest, length in (
            (config.block_b, SMALLEST, batch),
            (config.block_g, SMALLEST // GROUP, groups),
            (config.block_o, SMALLEST, out_features),
        )
    )
    area = config.block_b * config.block_g * config.block_o
    smaller = area // (block_b * block_g * block_o)
    num_warps = max(min(config.num_warps, 4), config.num_warps // smaller)
    return replace(config, block_b=block_b, block_g=block_g, block_o=block_o, num_warps=num_warps)


def rows() -> list[dict[str, Any]]:
    """Return the entries for this version of Triton: family, kernel, precisions and config.

    An entry that names a version, such as `"triton": "3.9"`, comes before the one that it stands
    in for.
    """
    return [
        row for row in table()["configs"] if triton.__version__.startswith(row.get("triton", ""))
    ]


def candidates(family: str) -> list[dict[str, Any]]:
    """Return tiles that may be faster than the table's on a family: rows of it, with K."""
    return [row for row in table()["candidates"] if row["family"] == family]


def replace_entries(
    family: str,
    best: dict[tuple[str, str], Config],
    measured: dict[str, Any] | None = None,
    dense_up_to: int | None = None,
) -> dict[str, Any]:
    """Return the table with other entries for one family.

    Args:
        family: The family.
        best: Its configs by kernel and precision; entries that are not named stay.
        measured: Where and when they were measured.
        dense_up_to: The limit of every kernel, if it is to change.
    """
    before = table()
    found = [
        {"family": family, "kernel": kernel, "precision": [precision], "config": asdict(config)}
        for (kernel, precision), config in best.items()
    ]
    contents = {**before, "configs": found + before["configs"]}
    if measured is not None:
        named = {(row["kernel"], name) for row in found for name in row["precision"]}
        others = [
            row
            for row in before["configs"]
            if row["family"] != family
            or any((row["kernel"], name) not in named for name in row["precision"])
        ]
        contents["configs"] = found + others
        contents["measured"] = {**(before["measured"] or {}), family: measured}
    if dense_up_to is not None:
        limits = {
            kernel: dict.fromkeys(limits, dense_up_to)
            for kernel, limits in before["dense_up_to"][family].items()
        }
        contents["dense_up_to"] = {**before["dense_up_to"], family: limits}
    return contents


def text(contents: dict[str, Any]) -> str:
    """Return a table as it is stored, with a line per entry."""
    parts = []
    for name, value in contents.items():
        if isinstance(value, dict):
            lines = [f"  {json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
            parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
        elif isinstance(value, list):
            lines = [f"  {json.dumps(entry)}" for entry in value]
            parts.append(f" {json.dumps(name)}: [\n" + ",\n".join(lines) + "\n ]")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def table() -> dict[str, Any]:
    """Return the table in use."""
    return _table().contents


def _table() -> _Table:
    if not _IN_USE:
        chosen = os.environ.get(ENVIRONMENT_VARIABLE)
        file = Path(chosen) if chosen else files(__package__).joinpath("configs.json")
        _IN_USE.append(_Table(json.loads(file.read_text(encoding="utf-8"))))
    return _IN_USE[-1]


@contextlib.contextmanager
def using(contents: dict[str, Any]) -> Iterator[dict[tuple[str, str, str], Config]]:
    """Use another table inside a `with` block, in this process.

    Yields:
        What is looked up in it, by family, kernel and precision.
    """
    before = _table()
    use(contents)
    try:
        yield _table().found
    finally:
        _IN_USE[:] = [before]


def use(contents: dict[str, Any]) -> None:
    """Use another table from here on, in this process."""
    _IN_USE[:] = [_Table(contents)]


def power_of_two(length: int) -> int:
    """Return the smallest power of two that is not less."""
    return 1 << max(0, length - 1).bit_length()


def ceil_div(length: int, step: int) -> int:
    """Return length / step, rounded up.

    A call of `triton.cdiv` from Python costs 5 µs (Triton 3.7.1, Zen 4, 2026-11).
    """
    return -(-length // step)
