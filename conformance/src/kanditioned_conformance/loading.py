"""What the options of a run name: backends, and files of expected failures and skips."""

from __future__ import annotations

from pathlib import Path

import pytest

from kanditioned_spec import Backend, registry

from . import xfails
from .backend_under_test import BackendUnderTest


def load_backend(name: str, device: str, dtypes: list[str]) -> Backend:
    """Return a backend that has the device and the dtypes.

    Raises:
        pytest.UsageError: It cannot be loaded, or lacks one of them.
    """
    try:
        backend = registry.load(name)
    except (ImportError, TypeError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
    info = backend.info
    for kind, asked, has in (("device", [device], info.devices), ("dtype", dtypes, info.dtypes)):
        for one in asked:
            if one not in has:
                usable = ", ".join(has)
                raise pytest.UsageError(
                    f"backend {name!r} has no {kind} {one!r} here, only {usable}."
                )
    return backend


def read_entries(path: Path | None) -> list[xfails.Entry] | None:
    """Return the entries of a file, None without one.

    Raises:
        pytest.UsageError: It cannot be read.
    """
    if path is None:
        return None
    try:
        return xfails.read(path)
    except (OSError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error


def describe(tested: BackendUnderTest, dtypes: str) -> str:
    """Say what a backend is, and what it declares that is not the spec's."""
    info = tested.backend.info
    parts = [f"{info.name} on {info.framework}", tested.device, dtypes]
    if info.extrapolation != "linear":
        parts.append(f"extrapolation {info.extrapolation}")
    if info.stored_knots:
        parts.append("stored knots")
    if info.operands:
        parts.append("factors " + ", ".join(f"{k} in {v}" for k, v in info.operands.items()))
    if info.fixed_problems:
        parts.append(f"{len(info.fixed_problems)} fixed sizes")
    return ", ".join(parts)
