"""What `summary.py` makes of the rows of the benchmark."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

HEAD = (
    "batch,in_features,out_features,num_control_points,clock,mode,precision,status,competitor,"
    "p50_ms,device,date,versions"
)


def row(batch: int, competitor: str, time: float, status: str = "ok") -> str:
    return f"{batch},2,3,8,cpu,train,highest,{status},{competitor},{time},A,2026-11-27,numpy 2"


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module, with results of our own."""
    spec = spec_from_file_location("summary", Path(__file__).parent.parent / "summary.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = (
        HEAD,
        row(1, "torch auto", 9.0),  # measured again below
        row(1, "torch auto", 2.0),
        row(1, "jax auto", 3.0),
        row(1, "nn.Linear", 1.0),
        row(1, "pykan", 0.1, status="wrong"),
        row(1, "pykan", 8.0),
        row(1, "fast-kan", 7.0),
        row(1, '"fast-kan, compiled"', 6.0),
        row(1, "inkan", 9.0),
        row(5, "torch auto", 2.0),  # too few others
        row(5, "inkan", 9.0),
    )
    (tmp_path / "speed.csv").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "speed.csv")
    return module


def test_our_best_stands_beside_the_best_of_the_others(summary: ModuleType) -> None:
    lines = summary.on_page_markdown("a\n\n<!-- summary -->").splitlines()
    (line,) = (line for line in lines if line.startswith("| 1"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:] == ["2.00", "6.00", "fast-kan, compiled", "**3.0**", "1.00"]
    assert not [line for line in lines if line.startswith("| 5")]


def test_other_pages_stay(summary: ModuleType) -> None:
    assert summary.on_page_markdown("a") == "a"
