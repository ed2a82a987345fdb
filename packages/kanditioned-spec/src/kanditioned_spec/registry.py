"""How a backend is found: by name, by entry point, or as `module:attribute`.

A backend is chosen by the argument, else by the environment variable `KANDITIONED_BACKEND`, else
by the default order. One that is asked for and absent is an error, never replaced by another.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from . import validate
from .protocol import (
    GRADIENTS,
    SPEC_VERSION,
    STORAGE_DTYPES,
    Backend,
    BackendInfo,
    Extrapolation,
    Problem,
)

ENTRY_POINT_GROUP = "kanditioned.backends"
ENVIRONMENT_VARIABLE = "KANDITIONED_BACKEND"
DEFAULT_ORDER = ("torch", "jax")
"""Backends with trainable layers, in the order in which they are looked for."""


class BackendNotInstalledError(ImportError):
    """The backend that was asked for cannot be imported."""


@dataclass(frozen=True)
class Entry:
    """Where a named backend lives.

    Attributes:
        name: The name that selects it.
        target: `module:attribute`.
        requirement: What to pip-install to get it; empty if it came with an entry point.
    """

    name: str
    target: str
    requirement: str = ""

    @property
    def package(self) -> str:
        """The top-level package that holds the target."""
        return self.target.partition(":")[0].partition(".")[0]

    @property
    def is_installed(self) -> bool:
        """Whether the target's package can be found (nothing is imported)."""
        return importlib.util.find_spec(self.package) is not None


BUILT_IN = (
    Entry("reference", "kanditioned_spec.backend:backend", "kanditioned-spec"),
    Entry("torch", "kanditioned_torch.backend:auto", "kanditioned[torch]"),
    Entry("jax", "kanditioned_jax.backend:auto", "kanditioned[jax]"),
)


def entries() -> dict[str, Entry]:
    """Return all known backends by name: the built-in ones and those of entry points."""
    found = {entry.name: entry for entry in BUILT_IN}
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(point.name, Entry(point.name, point.value))
    return found


def select(name: str | None = None) -> tuple[str, str]:
    """Apply the selection rule.

    Args:
        name: The caller's choice, or None.

    Returns:
        The chosen backend's name, and why it was chosen.

    Raises:
        BackendNotInstalledError: Nothing was asked for and none of the default order is installed.
    """
    if name is not None:
        return name, "given as an argument"
    from_environment = os.environ.get(ENVIRONMENT_VARIABLE)
    if from_environment:
        return from_environment, f"set by {ENVIRONMENT_VARIABLE}"
    known = entries()
    for candidate in DEFAULT_ORDER:
        if known[candidate].is_installed:
            return candidate, f"first installed of {', '.join(DEFAULT_ORDER)}"
    raise BackendNotInstalledError(
        f"No backend with trainable layers is installed. Install one: {_pip(known['torch'])}"
    )


def load(name: str) -> Backend:
    """Import a backend by name or `module:attribute`.

    Raises:
        ValueError: The name is not known.
        BackendNotInstalledError: Its package is missing.
        ImportError: It implements another major version of the spec.
        TypeError: The name is not a string, or the object is not a `Backend`.
    """
    _check_name(name)
    entry = Entry(name, name) if ":" in name else entries().get(name)
    if entry is None:
        known = ", ".join(entries())
        raise ValueError(
            f"`backend` must be one of {known}, or `module:attribute`, got {name!r}. "
            f'A package adds a name through the entry-point group "{ENTRY_POINT_GROUP}".'
        )
    backend: Backend = _resolve(entry)
    if wrong := _defect(backend):
        raise TypeError(
            f"`{entry.target}` must be an object that implements "
            f"kanditioned_spec.protocol.Backend, {wrong}."
        )
    major = backend.info.spec_version.partition(".")[0]
    if major != SPEC_VERSION.partition(".")[0]:
        raise ImportError(
            f"backend {name!r} implements spec {backend.info.spec_version}, but this is spec "
            f"{SPEC_VERSION}. Upgrade the older of the two."
        )
    return backend


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        remedy = "`kanditioned backends` lists the names."
        raise TypeError(
            validate.message("load", "backend", "the name of a backend", repr(name), remedy)
        )


