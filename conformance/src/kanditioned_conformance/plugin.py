"""The pytest plugin: which backends, on what, how long; and what came out.

    pytest --pyargs kanditioned_conformance.chapters --backend torch --profile ci

It acts on tests of `kanditioned_conformance.chapters` alone.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis.errors import Unsatisfiable

from kanditioned_spec import SPEC_VERSION, Backend, registry

from . import profiles
from .subject import Ledger, Subject

PACKAGE = __name__.rpartition(".")[0]
CHAPTERS = f"{PACKAGE}.chapters"


class Session:
    """The subjects of a run, and a ledger for each backend."""

    def __init__(self, config: pytest.Config) -> None:
        self.profile: str = config.getoption("--profile")
        self.device: str = config.getoption("--device")
        self.dtypes: list[str] = config.getoption("--dtype")
        names = dict.fromkeys(config.getoption("--backend") or ["reference"])
        self.backends = {name: _load(name, self.device) for name in names}
        self.ledgers = {name: Ledger() for name in names}
        self.subjects = [
            Subject(name, backend, dtype, self.device, self.ledgers[name])
            for name, backend in self.backends.items()
            for dtype in self.dtypes_of(name)
        ]

    def dtypes_of(self, name: str) -> list[str]:
        """Return the dtypes to test a backend with: those asked for, else all it declares."""
        return self.dtypes or list(self.backends[name].info.dtypes)


SESSION = pytest.StashKey[Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("kanditioned", "conformance of KAN backends")
    group.addoption(
        "--backend",
        action="append",
        default=[],
        metavar="NAME|MODULE:ATTRIBUTE",
        help="backend to test, may be repeated (default: reference)",
    )
    group.addoption("--device", default="cpu", help="device to test on (default: cpu)")
    group.addoption(
        "--dtype",
        action="append",
        default=[],
        help="dtype to test with, may be repeated (default: all that the backend declares)",
    )
    group.addoption(
        "--profile",
        choices=list(profiles.COUNTS),
        default="dev",
        help="how many examples: "
        + ", ".join(f"{name} {count}" for name, count in profiles.COUNTS.items()),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load backends and profile, if this run is about the chapters."""
    asked = config.getoption("--backend") or any(PACKAGE in str(arg) for arg in config.args)
    if asked:
        config.stash[SESSION] = Session(config)
        profiles.load(config.stash[SESSION].profile)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is tested."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return []
    examples = profiles.COUNTS[session.profile]
    lines = [f"kanditioned spec {SPEC_VERSION}, profile {session.profile} ({examples} examples)"]
    for name, backend in session.backends.items():
        dtypes = ", ".join(session.dtypes_of(name))
        info = backend.info
        lines.append(f"backend {name}: {info.name} on {info.framework}, {session.device}, {dtypes}")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every chapter for every subject."""
    ours = metafunc.module.__name__.startswith(CHAPTERS)
    if not ours or "subject" not in metafunc.fixturenames:
        return
    if SESSION not in metafunc.config.stash:
        metafunc.config.stash[SESSION] = Session(metafunc.config)
    subjects = metafunc.config.stash[SESSION].subjects
    ids = [f"{subject.name}-{subject.dtype}" for subject in subjects]
    metafunc.parametrize("subject", subjects, ids=ids, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Skip, rather than pass or fail, a test for which every problem was refused."""
    callspec = getattr(pyfuncitem, "callspec", None)
    subject = callspec.params.get("subject") if callspec else None
    if not isinstance(subject, Subject):
        return (yield)
    subject.begin()
    try:
        result = yield
    except Unsatisfiable:
        if subject.ran or not subject.reasons:
            raise
        result = None
    if not subject.ran:
        if not subject.reasons:
            pytest.fail("no problem was checked", pytrace=False)
        pytest.skip(f"{subject.name}: {'; '.join(subject.reasons)}")
    return result


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print how near each backend came to the bound, and what it refused."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    for name, ledger in session.ledgers.items():
        if not ledger.largest and not ledger.refused:
            continue
        terminalreporter.section(f"{name}: largest |got - want| / bound")
        for label, seen in sorted(ledger.largest.items()):
            verdict = "" if seen.ratio <= 1 else "  OUT OF BOUNDS"
            terminalreporter.line(f"{label:<34} {seen.ratio:9.3g}  {seen.dtype}{verdict}")
        for reason, count in ledger.refused.items():
            terminalreporter.line(f"{count} problems refused: {reason}")


def _load(name: str, device: str) -> Backend:
    try:
        backend = registry.load(name)
    except (ImportError, TypeError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
    if device not in backend.info.devices:
        usable = ", ".join(backend.info.devices)
        raise pytest.UsageError(f"backend {name!r} has no device {device!r} here, only {usable}.")
    return backend
