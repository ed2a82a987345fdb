"""The page: backend and dtype down, chapters across, and below it everything that did not pass.

python -m kanditioned_conformance.page page.html report.json [report.json ...]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from .report import OUTCOMES, Report, Result, joined

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;
 color:#1c2430;background:#fff}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.3rem .5rem;border:1px solid #d5dae1}
th{font-weight:600;text-align:left}thead th{vertical-align:bottom;writing-mode:vertical-rl;
 transform:rotate(180deg)}td{text-align:center;font-variant-numeric:tabular-nums;min-width:2.6rem}
.passed{background:#dff3e4}.failed{background:#f9d9d6}.xfailed{background:#fdeecb}
.skipped{background:#eceff3;color:#5a6472}small{display:block;color:inherit;opacity:.75}
pre{white-space:pre-wrap;background:#f5f7f9;padding:.6rem;margin:.3rem 0}code{font-size:.95em}
@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181d}th,td{border-color:#39424d}
 .passed{background:#173d25}.failed{background:#5a1f1c}.xfailed{background:#55420f}
 .skipped{background:#252b32;color:#9aa5b1}pre{background:#1d232a}}
"""
LEGEND = {
    "passed": "within the bound; below the count, the largest |got − want| / bound",
    "failed": "not what the spec says",
    "xfailed": "not what the spec says, and its maintainers know",
    "skipped": "not tested: not offered, not declared, or refused",
}


def write(report: Report, path: Path) -> None:
    """Write the page."""
    path.write_text(html(report), "utf-8")


def html(report: Report) -> str:
    """Return the page of a report."""
    results = report.results
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>Conformance of KAN layers</title><style>{STYLE}</style>",
        "<h1>Conformance of KAN layers</h1>",
        f"<pre>{escape(chr(10).join(report.header))}</pre>",
        _matrix(results),
        "<table>",
        *(f"<tr><td class={name}>{name}<th>{text}" for name, text in LEGEND.items()),
        "</table>",
        *(_details(name, results) for name in ("failed", "xfailed", "skipped")),
    ]
    return "\n".join(parts) + "\n"


def _matrix(results: Sequence[Result]) -> str:
    chapters = list(dict.fromkeys(result.chapter for result in results))
    rows = dict.fromkeys((result.backend, result.dtype) for result in results)
    lines = ["<table><thead><tr><th>backend<th>dtype"]
    lines += [f"<th>{chapter.replace('_', ' ')}" for chapter in chapters]
    lines.append("</thead><tbody>")
    for backend, dtype in rows:
        mine = [r for r in results if (r.backend, r.dtype) == (backend, dtype)]
        cells = (_cell([r for r in mine if r.chapter == chapter]) for chapter in chapters)
        lines.append(f"<tr><th>{escape(backend)}<th>{dtype}{''.join(cells)}")
    return "".join([*lines, "</tbody></table>"])


def _cell(results: Sequence[Result]) -> str:
    """Show the counts of one backend, dtype and chapter; the worst outcome gives the colour."""
    counts = {name: sum(r.outcome == name for r in results) for name in OUTCOMES}
    worst = next((n for n in ("failed", "xfailed", "passed", "skipped") if counts[n]), "skipped")
    ratios = [ratio for r in results for ratio in r.ratios.values()]
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    shown = f"{counts[worst]}<small>{max(ratios):.2g}</small>" if ratios else str(counts[worst])
    return f"<td class={worst} title='{said}'>{shown}"


def _details(outcome: str, results: Iterable[Result]) -> str:
    """List the tests with an outcome, by the reason that they share."""
    shared: dict[str, list[str]] = {}
    for result in results:
        if result.outcome == outcome:
            shared.setdefault(result.reason, []).append(f"{result.backend} {result.address}")
    if not shared:
        return ""
    items = (
        f"<details><summary>{escape(reason.partition(chr(10))[0])} ({len(where)})</summary>"
        f"<pre>{escape(chr(10).join([reason, *where]))}</pre></details>"
        for reason, where in shared.items()
    )
    return f"<h2>{outcome}</h2>{''.join(items)}"


if __name__ == "__main__":
    target, *sources = map(Path, sys.argv[1:])
    write(joined([Report.read(source) for source in sources]), target)