def _resolve(entry: Entry) -> Any:
    module_name, _, attribute = entry.target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if not isinstance(error, ImportError):
            raise ImportError(f"importing {module_name!r} raises {_describe(error)}.") from error
        if not entry.requirement:
            raise BackendNotInstalledError(_describe_absence(module_name, error)) from error
        installed = ", ".join(e.name for e in entries().values() if e.is_installed)
        raise BackendNotInstalledError(
            f"backend {entry.name!r} cannot be imported ({error}). Installed: {installed}. "
            f"Install it: {_pip(entry)}"
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise ImportError(f"module {module_name!r} has no attribute {attribute!r}.") from None


def _describe_absence(module_name: str, error: ImportError) -> str:
    """Say what is missing when a module that is not ours cannot be imported."""
    if error.name and f"{module_name}.".startswith(f"{error.name}."):
        return (
            f"there is no module {error.name!r} in {Path.cwd()} or among the installed packages. "
            f"Run this where {module_name!r} can be imported, or mend its name."
        )
    return f"importing {module_name!r} raises {_describe(error)}."


def _describe(error: Exception) -> str:
    """Return kind, message and place of an exception, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}{place}"


def _pip(entry: Entry) -> str:
    return f'pip install "{entry.requirement or entry.package}"'


def _defect(backend: object) -> str:
    """Return what keeps an object from being a `Backend`, or nothing if it is one."""
    kind = type(backend).__name__
    if isinstance(backend, type):
        return f"got the class {backend.__name__}. Name an instance"
    for method in ("supports", "forward"):
        if not callable(getattr(backend, method, None)):
            return f"got {kind}, which has no method `{method}`"
    try:
        info = backend.info  # type: ignore[attr-defined]
    except Exception as error:
        return f"got {kind}, whose `info` raises {type(error).__name__}: {error}"
    if not isinstance(info, BackendInfo):
        return f"got {kind}, whose `info` is of type {type(info).__name__}, not `BackendInfo`"
    wrong = _wrong_field(info)
    return f"got {kind}, whose `info.{wrong}" if wrong else ""


def _wrong_field(info: BackendInfo) -> str:
    """Return the first field whose value is of the wrong kind, and how; or nothing."""
    choices: dict[str, tuple[Any, ...]] = {
        "dtypes": STORAGE_DTYPES,
        "gradients": GRADIENTS,
    }
    for name in ("name", "framework", "spec_version"):
        if not isinstance(getattr(info, name), str):
            return f"{name}` must be a string, is {getattr(info, name)!r}"
    for name in ("dtypes", "devices", "parameterizations", "gradients"):
        value = getattr(info, name)
        if not isinstance(value, tuple) or not all(isinstance(each, str) for each in value):
            return f"{name}` must be a tuple of strings, is {value!r}"
        unknown = [each for each in value if name in choices and each not in choices[name]]
        if unknown or not value:
            known = ", ".join(choices.get(name, ()))
            return f"{name}` must name at least one{f' of {known}' if known else ''}, is {value!r}"
    for name in ("accumulation", "operands"):
        if not isinstance(getattr(info, name), dict):
            return f"{name}` must be a dict from storage dtypes, is {getattr(info, name)!r}"
    if info.extrapolation not in (*get_args(Extrapolation), None):
        known = ", ".join(get_args(Extrapolation))
        return f"extrapolation` must be one of {known} or None, is {info.extrapolation!r}"
    if not all(isinstance(problem, Problem) for problem in info.fixed_problems):
        return f"fixed_problems` must be a tuple of `Problem`, is {info.fixed_problems!r}"
    return ""
