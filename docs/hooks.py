"""What the site adds to MkDocs: formulas as MathML, and tables from the results of the benchmarks.

MathML is drawn by the browser itself, without scripts or fonts from elsewhere.

A line `<!-- results -->` in a page becomes a folded table for each file of `benchmarks/results`.
`<!-- results FILE ROWS COLUMNS VALUE WHERE CHOICE -->` becomes one table of FILE.csv: a row for
each combination of the columns ROWS (`a,b,c`), a column for each combination of COLUMNS, words as
they first come and numbers by size, in the cells the "smallest", the "median" or the "latest"
VALUE (CHOICE), of rows in which WHERE (`column=value,…`, or `-`) is so; or, "validated", the median
over seeds of each seed's row with the lowest validation error. What holds spaces is quoted. Where
several devices were measured, they are rows of their own. With a last word `common`, columns stay
out that hold a value in less than half of the rows.
`<!-- speedups FILE -->` says how many times faster than release 1.0.3 we are.
"""

from __future__ import annotations

import csv
import html
import math
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from textwrap import indent
from typing import Any

from latex2mathml.converter import convert

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
DIRECTIVE = re.compile(
    r"^(?P<indent> *)<!-- (?P<verb>results|speedups)(?P<arguments>( \S+)*) -->$", re.MULTILINE
)
APART = r"\qquad"
"""What stands between formulas of one line, which may stand below each other on a narrow screen."""
BAR = re.compile(r"<mo( stretchy=\"false\")?>(?=&#x0007C;</mo>)")
SIGN = re.compile(r"(<mo[^>]*>(?:&#x00028;|\[|&#x0003D;)</mo>)<mo>(?=&#x02212;</mo>)")
CIRCUMSTANCES = ("device", "threads", "date", "versions")
SYMBOLS = {
    "batch": "B",
    "in_features": "I",
    "out_features": "O",
    "num_control_points": "K",
    "count": "K",
}
SHAPE = ("batch", "in_features", "out_features", "num_control_points")
MODES = {"train": "training step", "inference": "forward"}
KERNELS = ("stock operations", "with native kernels")
MOST_ROWS = 100
"""Longer files are named and not shown."""

Rows = list[dict[str, str]]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put tables in the place of directives."""
    return DIRECTIVE.sub(_tables, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Put MathML in the place of LaTeX."""
    return FORMULA.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    latex = html.unescape(match["latex"].strip())
    if match["tag"] == "span":
        return _convert(latex, "inline")
    parts = (_convert(part.strip(), "block") for part in latex.split(APART))
    return f'<div class="formulas">{"".join(parts)}</div>'


def _convert(latex: str, display: str) -> str:
    """Return MathML, in which bars hug what they enclose and a sign its number."""
    mathml = BAR.sub('<mo stretchy="false" lspace="0" rspace="0">', convert(latex, display=display))
    return SIGN.sub(r'\1<mo form="prefix">', mathml)


def _tables(match: re.Match[str]) -> str:
    arguments = shlex.split(match["arguments"])
    if match["verb"] == "speedups":
        return indent(speedups(*arguments), match["indent"])
    if arguments:
        return indent(pivot(*arguments), match["indent"])
    return "\n\n".join(fold(path) for path in sorted(RESULTS.glob("*.csv")))


def fold(path: Path) -> str:
    """Return a file as a folded table, without the columns that its circumstances name."""
    rows = _read(path)
    columns = [column for column in rows[0] if column not in CIRCUMSTANCES]
    body = _circumstances(rows)
    if len(rows) <= MOST_ROWS:
        body += "\n\n" + _table(columns, ([_cell(row[c]) for c in columns] for row in rows))
    return f'??? note "benchmarks/results/{path.name}, {len(rows)} rows"\n{indent(body, "    ")}'


