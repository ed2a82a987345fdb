"""The console command.

kanditioned backends    what is installed, its versions and devices, and what would be chosen
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import metadata

from kanditioned_spec import SPEC_VERSION, registry
from kanditioned_spec.registry import BackendNotInstalledError, Entry


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with the given arguments, by default those of the process."""
    parser = argparse.ArgumentParser(prog="kanditioned", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backends", help="list the backends, and say which one is chosen and why")
    parser.parse_args(arguments)
    print(backends())
    return 0


def backends() -> str:
    """Describe every known backend, and the choice between them."""
    header = ("backend", "framework", "devices", "dtypes")
    rows = [header, *(_row(entry) for entry in registry.entries().values())]
    packages = ", ".join(map(_version, _distributions()))
    return f"{_table(rows)}\n\nspec {SPEC_VERSION}; {packages}\n{_choice()}"


def _row(entry: Entry) -> tuple[str, ...]:
    if not entry.is_installed:
        return entry.name, "not installed", f'pip install "{entry.requirement}"', ""
    try:
        info = registry.load(entry.name).info
    except ImportError as error:
        return entry.name, "cannot be imported", str(error.__cause__ or error), ""
    return entry.name, info.framework, ", ".join(info.devices), ", ".join(info.dtypes)


def _distributions() -> list[str]:
    """Return the names of our distributions, as this one requires them."""
    required = metadata.requires("kanditioned") or []
    found = (re.match(r"kanditioned-\w+", requirement) for requirement in required)
    return list(dict.fromkeys(match[0] for match in found if match))


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"


def _choice() -> str:
    try:
        name, reason = registry.selected()
    except BackendNotInstalledError as error:
        return str(error)
    return f"chosen: {name} ({reason}); `backend=` or {registry.ENVIRONMENT_VARIABLE} overrides it"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
