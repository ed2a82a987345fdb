"""Results as CSV files with one row per measurement, appended and never rewritten."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kanditioned_spec.costs import Sizes

from . import machine

FOLDER = Path(__file__).parent / "results"


def row(
    shape: Sizes, mode: str, device: str, given: argparse.Namespace, /, **columns: Any
) -> dict[str, Any]:
    """Return a row of a measurement of speed: what was measured, columns, and where.

    Args:
        shape: Sizes of the layer.
        mode: Of the case.
        device: `"cpu"` or `"cuda"`.
        given: Of the command line: the clock and the number of threads.
        **columns: What the verb has to say.
    """
    where = {"clock": given.clock, **machine.description(device, given.threads)}
    return {**shape._asdict(), "mode": mode, **columns, **where}


class Table:
    """A CSV file whose rows are found again by some of their columns, so that work is resumable.

    Args:
        path: The file, made with the first row.
        key: The columns that say what was measured.
    """

    def __init__(self, path: Path, key: Iterable[str]) -> None:
        self.path = path
        self.key = tuple(key)
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                self.rows = list(csv.DictReader(file))

    def __contains__(self, row: Mapping[str, Any]) -> bool:
        wanted = [str(row[column]) for column in self.key]
        return any([known[column] for column in self.key] == wanted for known in self.rows)

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row at the end of the file."""
        text = {column: str(value) for column, value in row.items()}
        columns = list(self.rows[0]) if self.rows else list(text)
        if set(columns) != set(text):
            raise ValueError(f"{self.path.name} has columns {columns}, got {list(text)}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            if not self.rows:
                writer.writeheader()
            writer.writerow(text)
        self.rows.append(text)
