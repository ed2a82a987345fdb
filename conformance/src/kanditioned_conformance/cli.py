"""The console command: pytest on the chapters, with the options of the plugin by short names."""

from __future__ import annotations

import argparse
import itertools
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from . import coverage, limits, profiles
from .journal import Journal

OPTIONS = (
    "backend",
    "device",
    "dtype",
    "profile",
    "xfails",
    "skips",
    "min-run",
    "timeout",
    "spec",
    "report",
    "html",
)
DEATHS = 10
"""After so many tests that have killed their process, the rest is reported as not run."""
EPILOG = """Any other option goes to pytest: -k NaN runs some tests, -n 2 runs them in two processes
(pytest-xdist), --hypothesis-seed repeats the random examples of another run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the kit.

    Args:
        arguments: Of the command line; `sys.argv` by default.

    Returns:
        pytest's exit code: 0 if everything that was tested conforms.
    """
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    if others and not others[0].startswith("-"):
        parser.error(f"{others[0]!r} is no option. Name a backend with --backend {others[0]}.")
    chosen: list[str] = []
    for name in OPTIONS:
        value = getattr(options, name.replace("-", "_"))
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                chosen.append(f"--kan-{name}={each}")
    if not any(argument.startswith("--kan-backend") for argument in chosen):
        chosen.append("--kan-backend=reference")
    # A process of its own, because pytest must see our modules before they are imported; with -m,
    # it finds an adapter in the current folder.
    chapters = ["--pyargs", f"{__package__}.chapters", "-p", f"{__package__}.plugin"]
    command = [sys.executable, "-m", "pytest", *chapters, *chosen, *others]
    with TemporaryDirectory() as folder:
        return _to_its_end(command, Journal(Path(folder)), options.timeout or limits.DEFAULT)


def _to_its_end(command: list[str], journal: Journal, timeout: float) -> int:
    """Run a command; where its process dies in a test, start another one for those left."""
    for death in itertools.count(1):
        code = subprocess.call([*command, f"--kan-journal={journal.folder}"])
        if journal.has_ended():
            return code if code >= 0 else int(pytest.ExitCode.INTERNAL_ERROR)
        lost = journal.lost()
        if lost is None:
            if code < 0:
                print(f"The process died before the first test: {_signal(code)}.", file=sys.stderr)
            return code if code > 0 else int(pytest.ExitCode.INTERNAL_ERROR)
        how = "timed out" if lost.seconds >= timeout else f"crashed: {_signal(code)}"
        stop = death >= DEATHS
        print(f"\n{lost.nodeid}\n  {how}. {'Giving up.' if stop else 'Going on.'}", flush=True)
        if journal.trace.exists():
            print(journal.trace.read_text("utf-8", errors="replace"), flush=True)
        journal.close(lost, how, stop=stop)
    raise AssertionError("unreachable")


def _signal(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"the process ended with code {code}"
    try:
        return f"the process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was killed by signal {-code}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kanditioned-conformance",
        description="Does a KAN layer compute what the kanditioned spec says?",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--backend",
        action="append",
        metavar="NAME|MODULE:ATTRIBUTE",
        help="what to test; may be repeated (default: reference)",
    )
    add("--device", help="where, such as cpu or cuda (default: cpu)")
    add(
        "--dtype",
        action="append",
        help="with which storage dtype; may be repeated (default: all that the backend declares)",
    )
    add("--profile", choices=list(profiles.PROFILES), help="how much (default: dev)")
    add("--xfails", metavar="FILE", help="expected failures, one address a line")
    add("--skips", metavar="FILE", help="expected skips: these tests and no others")
    add(
        "--min-run",
        type=float,
        metavar="SHARE",
        help=f"share of problems that a backend must take (default: {coverage.MIN_RUN:g})",
    )
    add(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help=f"time limit of a test, 0 for none (default: {limits.DEFAULT:g})",
    )
    add("--spec", metavar="EDITION", help="edition of the spec to judge by, such as 2.0")
    add("--report", metavar="FILE", help="write the results as JSON")
    add("--html", metavar="FILE", help="write the results as a page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
