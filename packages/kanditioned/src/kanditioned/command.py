"""The console command.

kanditioned backends                        what is installed, and what would be chosen
kanditioned export MODEL --output FILE      a model's file as a program in C or NumPy, or in ONNX
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from kanditioned_spec import SPEC_VERSION, registry
from kanditioned_spec.quantize import SCALES
from kanditioned_spec.registry import BackendNotInstalledError, Entry

from .export import TARGETS, export


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with the given arguments, by default those of the process."""
    parser = argparse.ArgumentParser(prog="kanditioned", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backends", help="list the backends, and say which one is chosen and why")
    _add_export(commands.add_parser("export", help="write a model in C, NumPy or ONNX"))
    given = parser.parse_args(arguments)
    if given.command == "backends":
        print(backends())
        return 0
    return _export(parser, given)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the file of a layer or a network")
    parser.add_argument("--to", choices=TARGETS, help="by default as --output ends")
    parser.add_argument("--output", metavar="FILE", help="by default MODEL with another ending")
    parser.add_argument("--prefix", help="of names in C; by default the name of the file")
    parser.add_argument("--align", type=int, default=0, metavar="BYTES", help="of tables in C")
    parser.add_argument(
        "--int8", choices=SCALES, help="round to integers, a scale for each of these"
    )
    parser.add_argument("--data", metavar="FILE", help="inputs (.npy) to calibrate --int8 with")


def _export(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    if given.output is None and given.to is None:
        parser.error("export needs --to or --output")
    output = given.output or Path(given.model).with_suffix(TARGETS[given.to])
    try:
        files = export(
            given.model,
            output,
            given.to,
            prefix=given.prefix,
            align=given.align,
            int8=given.int8,
            data=None if given.data is None else np.load(given.data),
        )
    except (OSError, ValueError, ImportError) as error:
        print(f"kanditioned export: {error}", file=sys.stderr)
        return 1
    for path in files:
        print(f"{path}  {path.stat().st_size} bytes")
    return 0


def backends() -> str:
    """Describe every known backend, and the choice between them."""
    header = ("backend", "framework", "devices", "dtypes")
    rows = [header, *(_row(entry) for entry in registry.entries().values())]
    packages = ", ".join(map(_version, _distributions()))
    return f"{_table(rows)}\n\nspec {SPEC_VERSION}; {packages}\n{_choice()}"


def _row(entry: Entry) -> tuple[str, ...]:
    if not entry.is_installed:
        return (
            entry.name,
            "not installed",
            f'pip install "{entry.requirement or entry.package}"',
            "",
        )
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
        name, reason = registry.select()
    except BackendNotInstalledError as error:
        return str(error)
    choice = f"chosen: {name} ({reason}); {registry.ENVIRONMENT_VARIABLE} overrides it"
    kernels = registry.entries().get("torch-triton")
    if kernels is None or kernels.is_installed or "cuda" not in registry.load(name).info.devices:
        return choice
    return f'{choice}\nfused kernels for this GPU: pip install "{kernels.requirement}"'


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
