"""Figures that no other test draws."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FIGURES = Path(__file__).parents[1] / "figures"


def test_the_picture_of_the_readme_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(FIGURES)
    path = tmp_path / "overview.svg"
    runpy.run_path(str(FIGURES / "overview.py"))["overview"](path)
    assert b"</svg>" in path.read_bytes()
