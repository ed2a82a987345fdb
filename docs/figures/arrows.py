"""Draw the table of modules on the page about the architecture, from their imports.

`python docs/figures/arrows.py`; it needs import-linter, as `nox -s lint` does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import grimp

PACKAGES = ("kanditioned_spec", "kanditioned_torch", "kanditioned_jax")
PAGE = Path(__file__).parents[1] / "pages" / "contributing" / "architecture.md"


def levels(package: str) -> list[list[str]]:
    """Return the modules of a package: each list imports from the lists before it alone."""
    graph = grimp.build_graph(package)
    children = sorted(graph.find_children(package))
    for child in children:
        graph.squash_module(child)
    heights: dict[str, int] = {}

    def height(module: str) -> int:
        if module not in heights:
            # A package that was squashed may import itself.
            below = graph.find_modules_directly_imported_by(module) & set(children) - {module}
            heights[module] = 1 + max(map(height, below), default=-1)
        return heights[module]

    rows: dict[int, list[str]] = defaultdict(list)
    for child in children:
        rows[height(child)].append(child.rpartition(".")[2])
    return [rows[number] for number in sorted(rows)]


def table() -> str:
    """Return the table in Markdown, the lowest modules first."""
    columns = [levels(package) for package in PACKAGES]
    lines = ["| | " + " | ".join(f"`{package}`" for package in PACKAGES) + " |", "| --- " * 4 + "|"]
    for number in range(max(map(len, columns))):
        cells = (
            ", ".join(f"`{name}`" for name in column[number]) if number < len(column) else ""
            for column in columns
        )
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Put the table in the place of the one on the page."""
    text = PAGE.read_text(encoding="utf-8")
    drawn = f"<!-- arrows -->\n\n{table()}\n\n<!-- /arrows -->"
    new = re.sub("<!-- arrows -->.*<!-- /arrows -->", lambda _: drawn, text, flags=re.DOTALL)
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
