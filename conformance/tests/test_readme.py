"""The README: its adapter, pasted, passes; with one sign flipped, it fails readably."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kanditioned_conformance.faults import FAULTS
from kanditioned_conformance.session import CHAPTERS

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
(ADAPTER,) = re.findall(r"```python\n# adapter.py\n(.*?)```", README, re.DOTALL)
SIGN = "left + t[..., None] * (right - left)"
FLIPS = {
    "value": (SIGN, SIGN.replace("+", "-")),
    "grad x": ("(slope * gy", "(-slope * gy"),
    "grad control points": ("(1 - t)", "(1 + t)"),
}


def run(folder: Path, adapter: str) -> subprocess.CompletedProcess[str]:
    (folder / "adapter.py").write_text(adapter, "utf-8")
    command = [sys.executable, "-m", "kanditioned_conformance"]
    command += ["--backend", "adapter:backend", "--profile", "ci", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_adapter_is_short() -> None:
    assert len([line for line in ADAPTER.splitlines() if line.strip()]) <= 40


def test_the_adapter_passes(tmp_path: Path) -> None:
    done = run(tmp_path, ADAPTER)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("label", FLIPS)
def test_the_adapter_with_one_sign_flipped_fails(label: str, tmp_path: Path) -> None:
    right, wrong = FLIPS[label]
    assert ADAPTER.count(right) == 1
    done = run(tmp_path, ADAPTER.replace(right, wrong))
    assert done.returncode == 1
    assert re.search(rf"^{label}: at \[0.*\] got .*, want .*times the bound", done.stdout, re.M)
    assert "B=1 I=1 O=1 K=2 w=4.0 float32 on cpu" in done.stdout
    assert "reproduce: python -c" in done.stdout
    assert "Traceback" not in done.stdout


def test_every_chapter_is_listed_and_the_faults_are_counted() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \| ", README, re.MULTILINE))
    assert {name.removeprefix("test_") for name in CHAPTERS} <= listed
    assert f"runs {len(FAULTS)} backends with one step done wrong" in README
