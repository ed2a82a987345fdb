"""Folders of their own for the competitors, and loading from them.

A package is installed without its dependencies into `benchmarks/.competitors/NAME`, or any folder
given by `--competitors`; on a machine without network, bring that folder along. Sources that are
not on PyPI are looked for in the same folder under their repository's name.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from .competitors import COMPETITORS, Competitor

DEFAULT_FOLDER = Path(__file__).parents[1] / ".competitors"


class UnavailableError(Exception):
    """A competitor is not installed here."""


def install(folder: Path) -> None:
    """Install every competitor that is on PyPI and is not there yet."""
    for requirements in sorted({c.requirements for c in COMPETITORS if c.requirements}):
        target = folder / requirements[0]
        if target.exists():
            continue
        unfinished = folder / f".{target.name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(unfinished)]
        subprocess.run([*command, *requirements], check=True)
        unfinished.rename(target)


def without_native_kernels() -> None:
    """Hide the native package of CPU kernels from what is imported after this."""
    if "kanditioned_torch" in sys.modules:
        raise RuntimeError("kanditioned_torch is imported already and has chosen its kernels")
    sys.modules["kanditioned_cpu"] = None  # type: ignore[assignment]


def kernels(native: bool) -> str:
    """Return how results call runs with the native kernels, and runs without."""
    return "with native kernels" if native else "stock operations"


def load(competitor: Competitor, folder: Path) -> Any:
    """Import the class of a competitor.

    Raises:
        UnavailableError: It is not installed.
    """
    if not competitor.folder:
        return _attribute(competitor)
    path = folder / (competitor.requirements[0] if competitor.requirements else competitor.source)
    if not path.is_dir():
        raise UnavailableError(f"no folder {path.name}: python -m benchmarks install")
    top = competitor.module.partition(".")[0]
    for name in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
        del sys.modules[name]  # two releases of one package have the same name
    sys.path.insert(0, str(path))
    try:
        return _attribute(competitor)
    finally:
        sys.path.remove(str(path))


def _attribute(competitor: Competitor) -> Any:
    try:
        return getattr(importlib.import_module(competitor.module), competitor.attribute)
    except ModuleNotFoundError as error:
        raise UnavailableError(str(error)) from error
