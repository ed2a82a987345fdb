"""The porting guide: its blocks, one after the other, are a backend that the kit passes."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

from kanditioned_conformance.report import Report, counts

ROOT = Path(__file__).parents[2]
READING, *BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/pages/porting.md").read_text("utf-8"), re.DOTALL
)
"""How vectors are read, and the port."""
OTHER_CHAPTERS = ("input_maps", "monotone_and_convex")
"""What a layer need not have, and the guide leaves out."""


def lines(code: str) -> int:
    """Return how many lines of code there are, without the calls that run vectors."""
    tested: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        call = node.value if isinstance(node, ast.Expr) else None
        called = call.func if isinstance(call, ast.Call) else None
        if isinstance(called, ast.Name) and called.id == "test":
            tested |= set(range(called.lineno, (call.end_lineno or call.lineno) + 1))
    numbered = enumerate(code.splitlines(), 1)
    return sum(bool(line.strip()) and number not in tested for number, line in numbered)


def test_the_port_is_short() -> None:
    assert lines("\n".join(BLOCKS)) <= 120


def test_the_kit_passes_it_and_skips_nothing(tmp_path: Path) -> None:
    (tmp_path / "guide.py").write_text("\n".join([READING, *BLOCKS]), "utf-8")
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "kanditioned_conformance", "--backend", "guide:port",
         "--report", str(report), "-p", "no:cacheprovider"],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    results = [r for r in Report.read(report).results if r.chapter not in OTHER_CHAPTERS]
    assert set(counts(results)) == {"passed"}
    assert len(results) > 300
