"""The cost model and how it is made of measurements."""

from __future__ import annotations

import json
from itertools import count

import pytest

from kanditioned_spec import tuning
from kanditioned_spec.costs import WORKS, Sizes, cheapest, predicted

SIZES = Sizes(3, 5, 7, 11)


def test_works():
    amounts = {work: amount(*SIZES) for work, amount in WORKS.items()}
    assert amounts == {
        "call": 1, "features": 5, "inputs": 15, "outputs": 21, "edges": 105, "odd edges": 105,
        "looped edges": 0, "basis": 165, "far basis": 0, "products": 1155, "knots": 55,
        "control points": 385,
    }  # fmt: skip
    assert WORKS["looped edges"](3, 8, 7, 11) == 3 * 8 * 7
    assert WORKS["far basis"](2**15, 8, 7, 11) == 2**15 * 8 * 11 - 2**19


def test_a_time_is_a_sum_of_works():
    assert predicted({"call": 100.0, "edges": 2.0}, SIZES) == 310
    assert predicted({}, SIZES) == 0


def test_the_cheapest_is_the_first_of_equals():
    candidates = {"lookup": {"edges": 11.0}, "dense": {"products": 1.0}, "slow": {"call": 1e9}}
    assert cheapest(candidates, SIZES) == "lookup"
    assert cheapest(candidates, SIZES._replace(num_control_points=10)) == "dense"


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_sizes_are_drawn_within_bounds_and_again(kind):
    drawn = tuning.sample(100, kind, seed=3)
    assert drawn == tuning.sample(100, kind, seed=3) != tuning.sample(100, kind, seed=4)
    assert len(drawn) == 100 + len(tuning.COMMON)
    edges, control_points = tuning.MOST[kind]
    assert all(WORKS["edges"](*sizes) <= edges for sizes in drawn)
    assert all(WORKS["control points"](*sizes) <= control_points for sizes in drawn)
    assert all(min(sizes[:3]) >= 1 and sizes.num_control_points >= 2 for sizes in drawn)


def test_coefficients_are_found_again():
    pytest.importorskip("scipy")
    drawn = tuning.sample(60, "cpu", seed=0)
    costs = {"call": 5e4, "inputs": 8.0, "edges": 0.25, "control points": 0.5}
    seconds = [predicted(costs, sizes) * 1e-9 for sizes in drawn]
    found = tuning.fitted(drawn, seconds)
    assert {work: found.get(work, 0.0) for work in costs} == pytest.approx(costs, rel=0.01)
    for sizes, wanted in zip(drawn, seconds, strict=True):
        assert predicted(found, sizes) * 1e-9 == pytest.approx(wanted, rel=0.01)


def test_a_work_that_no_size_has_is_free():
    pytest.importorskip("scipy")
    drawn = [Sizes(1, 2, 3, 4), Sizes(40, 3, 8, 5), Sizes(300, 7, 16, 9)]
    found = tuning.fitted(drawn, [1e-5, 1e-4, 1e-3])
    assert found.keys().isdisjoint({"far basis", "looped edges"})
    assert predicted(found, drawn[1]) == pytest.approx(1e5, rel=0.1)


def test_regret_is_over_the_fastest():
    candidates = {"a": {"call": 1.0}, "b": {"call": 2.0}}
    assert tuning.regrets(candidates, [SIZES, SIZES], {"a": [3.0, 1.0], "b": [2.0, 4.0]}) == [
        1.5,
        1,
    ]


def test_hopeless_ones_are_timed_twice(monkeypatch):
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    now, calls = [0.0], {"fast": count(), "slow": count()}

    def run(name, seconds):
        next(calls[name])
        now[0] += seconds

    runs = {"fast": lambda: run("fast", 1.0), "slow": lambda: run("slow", 10.0)}
    assert tuning.medians(runs, clock=lambda: now[0]) == {"fast": 1.0, "slow": 10.0}
    once_to_warm_up = 1
    assert next(calls["fast"]) == once_to_warm_up + tuning.ROUNDS[0]
    assert next(calls["slow"]) == once_to_warm_up + 2


def test_a_table_is_json_with_a_line_per_implementation():
    table = {"cpu": {"contract": {"dense": {"call": 1.5, "edges": 2.0}, "free": {}}}, "other": {}}
    text = tuning.formatted(table)
    assert json.loads(text) == table
    assert '      "dense": {"call": 1.5, "edges": 2.0},' in text.splitlines()