def pivot(
    file: str, keys: str, columns: str, value: str, where: str, choice: str, which: str = "all"
) -> str:
    """Return a table of one file, see the module."""
    path = RESULTS / f"{file}.csv"
    if not path.exists():
        return f"*No results in `benchmarks/results/{file}.csv`.*"
    wanted = dict(pair.split("=") for pair in where.split(",")) if where != "-" else {}
    rows = [row for row in _read(path) if wanted.items() <= row.items()]
    names, across = keys.split(","), columns.split(",")
    if len({row.get("device") for row in rows}) > 1:
        names.insert(0, "device")

    def head(row: dict[str, str]) -> str:
        return " × ".join(row[name] for name in across)

    cells: dict[tuple[str, ...], dict[str, Rows]] = {}
    for row in rows:
        of_key = cells.setdefault(tuple(row[name] for name in names), {})
        of_key.setdefault(head(row), []).append(row)
    heads = sorted(dict.fromkeys(map(head, rows)), key=lambda text: _number(text) or 0.0)
    if which == "common":
        filled = Counter(
            head
            for of_key in cells.values()
            for head, found in of_key.items()
            if any(row[value] for row in found)
        )
        heads = [head for head in heads if 2 * filled[head] >= len(cells)]
    body = (
        [*map(_cell, key), *(CHOICES[choice](cells[key].get(head, []), value) for head in heads)]
        for key in sorted(cells, key=lambda key: [(_number(k) or 0.0, k) for k in key])
    )
    return f"{_table([*names, *heads], body)}\n\n{_circumstances(rows)}"


def speedups(file: str) -> str:
    """Return a row for each shape: the best median of release 1.0.3 divided by our best.

    Of each competitor the latest row counts, of those measured beside that release on the last
    device, and only wall time.
    """
    rows = _read(RESULTS / f"{file}.csv")
    wanted = {"clock": "wall", "beside": "1.0.3", "device": rows[-1]["device"]}
    rows = [row for row in rows if wanted.items() <= row.items()]
    latest: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        case = (*(row[name] for name in SHAPE), row["mode"], row["kernels"])
        latest.setdefault(case, {})[row["competitor"]] = float(row["p50_ms"])

    def faster(*case: str) -> str:
        times = latest.get(case, {}).items()
        ours = [time for name, time in times if name.startswith("torch auto")]
        released = [time for name, time in times if name.startswith("kanditioned 1.0.3")]
        return f"{min(released) / min(ours):.2f}" if ours and released else ""

    kinds = [(mode, kernels) for kernels in KERNELS for mode in MODES]
    shapes = sorted({case[:4] for case in latest}, key=lambda shape: [int(size) for size in shape])
    heads = [*SHAPE, *(f"{MODES[mode]}, {kernels}" for mode, kernels in kinds)]
    body = ([*shape, *(faster(*shape, *kind) for kind in kinds)] for shape in shapes)
    return f"{_table(heads, body)}\n\n{_circumstances(rows)}"


def _smallest(rows: Rows, value: str) -> str:
    """Return the smallest of some numbers; a number rather than a word, a word than nothing."""
    texts = [row[value] for row in rows]
    ranked = sorted(texts, key=lambda t: (not t, _number(t) is None, _number(t) or 0))
    return _cell(next(iter(ranked), ""))


def _median(rows: Rows, value: str) -> str:
    """Return the median of those that are numbers; if none is, a word, or nothing."""
    numbers = [number for row in rows if (number := _number(row[value])) is not None]
    return _cell(str(median(numbers))) if numbers else _smallest(rows, value)


def _latest(rows: Rows, value: str) -> str:
    """Return that of the last row, with a mark where its status is "wrong"."""
    if not rows:
        return ""
    return _cell(rows[-1][value]) + r" \*" * (rows[-1].get("status") == "wrong")


def _validate(rows: Rows, value: str) -> str:
    """Return the median over seeds of each seed's value where the validation error is lowest."""
    best: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda row: _last_if_nan(float(row["validation"]))):
        best.setdefault(row["seed"], row)
    return _median(list(best.values()), value)


def _last_if_nan(number: float) -> float:
    return math.inf if math.isnan(number) else number


CHOICES = {
    "smallest": _smallest,
    "median": _median,
    "latest": _latest,
    "validated": _validate,
}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _read(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _circumstances(rows: Rows) -> str:
    """Return where and when rows were measured, as a sentence."""
    values = (dict.fromkeys(row.get(name, "") for row in rows) for name in CIRCUMSTANCES)
    named = zip(CIRCUMSTANCES, values, strict=True)
    return "; ".join(f"{name}: {' / '.join(filter(None, each))}" for name, each in named) + "."


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [[SYMBOLS.get(head, head) for head in heads], ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return a value for a cell: a number with four digits, a bar escaped."""
    number = _number(text)
    if number is None:
        return text.replace("|", "\\|")
    is_short = number.is_integer() and abs(number) < 1e5
    return str(int(number)) if is_short else f"{number:.4g}"
