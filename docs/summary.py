"""A summary of the benchmarks for the site: our best time beside the best of other libraries.

A line `<!-- summary -->` in a page becomes a table with a row for each shape at which the training
steps of at least three other libraries were timed, from the newest rows of `speed.csv`.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "speed.csv"
DIRECTIVE = "<!-- summary -->"
OTHERS = ("efficient-kan", "fast-kan", "flashkan", "inkan", "jaxkan", "pykan")
OURS = ("torch auto", "torch cpu", "jax auto")
KIND = {"clock": "cpu", "mode": "train", "precision": "highest", "status": "ok"}
SHAPE = ("batch", "in_features", "out_features", "num_control_points")
FEWEST = 3
HEAD = """| B × I × O × K | ours, ms | best other, ms | which | times faster | `nn.Linear`, ms |
| --- | --- | --- | --- | --- | --- |"""

Times = dict[str, float]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the table in the place of the directive."""
    return markdown.replace(DIRECTIVE, table()) if DIRECTIVE in markdown else markdown


def table() -> str:
    """Return the table, and the circumstances of the measurement."""
    with RESULTS.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if KIND.items() <= row.items()]
    shapes: dict[tuple[int, ...], Times] = {}
    for row in rows:
        shape = tuple(int(row[name]) for name in SHAPE)
        shapes.setdefault(shape, {})[row["competitor"]] = float(row["p50_ms"])
    lines = [line for shape in sorted(shapes) if (line := _line(shape, shapes[shape]))]
    where = f"{rows[-1]['device']}, one thread, processor time, {rows[-1]['date']}"
    return f"{HEAD}\n" + "\n".join(lines) + f"\n\n{where}, {rows[-1]['versions']}."


def _line(shape: tuple[int, ...], times: Times) -> str:
    """Return the row of a shape, or nothing where too few others were timed."""
    others = {name: time for name, time in times.items() if name.startswith(OTHERS)}
    if len({name.split(",")[0] for name in others}) < FEWEST:
        return ""
    ours = min(time for name, time in times.items() if name.startswith(OURS))
    best = min(others, key=others.__getitem__)
    cells = (
        "\u00a0×\u00a0".join(map(str, shape)),
        f"{ours:.2f}",
        f"{others[best]:.2f}",
        best,
        f"**{others[best] / ours:.1f}**",
        f"{times['nn.Linear']:.2f}",
    )
    return f"| {' | '.join(cells)} |"
