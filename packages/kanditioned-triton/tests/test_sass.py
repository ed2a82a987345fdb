"""The main loops of the hot kernels, held to a committed table.

To renew it, for review: `python -m kanditioned_triton.sass > tests/sass.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import triton

from kanditioned_triton.sass import main_loop

TABLE = json.loads(Path(__file__).with_name("sass.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(triton.__version__ != TABLE["triton"], reason="the table is of another Triton")
def test_as_the_table_says() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    run = subprocess.run(
        [sys.executable, "-m", "kanditioned_triton.sass"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert json.loads(run.stdout)["rows"] == TABLE["rows"]


def test_table_spills_nothing() -> None:
    for row in TABLE["rows"]:
        assert row["spilled bytes"] == 0, row
        # A kernel that multiplies does so asynchronously, and loads 16 bytes at a time.
        if row["kernel"] in ("dense_interpolate", "dense_contract", "accumulate"):
            assert row["asynchronous"], row
            assert row["128-bit loads"] > 0, row


def test_main_loop_is_the_one_that_multiplies() -> None:
    instructions = ["MOV R1, R2", "IADD3 R1, R1, 0x1, RZ", "IADD3 R2, R2, 0x1, RZ",
                    "@P1 BRA 0x10", "HGMMA.64x64x16.F32 R8, gdesc[UR4], R8", "@!P0 BRA 0x40",
                    "@P2 BRA 0x00", "EXIT"]  # fmt: skip
    text = "\n".join(f"/*{16 * at:04x}*/   {line} ;" for at, line in enumerate(instructions))
    assert main_loop(text) == instructions[4:6]
