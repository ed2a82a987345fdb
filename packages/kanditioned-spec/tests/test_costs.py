"""The cost model."""

from __future__ import annotations

from kanditioned_spec.costs import WORKS, Sizes, cheapest, predict

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
    assert predict({"call": 100.0, "edges": 2.0}, SIZES) == 310
    assert predict({}, SIZES) == 0


def test_the_cheapest_is_the_first_of_equals():
    candidates = {"lookup": {"edges": 11.0}, "dense": {"products": 1.0}, "slow": {"call": 1e9}}
    assert cheapest(candidates, SIZES) == "lookup"
    assert cheapest(candidates, SIZES._replace(num_control_points=10)) == "dense"
