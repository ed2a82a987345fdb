"""The GPU command as a whole, in Triton's interpreter, and its table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import render
from kanditioned_triton import runner

ROOT = Path(__file__).parents[2]
RELEASE = """
from torch import nn

class KANLayer(nn.Linear):
    def __init__(self, in_features, out_features, init, num_control_points, impl):
        super().__init__(in_features, out_features)
"""
"""Has the signature of release 1.0.3."""
OURS = ("imports", "compile", "values", "ceilings", "ours", "candidates", "kit", "integration",
        "lmKAN", "kit, other formats", "sanitizer")  # fmt: skip
OTHERS = ("products", "release 1.0.3", "compiled")


def test_every_line_runs_before_there_is_a_gpu(tmp_path: Path) -> None:
    (tmp_path / "KANditioned").mkdir()
    (tmp_path / "KANditioned" / "kan_layer.py").write_text(RELEASE, encoding="utf-8")
    output = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "kanditioned_triton.selfcheck", "--with", "benchmarks.gpu"]
    run = subprocess.run(
        [*command, "--budget", "900", "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "KANDITIONED_1X": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    rows = runner.read([output])
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert {row["step"] for row in rows if "step" in row} == {*OURS, *OTHERS}
    assert not [row for row in rows if row.keys() & {"error", "cut", "withheld", "reason"}]
    assert "Nothing failed." in render.text(rows)


def row(step: str, name: str, **values: Any) -> dict[str, Any]:
    return {"step": step, "name": name, **values}


def quantiles(ms: float) -> list[float]:
    return [0.9 * ms, ms, 1.1 * ms]


class TestRender:
    """What is made of rows."""

    def test_nothing_measured(self) -> None:
        page = render.text([])
        assert page.count(render.NOT_MEASURED) == len(list(render.every_target(render.Rows([]))))
        assert "missed**" not in page

    @pytest.mark.parametrize(("ours", "said"), [(1.0, "| 25 | ≥ 20 | met |"),
                                                (2.0, "| 12.5 | ≥ 20 | **missed** |")])  # fmt: skip
    def test_the_best_of_the_release_counts(self, ours: float, said: str) -> None:
        slow, fast = (
            row("release 1.0.3", f"1.0.3 {impl} {setting} K=8", ms=quantiles(ms))
            for impl, setting, ms in (
                ("embedding_bag", "bfloat16 medium", 30.0),
                ("embedding_bag", "float32 highest", 25.0),
            )
        )
        mine = row("ours", "step bfloat16 medium K=8", ms=quantiles(ours))
        assert said in render.text([slow, fast, mine])

    def test_the_slower_of_our_own_times_counts(self) -> None:
        theirs = row(
            "release 1.0.3", "1.0.3 embedding_bag bfloat16 medium K=8",
            ms=quantiles(20.0), ours=quantiles(2.0),
        )  # fmt: skip
        mine = row("ours", "step bfloat16 medium K=8", ms=quantiles(1.0))
        assert render.against_release(render.Rows([theirs, mine]), "bfloat16", "medium", 8) == "10"

    def test_failures_are_listed_and_the_last_row_counts(self) -> None:
        rows = [
            row("ours", "a", error="Traceback\nZeroDivisionError: x"),
            row("kit", "b", failed=1),
        ]
        assert "- ours, a: ZeroDivisionError: x" in render.text(rows)
        again = [*rows, row("ours", "a", ms=quantiles(1.0)), row("kit", "b", failed={})]
        assert "Nothing failed." in render.text(again)
