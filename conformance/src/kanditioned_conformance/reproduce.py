"""Run one check on one case again: what the last line of a failure calls.

python -c "from kanditioned_conformance.reproduce import *; run('torch', 'forward', Case(...))"
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan
from typing import Any

from kanditioned_spec import Problem, registry

from .cases import Case
from .checks import CHECKS, Check

__all__ = ["Case", "Problem", "inf", "nan", "run"]

PREFIX = "check_"


def run(backend: str, check: str, case: Case, **arguments: Any) -> None:
    """Run a check; print how near the bound each result came.

    Args:
        backend: Name or `module:attribute`.
        check: Name of a check, without `check_`.
        case: What to run it on.
        **arguments: Further arguments of the check.

    Raises:
        ConformanceError: The backend is wrong.
    """
    for label, ratio in CHECKS[PREFIX + check](registry.load(backend), case, **arguments).items():
        print(f"{label}: {ratio:.3g} of the bound")


def command(backend: str, check: Check, case: Case, arguments: Mapping[str, Any]) -> str:
    """Return the shell command that runs a check again."""
    name = check.__name__.removeprefix(PREFIX)
    given = [repr(backend), repr(name), repr(case), *(f"{k}={v!r}" for k, v in arguments.items())]
    script = f"from kanditioned_conformance.reproduce import *; run({', '.join(given)})"
    return f'python -c "{script}"'
