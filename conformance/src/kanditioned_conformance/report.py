"""What a run has found, as data: one `Result` per test, and what was tested.

A report is written as JSON. Several reports, of backends that cannot share a process, are one page
(`html`).
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kanditioned_spec import SPEC_VERSION

OUTCOMES = ("passed", "failed", "crashed", "timed out", "not run", "xfailed", "skipped")
"""`failed` includes an expected failure that passes; `xfailed` is one that fails."""
RAN = ("passed", "failed", "crashed", "timed out", "xfailed")
BAD = ("failed", "crashed", "timed out", "not run")


@dataclass(frozen=True)
class Result:
    """One test of one backend at one dtype.

    Attributes:
        backend: What the backend was asked for as.
        dtype: Storage dtype.
        chapter: Chapter of the spec, such as `"values"`.
        test: Class and test, such as `"TestPenalty::test_from_parameters"`.
        parameters: Of the test, such as `"dct-fft"`.
        outcome: One of `OUTCOMES`.
        reason: Why it was skipped, or is expected to fail; or how it failed.
        ratios: The largest |got - want| / bound, by what was compared.
        refused: How many problems the backend did not take, by its reason.
        seconds: Of processor time, of all threads together.
        ran: How many problems were checked.
    """

    backend: str
    dtype: str
    chapter: str
    test: str
    parameters: str
    outcome: str
    reason: str = ""
    ratios: dict[str, float] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    ran: int = 0

    @property
    def address(self) -> str:
        """How a file of expected failures names it."""
        parameters = ",".join(filter(None, (self.parameters, self.dtype)))
        return f"{self.chapter}::{self.test}[{parameters}]"


@dataclass(frozen=True)
class Report:
    """A run.

    Attributes:
        header: Lines that say what was tested, with what.
        results: What came out, in the order of the tests.
    """

    header: tuple[str, ...]
    results: tuple[Result, ...]

    def write(self, path: Path) -> None:
        """Write the report as JSON, in which an infinite ratio is the string `"inf"`."""
        raw = asdict(self)
        for result in raw["results"]:
            ratios = result["ratios"].items()
            result["ratios"] = {k: v if math.isfinite(v) else "inf" for k, v in ratios}
        path.write_text(json.dumps(raw, indent=1, ensure_ascii=False, allow_nan=False), "utf-8")

    @staticmethod
    def read(path: Path) -> Report:
        """Read a report that `write` has written."""
        raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for result in raw["results"]:
            result["ratios"] = {k: float(v) for k, v in result["ratios"].items()}
        return Report(tuple(raw["header"]), tuple(Result(**result) for result in raw["results"]))


def join(reports: Sequence[Report]) -> Report:
    """Return the results of several runs as one report."""
    header = dict.fromkeys(line for report in reports for line in report.header)
    return Report(tuple(header), tuple(r for report in reports for r in report.results))


def environment() -> str:
    """Return the header's line on versions."""
    return (
        f"kanditioned spec {SPEC_VERSION}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, {platform.system()} {platform.machine()}"
    )


def summary(results: Sequence[Result]) -> list[str]:
    """Return the lines on one backend that end a run."""
    dtypes = dict.fromkeys(result.dtype for result in results)
    lines = [" " * 24 + "".join(f"{dtype:>10}" for dtype in dtypes)]
    for label, row in sorted(largest_ratios(results).items()):
        cells = "".join(f"{row[d]:10.3g}" if d in row else f"{'':10}" for d in dtypes)
        lines.append(f"{label:<24}{cells}{'' if max(row.values()) <= 1 else '  OUT OF BOUNDS'}")
    ran = sum(result.ran for result in results)
    lines += [
        f"{count} of {ran + count} problems refused: {reason}"
        for reason, count in refusals(results).items()
    ]
    lines += [
        f"{result.outcome.upper()} {result.address}" for result in results if result.outcome in BAD
    ]
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts(results).items())
    return [*lines, said]


def largest_ratios(results: Iterable[Result]) -> dict[str, dict[str, float]]:
    """Return the largest |got - want| / bound, by what was compared and by dtype."""
    largest: dict[str, dict[str, float]] = {}
    for result in results:
        for label, ratio in result.ratios.items():
            row = largest.setdefault(label, {})
            row[result.dtype] = max(ratio, row.get(result.dtype, 0.0))
    return largest


def counts(results: Iterable[Result]) -> dict[str, int]:
    """Return how many results have each outcome, without those that none has."""
    total = dict.fromkeys(OUTCOMES, 0)
    for result in results:
        total[result.outcome] += 1
    return {outcome: count for outcome, count in total.items() if count}


def refusals(results: Iterable[Result]) -> dict[str, int]:
    """Return how many problems were not taken, by reason."""
    total: dict[str, int] = {}
    for result in results:
        for reason, count in result.refused.items():
            total[reason] = total.get(reason, 0) + count
    return total


def write_from_command_line(write: Callable[[Report, Path], None]) -> None:
    """Run `python -m MODULE page report.json ...`, which writes the page of some reports."""
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path, help="the file to write")
    parser.add_argument("reports", type=Path, nargs="+", metavar="report.json")
    given = parser.parse_args()
    write(join([Report.read(path) for path in given.reports]), given.page)
