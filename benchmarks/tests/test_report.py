"""What `python -m benchmarks report` makes of rows."""

from __future__ import annotations

import pandas as pd

from benchmarks.speed.report import auto_table, speed_table

SHAPE = {"batch": 1, "in_features": 2, "out_features": 3, "num_control_points": 4}
PLACE = {"device": "A", "threads": 1}


def choice(quotient: float, **others: object) -> dict[str, object]:
    kind = {"framework": "torch", "execution": "eager", "kernels": "stock operations"}
    row = {**SHAPE, "mode": "train", "shape": "random", **kind, **PLACE, "best": "torch dense"}
    return {**row, "quotient": quotient, **others}


def test_of_one_choice_the_last_counts_and_devices_are_apart() -> None:
    rows = [choice(1.3), choice(1.05), choice(1.2, device="B"), choice(1.01, batch=2)]
    table, missed = auto_table(pd.DataFrame(rows))
    assert missed == 1
    assert [line.split(" | ")[6:9] for line in table[2:4]] == [
        ["train", "2 of 2", "1.05"],
        ["train", "0 of 1", "1.20"],
    ]


def speed(competitor: str, p50_ms: str, status: str = "ok") -> dict[str, object]:
    limits = {"dense_limit_ms": 0.1, "memory_limit_ms": 0.2}
    row = {**SHAPE, "competitor": competitor, "parameterization": "", "error": "", **limits}
    return {**row, "p50_ms": p50_ms, "status": status}


def test_a_speed_is_given_over_the_floor_and_marked_where_it_is_wrong() -> None:
    rows = [speed("nn.Linear", "2.0"), speed("off", "5.0", "wrong"), speed("broken", "", "raises")]
    table = speed_table(pd.DataFrame(rows))
    assert table[2:5] == [
        "| nn.Linear | 2 (1.0) |",
        "| off | 5 (2.5) wrong |",
        "| broken | raises |",
    ]
