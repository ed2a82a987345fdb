"""What the site adds to MkDocs: formulas as MathML, and tables from the results of the benchmarks.

MathML is drawn by the browser itself, without scripts or fonts from elsewhere.

A line `<!-- results: NAME -->` in a page becomes the rows of `benchmarks/results/NAME.csv` as a
table, `<!-- results -->` a section for each file of that folder.
"""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
DIRECTIVE = re.compile(r"^<!-- results(?:: (?P<name>[\w.-]+))? -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put tables in the place of directives."""
    return DIRECTIVE.sub(_replacement, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Put MathML in the place of LaTeX."""
    return FORMULA.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    display = "inline" if match["tag"] == "span" else "block"
    return convert(html.unescape(match["latex"].strip()), display=display)


def _replacement(match: re.Match[str]) -> str:
    if match["name"]:
        return table(RESULTS / f"{match['name']}.csv")
    return "\n".join(
        f"### {path.stem}\n\n{table(path)}\n" for path in sorted(RESULTS.glob("*.csv"))
    )


def table(path: Path) -> str:
    """Return a CSV file as a Markdown table; columns of one value are said once above it."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    same = {k: rows[0][k] for k in rows[0] if len({row[k] for row in rows}) == 1}
    varied = [column for column in rows[0] if column not in same]
    said = ", ".join(f"{column} {value}" for column, value in same.items() if value)
    lines = [varied, ["---"] * len(varied), *([_cell(row[k]) for k in varied] for row in rows)]
    return f"{said}.\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return a value for a cell: a number with four digits, a bar escaped."""
    try:
        number = float(text)
    except ValueError:
        return text.replace("|", "\\|")
    return text if number.is_integer() and "." not in text else f"{number:.4g}"
