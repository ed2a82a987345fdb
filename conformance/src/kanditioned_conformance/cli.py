"""The console command: pytest on the chapters, with the options of the plugin by short names."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from . import profiles

OPTIONS = ("backend", "device", "dtype", "profile", "xfails", "report", "html")
EPILOG = """Any other option goes to pytest: -k NaN runs some tests, -n 2 runs them in two processes
(pytest-xdist), --hypothesis-seed repeats the random examples of another run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the kit.

    Args:
        arguments: Of the command line; `sys.argv` by default.

    Returns:
        pytest's exit code: 0 if everything that was tested conforms.
    """
    options, others = _parser().parse_known_args(arguments)
    chosen: list[str] = []
    for name in OPTIONS:
        value = getattr(options, name)
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                chosen.append(f"--kan-{name}={each}")
    if not any(argument.startswith("--kan-backend") for argument in chosen):
        chosen.append("--kan-backend=reference")
    # A process of its own, because pytest must see our modules before they are imported; with -m,
    # it finds an adapter in the current folder.
    chapters = ["--pyargs", f"{__package__}.chapters", "-p", f"{__package__}.plugin"]
    return subprocess.call([sys.executable, "-m", "pytest", *chapters, *chosen, *others])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kanditioned-conformance",
        description="Does a KAN layer compute what the kanditioned spec says?",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--backend",
        action="append",
        metavar="NAME|MODULE:ATTRIBUTE",
        help="what to test; may be repeated (default: reference)",
    )
    parser.add_argument("--device", help="where, such as cpu or cuda (default: cpu)")
    parser.add_argument(
        "--dtype",
        action="append",
        help="with which storage dtype; may be repeated (default: all that the backend declares)",
    )
    parser.add_argument(
        "--profile", choices=list(profiles.PROFILES), help="how much (default: dev)"
    )
    parser.add_argument("--xfails", metavar="FILE", help="expected failures, one address a line")
    parser.add_argument("--report", metavar="FILE", help="write the results as JSON")
    parser.add_argument("--html", metavar="FILE", help="write the results as a page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
