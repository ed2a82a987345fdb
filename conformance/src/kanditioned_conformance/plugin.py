"""The pytest plugin: which backends, on what, how long; and what came out.

    pytest --pyargs kanditioned_conformance.chapters --kan-backend torch --kan-profile ci

It acts on tests of `kanditioned_conformance.chapters` alone. Its options have a prefix because it
is loaded wherever it is installed, beside the options of other plugins and projects.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Generator
from pathlib import Path
from typing import Any, TextIO

import pytest
from hypothesis.errors import Unsatisfiable

from . import coverage, html, limits, profiles
from .backend_under_test import BackendUnderTest
from .journal import TRACE as TRACE_FILE
from .report import BAD, summary
from .session import RECORD, Session, begin_record, seen
from .tolerance import ConformanceError

PACKAGE = __name__.rpartition(".")[0]
CHAPTERS = f"{PACKAGE}.chapters"
SESSION = pytest.StashKey[Session]()
TRACE = pytest.StashKey[TextIO | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("kanditioned", "conformance of KAN backends")
    add = group.addoption
    add(
        "--kan-backend",
        action="append",
        default=[],
        metavar="NAME|MODULE:ATTRIBUTE",
        help="backend to test, may be repeated (default: reference)",
    )
    add("--kan-device", default="cpu", help="device to test on (default: cpu)")
    add(
        "--kan-dtype",
        action="append",
        default=[],
        help="dtype to test with, may be repeated (default: all that the backend declares)",
    )
    counts = ", ".join(f"{p.name} {p.examples}" for p in profiles.PROFILES.values())
    add(
        "--kan-profile",
        choices=list(profiles.PROFILES),
        default="dev",
        help=f"how many random examples per test, beyond a table of shapes: {counts}",
    )
    add("--kan-xfails", type=Path, metavar="FILE", help="expected failures, one address a line")
    add("--kan-skips", type=Path, metavar="FILE", help="expected skips: these and no others")
    add(
        "--kan-min-run",
        type=float,
        default=coverage.MIN_RUN,
        metavar="SHARE",
        help=f"share of problems that a backend must take (default: {coverage.MIN_RUN:g})",
    )
    add(
        "--kan-timeout",
        type=float,
        default=limits.DEFAULT,
        metavar="SECONDS",
        help=f"time limit of a test, 0 for none (default: {limits.DEFAULT:g})",
    )
    add("--kan-spec", metavar="EDITION", help="edition of the spec to judge by, such as 2.0")
    add("--kan-report", type=Path, metavar="FILE", help="write the results as JSON")
    add("--kan-html", type=Path, metavar="FILE", help="write the results as a page")
    add("--kan-journal", type=Path, help=argparse.SUPPRESS)  # of the command: `journal`


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load backends and profile, if this run is about the chapters."""
    if config.getoption("--kan-backend") or any(PACKAGE in str(arg) for arg in config.args):
        _begin(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is tested."""
    return config.stash[SESSION].header() if SESSION in config.stash else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every chapter for every backend and dtype."""
    ours = metafunc.module.__name__.startswith(CHAPTERS)
    if not ours or "backend_under_test" not in metafunc.fixturenames:
        return
    if SESSION not in metafunc.config.stash:
        _begin(metafunc.config)
    backends = metafunc.config.stash[SESSION].backends
    metafunc.parametrize(
        "backend_under_test", backends, ids=[s.id for s in backends], scope="session"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a backend at one dtype in one process of pytest-xdist.

    There they share what they compile. Unless there are fewer of these than processes, or another
    `--dist` is asked for. If they do not come out even, such as three for two processes, the tests
    of a chapter stay together, so that no process waits for another.
    """
    if SESSION not in config.stash or config.getoption("dist") != "load":
        return None
    session = config.stash[SESSION]
    count, processes = len(session.backends), config.getoption("numprocesses") or 1
    if count < processes:
        return None
    from .scheduler import ByBackend

    is_uneven = count < 2 * processes and count % processes != 0
    return ByBackend(config, log, session, by_chapter=is_uneven)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Note what is to run: a controller of pytest-xdist collects nothing itself."""
    session = node.config.stash.get(SESSION, None)
    if session and not session.collected:
        session.collected += [nodeid for nodeid in ids if session.place(nodeid)]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the expected failures."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    for item in items:
        place = session.place(item.nodeid)
        for entry in session.xfails:
            if place and entry.matches(
                place.chapter, place.test, place.parameters, place.backend_under_test.dtype
            ):
                item.add_marker(pytest.mark.xfail(reason=entry.reason, strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Print a failure as its message; skip a test for which every problem was refused."""
    callspec = getattr(pyfuncitem, "callspec", None)
    tested = callspec.params.get("backend_under_test") if callspec else None
    if not isinstance(tested, BackendUnderTest):
        return (yield)
    session = pyfuncitem.config.stash[SESSION]
    record, began = begin_record(tested)
    outcome, result = "", None
    try:
        with limits.limit_time(session.timeout, pyfuncitem.config.stash[TRACE]):
            result = yield
    except Unsatisfiable:
        if record.ran or not record.refused:
            raise
    except limits.TimeLimitExceeded:
        outcome = "timed out"
        message = f"TIMEOUT: more than {session.timeout:g} s"
        raise pytest.fail.Exception(message, pytrace=False) from None
    except pytest.skip.Exception as skipped:  # without the example that Hypothesis adds to it
        raise pytest.skip.Exception(str(skipped.msg)) from None
    except ConformanceError as error:
        notes = [n for n in getattr(error, "__notes__", ()) if n.lstrip().startswith("reproduce:")]
        raise pytest.fail.Exception("\n".join([str(error), *notes]), pytrace=False) from None
    finally:
        pyfuncitem.user_properties.append((RECORD, seen(record, outcome, began)))
    if not record.ran:
        if not record.refused:
            pytest.fail("no problem was checked", pytrace=False)
        pytest.skip("; ".join(record.refused))
    return result


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, and fail a run that has not tested what it was to test."""
    config = session.config
    run = config.stash.get(SESSION, None)
    if run is None or hasattr(config, "workerinput"):
        return
    if config.getoption("--kan-report"):
        run.report().write(config.getoption("--kan-report"))
    if config.getoption("--kan-html"):
        html.write(run.report(), config.getoption("--kan-html"))
    bad = any(result.outcome in BAD for result in run.results.values())
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        failed = bad or run.shortcomings(narrowed=_is_selection(config))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK
    if run.journal:
        run.journal.end()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print how near each backend came to the bound, what it refused and what failed."""
    run = config.stash.get(SESSION, None)
    if run is None:
        return
    everything = run.report().results
    for name in dict.fromkeys(tested.name for tested in run.backends):
        results = [result for result in everything if result.backend == name]
        if not results:
            continue
        terminalreporter.section(f"{name}: largest |got - want| / bound")
        for line in summary(results):
            terminalreporter.line(line)
    for line in run.shortcomings(narrowed=_is_selection(config)):
        terminalreporter.line(f"NO SUCCESS: {line}", red=True)


def _begin(config: pytest.Config) -> None:
    """Start a run: its random seed is chosen here, so that the header can name it."""
    profile = profiles.PROFILES[config.getoption("--kan-profile")]
    if profile.derandomize:
        seed = "fixed"
    else:
        if config.getoption("hypothesis_seed", None) is None:
            config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))
        seed = str(config.option.hypothesis_seed)
    session = config.stash[SESSION] = Session.of(config, seed)
    is_worker = hasattr(config, "workerinput")
    if is_worker:  # the controller keeps the journal
        session.journal = None
    folder: Path | None = config.getoption("--kan-journal")
    config.stash[TRACE] = None
    if folder:
        trace = (folder / f"{os.getpid()}-{TRACE_FILE}" if is_worker else folder / TRACE_FILE).open(
            "w", encoding="utf-8"
        )
        config.stash[TRACE] = trace
        config.add_cleanup(trace.close)
    config.pluginmanager.register(session, CHAPTERS)
    profiles.load(profile)


def _is_selection(config: pytest.Config) -> bool:
    """Whether only some of the tests were asked for."""
    options = ("keyword", "markexpr", "deselect", "maxfail")
    return any(config.getoption(name) for name in options)
