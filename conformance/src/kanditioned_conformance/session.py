"""One run of the kit: what it is asked to test, and the results as they come in."""

from __future__ import annotations

import pkgutil
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kanditioned_spec import SPEC_VERSION

from . import chapters, coverage, profiles
from .backend_under_test import BackendUnderTest, Record
from .journal import Journal
from .loading import describe, load_backend, read_entries
from .report import Report, Result, environment
from .xfails import Entry

CHAPTERS = {module.name for module in pkgutil.iter_modules(chapters.__path__)}
RECORD = "kanditioned_conformance"
"""Name of the user property that carries what a test has seen, also from worker to controller."""
UNLISTED = "is skipped, and the file of expected skips does not list it"


@dataclass(frozen=True)
class Place:
    """Which test of which backend a pytest node is."""

    backend_under_test: BackendUnderTest
    chapter: str
    test: str
    parameters: str

    def result(self, outcome: str, reason: str, *seen: Any) -> Result:
        """Return the result of this test."""
        tested = self.backend_under_test
        test = (self.chapter, self.test, self.parameters)
        return Result(tested.name, tested.dtype, *test, outcome, reason, *seen)


@dataclass(eq=False)  # pytest keeps plugins in a set
class Session:
    """A run.

    Attributes:
        profile: How much it tries.
        device: Where.
        backends: Every backend at each of its dtypes.
        seed: Of the random examples.
        timeout: Seconds for a test, 0 for no limit.
        min_run: Share of the problems that a backend must take.
        date: Of the run.
        xfails: The expected failures.
        skips: The expected skips; None if any may be skipped.
        journal: Of this run, if the command has started it.
        results: What came out so far, by test.
        collected: The tests that are to run.
        stopped: Whether earlier processes have died too often to go on.
    """

    profile: profiles.Profile
    device: str
    backends: list[BackendUnderTest]
    seed: str
    timeout: float
    min_run: float
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    xfails: list[Entry] = field(default_factory=list)
    skips: list[Entry] | None = None
    journal: Journal | None = None
    results: dict[str, Result] = field(default_factory=dict)
    collected: list[str] = field(default_factory=list)
    stopped: bool = False
    _began: dict[str, float] = field(default_factory=dict)

    @staticmethod
    def of(config: pytest.Config, seed: str) -> Session:
        """Load what the options name.

        Raises:
            pytest.UsageError: It cannot be loaded.
        """
        option = config.getoption
        if option("--kan-spec") not in (None, SPEC_VERSION):
            raise pytest.UsageError(
                f"`--spec` must be {SPEC_VERSION}, the edition that this kit judges by, got "
                f"{option('--kan-spec')!r}. Install the kanditioned-conformance of that edition."
            )
        device, dtypes = str(option("--kan-device")), list[str](option("--kan-dtype"))
        names = dict.fromkeys(option("--kan-backend") or ["reference"])
        backends = {name: load_backend(name, device, dtypes) for name in names}
        folder: Path | None = option("--kan-journal")
        session = Session(
            profiles.PROFILES[option("--kan-profile")],
            device,
            [
                BackendUnderTest(name, backend, dtype, device)
                for name, backend in backends.items()
                for dtype in dtypes or backend.info.dtypes
            ],
            seed,
            option("--kan-timeout"),
            option("--kan-min-run"),
            xfails=read_entries(option("--kan-xfails")) or [],
            skips=read_entries(option("--kan-skips")),
            journal=Journal(folder) if folder else None,
        )
        session._resume()
        return session

    def header(self) -> list[str]:
        """Return the lines that say what is tested."""
        profile = self.profile
        lines = [
            environment(),
            f"profile {profile.name} ({profile.examples} examples), seed {self.seed}, {self.date}",
        ]
        dtypes: dict[str, list[str]] = {}
        for tested in self.backends:
            dtypes.setdefault(tested.name, []).append(tested.dtype)
        for tested in self.backends:
            if listed := ", ".join(dtypes.pop(tested.name, ())):
                lines.append(f"backend {tested.name}: {describe(tested, listed)}")
        return lines

    def report(self) -> Report:
        """Return what has come in so far; what was to run and has no result is not run."""
        lost = []
        for nodeid in coverage.missing(self.collected, self.results):
            if place := self.place(nodeid):
                lost.append(place.result("not run", "the run ended before it"))
        return Report(tuple(self.header()), (*self.results.values(), *lost))

    def place(self, nodeid: str) -> Place | None:
        """Return what a pytest node tests, if it is a chapter's test.

        It is read off the name, because a test that kills its process leaves nothing else.
        """
        path, _, rest = nodeid.partition("::")
        test, _, bracket = rest.partition("[")
        stem = Path(path).stem
        identity = bracket.removesuffix("]")
        fitting = [s for s in self.backends if f"-{identity}-".find(f"-{s.id}-") >= 0]
        if stem not in CHAPTERS or not fitting:
            return None
        tested = max(fitting, key=lambda s: len(s.id))
        parameters = f"-{identity}-".replace(f"-{tested.id}-", "-", 1).strip("-")
        return Place(tested, stem.removeprefix("test_"), test, parameters)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what an earlier process of this run has done, after pytest's own selection."""
        self.collected = [item.nodeid for item in items if self.place(item.nodeid)]
        done = set(self.collected if self.stopped else self.results)
        items[:] = [item for item in items if item.nodeid not in done]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note that a test begins, here or in a worker of pytest-xdist."""
        self._began[nodeid] = time.monotonic()
        if self.journal:
            self.journal.begin(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what came out of a test, here or in a worker of pytest-xdist."""
        place = self.place(report.nodeid)
        if place is None or (report.when in ("setup", "teardown") and report.outcome == "passed"):
            return
        if report.when not in ("setup", "call", "teardown"):  # its process has died
            self._keep(report.nodeid, self._of_lost(report.nodeid, place))
            return
        expected: str | None = getattr(report, "wasxfail", None)
        seen: Any = dict(report.user_properties).get(RECORD, ("", {}, {}))
        outcome = seen[0] or report.outcome
        if report.skipped and expected is not None:
            outcome = "xfailed"
        reason = _reason(report) if expected is None else expected
        self._keep(report.nodeid, place.result(outcome, reason, *seen[1:]))

    def shortcomings(self, *, narrowed: bool) -> list[str]:
        """Return why a run without failures is no success.

        Args:
            narrowed: Whether only some of the tests were asked for.
        """
        results = list(self.report().results)
        found = coverage.idle(results, by_dtype=not narrowed)
        if not results:
            found = ["no test ran"]
        if lost := [r for r in results if r.outcome == "not run"]:
            found.append(f"{len(lost)} of {len(results)} tests were not run")
        if narrowed:
            return found
        dtypes = [tested.dtype for tested in self.backends]
        expected = [("fail", entry) for entry in self.xfails]
        expected += [("be skipped", entry) for entry in self.skips or ()]
        for what, entry in expected:
            why = entry.stale(results, skipped=what != "fail")
            if why and entry.in_scope(dtypes):
                found.append(f"expected to {what}: {entry.address}: {why}")
        if self.skips is not None:
            found += [
                f"{r.address} {UNLISTED}: {r.reason}" for r in _find_unlisted(results, self.skips)
            ]
        return found + coverage.below(results, self.min_run)

    def _keep(self, nodeid: str, result: Result) -> None:
        self.results[nodeid] = result
        if self.journal:
            self.journal.keep(nodeid, result)

    def _resume(self) -> None:
        """Take over what earlier processes of this run have done."""
        if not self.journal:
            return
        results, lost, self.stopped = self.journal.earlier()
        self.results |= results
        for nodeid, how in lost.items():
            if place := self.place(nodeid):
                self.results[nodeid] = self._expect(place, how)

    def _of_lost(self, nodeid: str, place: Place) -> Result:
        """Return the result of a test whose process has died, by how long it had been running."""
        seconds = time.monotonic() - self._began.get(nodeid, time.monotonic())
        hung = bool(self.timeout) and seconds >= self.timeout
        return self._expect(place, "timed out" if hung else "crashed: the process died")

    def _expect(self, place: Place, how: str) -> Result:
        """Return the result of a lost test: an expected failure, if it is listed."""
        outcome, _, reason = how.partition(": ")
        if outcome == "timed out":
            reason = f"more than {self.timeout:g} s, in code that does not return to Python"
        for entry in self.xfails:
            if entry.matches(*_names(place)):
                outcome, reason = "xfailed", entry.reason
        return replace(place.result(outcome, reason), ran=1)


def begin_record(tested: BackendUnderTest) -> tuple[Record, float]:
    """Start the record of a test, and its clock."""
    return tested.begin(), time.process_time()


def seen(record: Record, outcome: str, began: float) -> list[Any]:
    """Return what a test has seen, to be sent from a worker: the fields of `Result` it fills."""
    seconds = time.process_time() - began
    return [outcome, record.ratios, dict(record.refused), seconds, record.ran]


def _names(place: Place) -> tuple[str, str, str, str]:
    return place.chapter, place.test, place.parameters, place.backend_under_test.dtype


def _find_unlisted(results: list[Result], listed: list[Entry]) -> list[Result]:
    """Return what is skipped and not listed."""
    return [
        r
        for r in results
        if r.outcome == "skipped"
        and not any(e.matches(r.chapter, r.test, r.parameters, r.dtype) for e in listed)
    ]


def _reason(report: pytest.TestReport) -> str:
    """Return the reason of a skip, or the message of a failure."""
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(crash.message if crash else report.longrepr)
    return "" if report.passed else said.removeprefix("Failed: ")
