"""How the coefficients of the cost model are made of measurements."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from benchmarks.tune import measurement
from kanditioned_spec.costs import WORKS, Sizes, predict

SIZES = Sizes(3, 5, 7, 11)


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_sizes_are_drawn_within_bounds_and_again(kind: str) -> None:
    drawn = measurement.sample(100, kind, seed=3)
    assert drawn == measurement.sample(100, kind, seed=3) != measurement.sample(100, kind, seed=4)
    assert len(drawn) == 100 + len(measurement.COMMON)
    edges, control_points = measurement.MOST[kind]
    assert all(WORKS["edges"](*sizes) <= edges for sizes in drawn)
    assert all(WORKS["control points"](*sizes) <= control_points for sizes in drawn)
    assert all(min(sizes[:3]) >= 1 and sizes.num_control_points >= 2 for sizes in drawn)


def test_coefficients_are_found_again() -> None:
    pytest.importorskip("scipy")
    drawn = measurement.sample(60, "cpu", seed=0)
    costs = {"call": 5e4, "inputs": 8.0, "edges": 0.25, "control points": 0.5}
    seconds = [predict(costs, sizes) * 1e-9 for sizes in drawn]
    found = measurement.fit_costs(drawn, seconds)
    assert {work: found.get(work, 0.0) for work in costs} == pytest.approx(costs, rel=0.01)
    for sizes, wanted in zip(drawn, seconds, strict=True):
        assert predict(found, sizes) * 1e-9 == pytest.approx(wanted, rel=0.01)


def test_a_work_that_no_size_has_is_free() -> None:
    pytest.importorskip("scipy")
    drawn = [Sizes(1, 2, 3, 4), Sizes(40, 3, 8, 5), Sizes(300, 7, 16, 9)]
    found = measurement.fit_costs(drawn, [1e-5, 1e-4, 1e-3])
    assert found.keys().isdisjoint({"far basis", "looped edges"})
    assert predict(found, drawn[1]) == pytest.approx(1e5, rel=0.1)


def test_regret_is_over_the_fastest() -> None:
    candidates = {"a": {"call": 1.0}, "b": {"call": 2.0}}
    assert measurement.regrets(candidates, [SIZES, SIZES], {"a": [3.0, 1.0], "b": [2.0, 4.0]}) == [
        1.5,
        1,
    ]


def test_hopeless_ones_are_timed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "SECONDS", 0.0)
    now, calls = [0.0], {"fast": count(), "slow": count()}

    def run(name: str, seconds: float) -> None:
        next(calls[name])
        now[0] += seconds

    runs = {"fast": lambda: run("fast", 1.0), "slow": lambda: run("slow", 10.0)}
    assert measurement.medians(runs, clock=lambda: now[0]) == {"fast": 1.0, "slow": 10.0}
    once_to_warm_up = 1
    assert next(calls["fast"]) == once_to_warm_up + measurement.ROUNDS[0]
    assert next(calls["slow"]) == once_to_warm_up + 2


def test_a_table_is_json_with_a_line_per_implementation() -> None:
    table: dict[str, Any] = {
        "cpu": {"contract": {"dense": {"call": 1.5, "edges": 2.0}, "free": {}}},
        "other": {},
    }
    text = measurement.format_table(table)
    assert json.loads(text) == table
    assert '      "dense": {"call": 1.5, "edges": 2.0},' in text.splitlines()
