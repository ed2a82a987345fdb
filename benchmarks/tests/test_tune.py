"""The command that measures the table of `auto`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.tune import measurement
from benchmarks.tune import torch as tune
from kanditioned_spec.costs import WORKS, Sizes
from kanditioned_torch import selection

DRAWN = [Sizes(1, 2, 3, 4), Sizes(40, 3, 8, 5), Sizes(300, 12, 16, 9)]


@pytest.mark.skipif("cpu" not in selection.entry_points(), reason="needs kanditioned-cpu")
def test_it_replaces_its_part_of_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "selection.json"
    kept = {"call": 1.0}
    path.write_text(json.dumps({"cpu": {"compiled": kept}, "other": kept}))
    monkeypatch.setattr(measurement, "sample", lambda *_: DRAWN)
    monkeypatch.setattr(measurement, "SECONDS", 0.0)
    monkeypatch.setattr(sys, "argv", ["tune", "--modes", "eager", "--output", str(path)])
    tune.main()
    table = json.loads(path.read_text())
    assert table["other"] == table["cpu"]["compiled"] == kept
    found = table["cpu"]["eager"]
    assert {name: set(costs) for name, costs in found.items()} == {
        **{name: {*impls, "cpu"} for name, impls in tune.CANDIDATES.items()},
        "vjp": {"cpu"},
    }
    for candidates in found.values():
        for costs in candidates.values():
            assert costs.keys() <= WORKS.keys()
            assert all(nanoseconds > 0 for nanoseconds in costs.values())


def test_it_needs_the_native_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "entry_points", dict)
    monkeypatch.setattr(sys, "argv", ["tune"])
    with pytest.raises(ImportError, match='pip install "kanditioned-cpu"'):
        tune.main()


def test_compiled_programs_need_no_operator_of_this_package() -> None:
    assert "sparse_csr" in tune.candidates("contract", "cpu", compiled=False)
    assert "sparse_csr" not in tune.candidates("contract", "cpu", compiled=True)
