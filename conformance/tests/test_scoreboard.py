"""The scoreboard and the badge, from results that are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kanditioned_conformance.report import Report, Result
from kanditioned_conformance.scoreboard import badge, page, write


def result(backend: str, chapter: str, outcome: str, reason: str = "", **more: Any) -> Result:
    return Result(backend, "float32", chapter, "TestIt::test_it", "", outcome, reason, **more)


RESULTS = (
    result("rows:mine", "values", "passed", ran=3),
    result("rows:mine", "gradients", "passed", ran=1, refused={"too large": 2}),
    result("rows:mine", "penalty", "skipped", "it does not offer penalty"),
    result("rows:theirs", "values", "xfailed", "NaN is 0\nand more"),
    result("rows:theirs", "gradients", "skipped", "it does not offer vjp"),
    result("rows:theirs", "penalty", "skipped", "it does not offer penalty"),
)
REPORT = Report(("kanditioned spec 2.0, numpy 2", "profile ci, 2026-11-28"), RESULTS)


def test_a_row_has_its_counts_by_chapter() -> None:
    lines = page(REPORT).splitlines()
    assert "| implementation | values | gradients |" in lines, "nothing of the penalty ran"
    assert "| mine | 1 | 1* |" in lines
    assert "| theirs | **0/1** | – |" in lines


def test_every_reason_is_shown() -> None:
    text = page(REPORT)
    assert "- kanditioned spec 2.0, numpy 2" in text
    assert "- expected failure: NaN is 0 (values 1)" in text
    assert "- skipped: it does not offer vjp (1); it does not offer penalty (1)" in text
    assert "- refused: 2 of 6 problems: too large" in text


@pytest.mark.parametrize(
    ("results", "message", "color"),
    [
        (RESULTS[:1], "1 of 1", "brightgreen"),
        (RESULTS[:2], "2 of 2", "yellow"),
        (RESULTS, "2 of 3", "yellow"),
        ((*RESULTS[:1], result("rows:mine", "values", "crashed")), "1 of 2", "red"),
        ((*RESULTS[:1], result("rows:mine", "values", "not run")), "1 of 1", "red"),
        (RESULTS[2:3], "0 of 0", "red"),
    ],
)
def test_a_badge_is_green_only_where_all_has_passed(
    results: tuple[Result, ...], message: str, color: str
) -> None:
    shown = badge(results)
    assert (shown["message"], shown["color"]) == (message, color)


def test_the_name_of_the_file_decides(tmp_path: Path) -> None:
    write(REPORT, tmp_path / "badge.json")
    assert json.loads((tmp_path / "badge.json").read_text())["schemaVersion"] == 1
    write(REPORT, tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == page(REPORT)
