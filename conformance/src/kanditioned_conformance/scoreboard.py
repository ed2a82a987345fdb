"""The scoreboard: implementations down, chapters across; and a badge.

    python -m kanditioned_conformance.scoreboard page.md report.json [report.json ...]
    python -m kanditioned_conformance.scoreboard badge.json report.json

A cell has how many tests passed of those that ran; a chapter of which nothing ran has no column.
Below it stands every reason why a test did not pass, and what was skipped or refused. A badge is
the JSON of a shields.io endpoint.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from kanditioned_spec import SPEC_VERSION

from .report import BAD, RAN, Report, Result, write_from_command_line

HEAD = """# Scoreboard

Implementations that others wrote, or that our layers were exported to, under the same tests as
our own. A cell has how many tests passed of those that ran, `–` where none ran; `*` marks tests
that ran on some of their problems only. An adapter declares what an implementation does not do;
what it does wrong is an expected failure with its reason. Written by
`python -m kanditioned_conformance.scoreboard` from reports.
"""


def write(report: Report, path: Path) -> None:
    """Write the page, or the badge if the name ends in `.json`."""
    if path.suffix == ".json":
        path.write_text(json.dumps(badge(report.results)) + "\n", "utf-8")
    else:
        path.write_text(page(report), "utf-8")


def badge(results: Iterable[Result]) -> dict[str, object]:
    """Return the endpoint's JSON: passed of those that ran; green only if nothing was bad."""
    results = list(results)
    ran = sum(result.outcome in RAN for result in results)
    passed = sum(result.outcome == "passed" for result in results)
    bad = not ran or any(result.outcome in BAD for result in results)
    partial = passed < ran or any(result.refused for result in results)
    return {
        "schemaVersion": 1,
        "label": f"KAN spec {SPEC_VERSION}",
        "message": f"{passed} of {ran}",
        "color": "red" if bad else "yellow" if partial else "brightgreen",
    }


def page(report: Report) -> str:
    """Return the page as Markdown."""
    results = report.results
    chapters = list(dict.fromkeys(r.chapter for r in results if r.outcome in RAN))
    names = list(dict.fromkeys(result.backend for result in results))
    titles = [chapter.replace("_", " ") for chapter in chapters]
    lines = [HEAD, _row(["implementation", *titles]), _row(["---"] * (len(chapters) + 1))]
    for name in names:
        mine = [result for result in results if result.backend == name]
        cells = [_cell([r for r in mine if r.chapter == chapter]) for chapter in chapters]
        lines.append(_row([_short(name), *cells]))
    lines += ["", "## What was tested", ""]
    lines += [f"- {line}" for line in report.header]
    lines += ["", "## What did not pass, and why", ""]
    for name in names:
        mine = [result for result in results if result.backend == name]
        lines += [f"### {_short(name)}", "", *_reasons(mine), ""]
    return "\n".join(lines).rstrip() + "\n"


def _short(name: str) -> str:
    """Return the attribute of a `module:attribute`."""
    return name.rpartition(":")[2]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(results: Sequence[Result]) -> str:
    ran = [result for result in results if result.outcome in RAN]
    if not ran:
        return "–"
    passed = sum(result.outcome == "passed" for result in ran)
    mark = "*" if any(result.refused for result in ran) else ""
    return f"{passed}{mark}" if passed == len(ran) else f"**{passed}/{len(ran)}**{mark}"


def _reasons(results: Sequence[Result]) -> list[str]:
    """Return a line for each reason, with how many tests of which chapters share it.

    What was skipped is one line.
    """
    lines = []
    for outcome in (*BAD, "xfailed"):
        shared: dict[str, Counter[str]] = {}
        for result in results:
            if result.outcome == outcome:
                reason = result.reason.partition("\n")[0]
                shared.setdefault(reason, Counter())[result.chapter.replace("_", " ")] += 1
        said = "expected failure" if outcome == "xfailed" else outcome
        for reason, where in shared.items():
            chapters = ", ".join(f"{chapter} {count}" for chapter, count in where.items())
            lines.append(f"- {said}: {reason} ({chapters})")
    skipped = Counter(result.reason for result in results if result.outcome == "skipped")
    if skipped:
        said = "; ".join(f"{reason} ({count})" for reason, count in skipped.items())
        lines.append(f"- skipped: {said}")
    refused: Counter[str] = Counter()
    for result in results:
        refused.update(result.refused)
    ran = sum(result.ran for result in results)
    lines += [f"- refused: {n} of {ran + n} problems: {why}" for why, n in refused.items()]
    return lines or ["- nothing"]


if __name__ == "__main__":
    write_from_command_line(write)
