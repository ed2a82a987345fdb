"""Every config of the table compiled for GPUs that are not here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from kanditioned_triton.aot import SHARED_MEMORY, TARGETS, family

SMALLEST = ("sm_86", "sm_90", "sm_100", "gfx942")
"""Of the families whose tiles are large, the architecture with the least shared memory."""
ARCHITECTURES = tuple(TARGETS) if os.environ.get("KANDITIONED_ALL_GPUS") else SMALLEST
MATRIX_UNIT = {"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA", "gfx942": "v_mfma"}
"""Instructions of a family."""
DENSE = ("dense_interpolate", "dense_contract", "accumulate", "bucketed_accumulate")
LOOKUP = ("lookup_interpolate", "lookup_contract", "count_keys", "place_samples")
SECONDS = 240
"""For up to five kernels, of which each takes 1 to 6 s on an idle core (2026-11)."""


def compiled(architecture: str, *kernels: str) -> list[dict[str, Any]]:
    """Compile in a process of its own, because a compiler that fails may abort."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "kanditioned_triton.aot", "--json", architecture, *kernels]
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kernel", DENSE)
def test_dense(architecture: str, kernel: str) -> None:
    reports = compiled(architecture, kernel)
    assert {report["precision"] for report in reports} >= {"medium", "high", "highest"}
    for report in reports:
        _fits(report, architecture)
        _multiplies(report, family(architecture))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_lookup(architecture: str) -> None:
    reports = compiled(architecture, *LOOKUP)
    assert {report["kernel"] for report in reports} == set(LOOKUP)
    for report in reports:
        _fits(report, architecture)


def _fits(report: dict[str, Any], architecture: str) -> None:
    assert report["spilled_bytes"] == 0, report
    assert report["shared_bytes"] <= SHARED_MEMORY[architecture], report


def _multiplies(report: dict[str, Any], family: str) -> None:
    """Check the matrix instructions: sm_75 has none of these dtypes, nor anyone of float64."""
    instructions = report["matrix_instructions"]
    if report["precision"] == "float64" or family == "sm_75":
        assert not instructions, report
        return
    # Blocks of 64 rows are the least for the asynchronous instructions of sm_90 and sm_100.
    rows = report["block_b"] if "dense" in report["kernel"] else 8 * report["block_g"]
    if "accumulate" in report["kernel"] and report["precision"] == "medium":
        rows = report["block_o"]  # what is stored in 16 bits is multiplied the other way round
    newest = rows >= 64 or family in ("sm_80", "gfx942")
    assert (MATRIX_UNIT[family] if newest else "HMMA") in instructions, report
    assert not report["is_serialized"], report
