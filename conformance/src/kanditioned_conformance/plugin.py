"""The pytest plugin: which backends, on what, how long; and what came out.

    pytest --pyargs kanditioned_conformance.chapters --kan-backend torch --kan-profile ci

It acts on tests of `kanditioned_conformance.chapters` alone. Its options have a prefix because it
is loaded wherever it is installed, beside the options of other plugins and projects.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis.errors import Unsatisfiable

from . import html, profiles
from .backend_under_test import BackendUnderTest
from .report import largest_ratios, refusals
from .session import RECORD, Session
from .tolerance import ConformanceError

PACKAGE = __name__.rpartition(".")[0]
CHAPTERS = f"{PACKAGE}.chapters"
SESSION = pytest.StashKey[Session]()


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
    add("--kan-report", type=Path, metavar="FILE", help="write the results as JSON")
    add("--kan-html", type=Path, metavar="FILE", help="write the results as a page")


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

    There they share what they compile.

    Unless there are fewer backends than processes, or another `--dist` is asked for.
    """
    if SESSION not in config.stash or config.getoption("dist") != "load":
        return None
    session = config.stash[SESSION]
    if len(session.backends) < (config.getoption("numprocesses") or 1):
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByBackend(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            place = session.place(nodeid)
            return place.backend_under_test.id if place else nodeid

    return ByBackend(config, log)


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
    backend_under_test = callspec.params.get("backend_under_test") if callspec else None
    if not isinstance(backend_under_test, BackendUnderTest):
        return (yield)
    record, began = backend_under_test.begin(), time.process_time()
    try:
        result = yield
    except Unsatisfiable:
        if record.ran or not record.refused:
            raise
        result = None
    except pytest.skip.Exception as skipped:  # without the example that Hypothesis adds to it
        raise pytest.skip.Exception(str(skipped.msg)) from None
    except ConformanceError as error:
        notes = [n for n in getattr(error, "__notes__", ()) if n.lstrip().startswith("reproduce:")]
        raise pytest.fail.Exception("\n".join([str(error), *notes]), pytrace=False) from None
    finally:
        seen = [record.ratios, dict(record.refused), time.process_time() - began]
        pyfuncitem.user_properties.append((RECORD, seen))
    if not record.ran:
        if not record.refused:
            pytest.fail("no problem was checked", pytrace=False)
        pytest.skip("; ".join(record.refused))
    return result


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, and fail a run whose expected failures are stale."""
    config = session.config
    run = config.stash.get(SESSION, None)
    if run is None or hasattr(config, "workerinput"):
        return
    if config.getoption("--kan-report"):
        run.report().write(config.getoption("--kan-report"))
    if config.getoption("--kan-html"):
        html.write(run.report(), config.getoption("--kan-html"))
    if _stale(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print how near each backend came to the bound, what it refused, what is stale."""
    run = config.stash.get(SESSION, None)
    if run is None:
        return
    for name in dict.fromkeys(backend_under_test.name for backend_under_test in run.backends):
        results = [result for result in run.results if result.backend == name]
        if not results:
            continue
        terminalreporter.section(f"{name}: largest |got - want| / bound")
        dtypes = dict.fromkeys(result.dtype for result in results)
        terminalreporter.line(" " * 24 + "".join(f"{dtype:>10}" for dtype in dtypes))
        for label, row in sorted(largest_ratios(results).items()):
            cells = "".join(f"{row[d]:10.3g}" if d in row else f"{'':10}" for d in dtypes)
            verdict = "" if max(row.values()) <= 1 else "  OUT OF BOUNDS"
            terminalreporter.line(f"{label:<24}{cells}{verdict}")
        for reason, count in refusals(results).items():
            terminalreporter.line(f"{count} problems refused: {reason}")
        for address in (result.address for result in results if result.outcome == "failed"):
            terminalreporter.line(f"FAILED {address}")
    for line in _stale(config):
        terminalreporter.line(f"STALE EXPECTED FAILURE {line}", red=True)


def _begin(config: pytest.Config) -> None:
    """Start a run: its random seed is chosen here, so that the header can name it."""
    profile = profiles.PROFILES[config.getoption("--kan-profile")]
    if profile.derandomize:
        seed = "fixed"
    else:
        if config.getoption("hypothesis_seed", None) is None:
            config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))
        seed = str(config.option.hypothesis_seed)
    config.stash[SESSION] = Session.of(config, seed)
    config.pluginmanager.register(config.stash[SESSION], CHAPTERS)
    profiles.load(profile)


def _stale(config: pytest.Config) -> list[str]:
    """Return the stale expected failures, if every test was run and could have shown them."""
    narrowed = [config.getoption(name) for name in ("keyword", "markexpr", "deselect", "maxfail")]
    return [] if any(narrowed) else config.stash[SESSION].stale()
