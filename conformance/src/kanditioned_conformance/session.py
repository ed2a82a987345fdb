"""One run of the kit: what it is asked to test, and the results as they come in."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kanditioned_spec import Backend, registry

from . import chapters, profiles, xfails
from .backend_under_test import BackendUnderTest
from .report import Report, Result, environment

CHAPTERS = {module.name for module in pkgutil.iter_modules(chapters.__path__)}
RECORD = "kanditioned_conformance"
"""Name of the user property that carries what a test has seen, also from worker to controller."""


@dataclass(frozen=True)
class Place:
    """Which test of which backend a pytest node is."""

    backend_under_test: BackendUnderTest
    chapter: str
    test: str
    parameters: str


@dataclass
class Session:
    """A run.

    Attributes:
        profile: How much it tries.
        device: Where.
        backends: Every backend at each of its dtypes.
        seed: Of the random examples.
        date: Of the run.
        xfails: The expected failures.
        results: What came out so far.
    """

    profile: profiles.Profile
    device: str
    backends: list[BackendUnderTest]
    seed: str
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    xfails: list[xfails.Entry] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @staticmethod
    def of(config: pytest.Config, seed: str) -> Session:
        """Load what the options name.

        Raises:
            pytest.UsageError: It cannot be loaded.
        """
        device: str = config.getoption("--kan-device")
        dtypes: list[str] = config.getoption("--kan-dtype")
        names = dict.fromkeys(config.getoption("--kan-backend") or ["reference"])
        backends = {name: _load(name, device) for name in names}
        return Session(
            profiles.PROFILES[config.getoption("--kan-profile")],
            device,
            [
                BackendUnderTest(name, backend, dtype, device)
                for name, backend in backends.items()
                for dtype in dtypes or backend.info.dtypes
            ],
            seed,
            xfails=_read(config.getoption("--kan-xfails")),
        )

    def header(self) -> list[str]:
        """Return the lines that say what is tested."""
        lines = [
            environment(),
            f"profile {self.profile.name} ({self.profile.examples} examples), seed {self.seed}, "
            f"{self.date}",
        ]
        dtypes: dict[str, list[str]] = {}
        for backend_under_test in self.backends:
            dtypes.setdefault(backend_under_test.name, []).append(backend_under_test.dtype)
        for backend_under_test in self.backends:
            if listed := ", ".join(dtypes.pop(backend_under_test.name, ())):
                info = backend_under_test.backend.info
                where = f"{info.framework}, {self.device}, {listed}"
                lines.append(f"backend {backend_under_test.name}: {info.name} on {where}")
        return lines

    def report(self) -> Report:
        """Return what has come in so far."""
        return Report(tuple(self.header()), tuple(self.results))

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
        backend_under_test = max(fitting, key=lambda s: len(s.id))
        parameters = f"-{identity}-".replace(f"-{backend_under_test.id}-", "-", 1).strip("-")
        return Place(backend_under_test, stem.removeprefix("test_"), test, parameters)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what came out of a test, here or in a worker of pytest-xdist."""
        place = self.place(report.nodeid)
        if place is None or (report.when != "call" and report.outcome == "passed"):
            return
        expected: str | None = getattr(report, "wasxfail", None)
        seen: Any = dict(report.user_properties).get(RECORD, ({}, {}))
        self.results.append(
            Result(
                place.backend_under_test.name,
                place.backend_under_test.dtype,
                place.chapter,
                place.test,
                place.parameters,
                "xfailed" if report.skipped and expected is not None else report.outcome,
                _reason(report) if expected is None else expected,
                *seen,
            )
        )

    def stale(self) -> list[str]:
        """Return the expected failures that are not so."""
        dtypes = [backend_under_test.dtype for backend_under_test in self.backends]
        found = ((entry, entry.stale(self.results)) for entry in self.xfails)
        return [f"{entry.address}: {why}" for entry, why in found if why and entry.in_scope(dtypes)]


def _reason(report: pytest.TestReport) -> str:
    """Return the reason of a skip, or the message of a failure."""
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(crash.message if crash else report.longrepr)
    return "" if report.passed else said.removeprefix("Failed: ")


def _load(name: str, device: str) -> Backend:
    try:
        backend = registry.load(name)
    except (ImportError, TypeError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
    if device not in backend.info.devices:
        usable = ", ".join(backend.info.devices)
        raise pytest.UsageError(f"backend {name!r} has no device {device!r} here, only {usable}.")
    return backend


def _read(path: Path | None) -> list[xfails.Entry]:
    if path is None:
        return []
    try:
        return xfails.read(path)
    except (OSError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
