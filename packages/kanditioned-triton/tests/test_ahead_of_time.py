"""Every config of the table compiled for GPUs that are not here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from kanditioned_triton.aot import SHARED_MEMORY, TARGETS

MATRIX_UNIT = {"sm_80": "HMMA", "sm_90": "HGMMA", "sm_100": "UTCHMMA", "gfx942": "v_mfma"}
DENSE = ("dense_interpolate", "dense_contract", "accumulate", "bucketed_accumulate")
LOOKUP = ("lookup_interpolate", "lookup_contract", "count_keys", "place_samples")
SECONDS = 240
"""For up to five kernels, of which each takes 1 to 6 s on an idle core (2026-11)."""


def compiled(family: str, *kernels: str) -> list[dict[str, Any]]:
    """Compile in a process of its own, because a compiler that fails may abort."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "kanditioned_triton.aot", "--json", family, *kernels]
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("family", TARGETS)
@pytest.mark.parametrize("kernel", DENSE)
def test_dense(family: str, kernel: str) -> None:
    reports = compiled(family, kernel)
    assert {report["precision"] for report in reports} >= {"medium", "high", "highest"}
    for report in reports:
        _fits(report, family)
        instructions = report["matrix_instructions"]
        if report["precision"] == "float64":
            assert not instructions, report
            continue
        # Blocks of 64 rows are the least for the asynchronous instructions of sm_90 and sm_100.
        rows = report["block_b"] if "dense" in kernel else 8 * report["block_g"]
        newest = rows >= 64 or family in ("sm_80", "gfx942")
        assert (MATRIX_UNIT[family] if newest else "HMMA") in instructions, report
        assert not report["is_serialized"], report


@pytest.mark.parametrize("family", TARGETS)
def test_lookup(family: str) -> None:
    reports = compiled(family, *LOOKUP)
    assert {report["kernel"] for report in reports} == set(LOOKUP)
    for report in reports:
        _fits(report, family)


def _fits(report: dict[str, Any], family: str) -> None:
    assert report["spilled_bytes"] == 0, report
    assert report["shared_bytes"] <= SHARED_MEMORY[family], report
