"""The page: backend and dtype down, chapters across, and below it everything that did not pass.

python -m kanditioned_conformance.html page.html report.json [report.json ...]

Where its name ends in `.md`, it is a page for a site made of Markdown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from .report import OUTCOMES, Report, Result, write_from_command_line

TITLE = "Conformance of KAN layers"
PAGE_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;
 color:#1c2430;background:#fff}
@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181d}}
"""
STYLE = """
.kan table{border-collapse:collapse;margin:1rem 0;font-size:.8rem}
.kan th,.kan td{padding:.2rem .4rem;border:1px solid #8886;font-weight:400;text-align:left}
.kan thead th{vertical-align:bottom;writing-mode:vertical-rl;transform:rotate(180deg)}
.kan td{text-align:center;font-variant-numeric:tabular-nums;min-width:2.2rem}
.kan .passed{background:#2a9d4a33}.kan .failed{background:#d9362b66}
.kan .xfailed{background:#e0a10055}.kan .skipped{background:#8882;opacity:.8}
.kan small{display:block;opacity:.75}.kan td small{font-size:.7rem}
.kan pre{white-space:pre-wrap;background:#8881;padding:.6rem;margin:.3rem 0;font-size:.75rem}
"""
LEGEND = {
    "passed": "within the bound; below the count, the largest |got − want| / bound",
    "failed": "not what the spec says",
    "xfailed": "not what the spec says, and its maintainers know",
    "skipped": "not tested: not offered, not declared, or refused",
}


def write(report: Report, path: Path) -> None:
    """Write the page."""
    path.write_text(markdown(report) if path.suffix == ".md" else html(report), "utf-8")


def html(report: Report) -> str:
    """Return the page of a report."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width'>\n"
        f"<title>{TITLE}</title><style>{PAGE_STYLE}</style>\n<h1>{TITLE}</h1>\n{_body(report)}"
    )


def markdown(report: Report) -> str:
    """Return the page of a report, as wide as the site goes."""
    front = "---\nhide: [navigation, toc]\n---\n"
    written = (
        "A cell counts the tests of a chapter of the spec with one backend and dtype. The number "
        "below is the largest error, divided by the\nerror that is allowed: up to 1 is right. Grey "
        "is what a backend does not offer; the end of the page lists it. Written by\n"
        "`python -m kanditioned_conformance.html` from the reports (`--report`) of these runs:"
    )
    return f"{front}\n# {TITLE}\n\n{written}\n\n{_body(report)}"


def _body(report: Report) -> str:
    results = report.results
    legend = (f"<tr><td class={name}>{name}</td><th>{text}" for name, text in LEGEND.items())
    parts = [
        f"<div class=kan><style>{STYLE}</style>",
        f"<pre>{escape(chr(10).join(report.header))}</pre>",
        _matrix(results),
        f"<table>{'</th></tr>'.join(legend)}</th></tr></table>",
        *(_details(name, results) for name in ("failed", "xfailed", "skipped")),
        "</div>",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _matrix(results: Sequence[Result]) -> str:
    chapters = list(dict.fromkeys(result.chapter for result in results))
    heads = "".join(f"<th>{chapter.replace('_', ' ')}</th>" for chapter in chapters)
    lines = [f"<table><thead><tr><th>backend</th><th>dtype</th>{heads}</tr></thead><tbody>"]
    for backend in dict.fromkeys(result.backend for result in results):
        mine = [result for result in results if result.backend == backend]
        dtypes = list(dict.fromkeys(result.dtype for result in mine))
        seconds = sum(result.seconds for result in mine)
        first = (
            f"<th rowspan={len(dtypes)}>{escape(backend)}"
            f"<small>{seconds:.0f} s of processor time</small></th>"
        )
        for dtype in dtypes:
            rows = [[r for r in mine if (r.dtype, r.chapter) == (dtype, c)] for c in chapters]
            lines.append(f"<tr>{first}<th>{dtype}</th>{''.join(map(_cell, rows))}</tr>")
            first = ""
    return "\n".join([*lines, "</tbody></table>"])


def _cell(results: Sequence[Result]) -> str:
    """Show the counts of one backend, dtype and chapter; the worst outcome gives the colour."""
    counts = {name: sum(r.outcome == name for r in results) for name in OUTCOMES}
    worst = next((n for n in ("failed", "xfailed", "passed", "skipped") if counts[n]), "skipped")
    ratios = [ratio for r in results for ratio in r.ratios.values()]
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    shown = (
        f"{counts[worst]}<small>{max(ratios):.2g}</small>" if ratios else str(counts[worst] or "")
    )
    return f"<td class={worst} title='{said}'>{shown}</td>"


def _details(outcome: str, results: Iterable[Result]) -> str:
    """List the tests with an outcome, by the reason that they share; of the skipped, how many."""
    shared: dict[str, Counter[str]] = {}
    for result in results:
        if result.outcome == outcome:
            skipped = f"{result.chapter}::{result.test}"
            named = skipped if outcome == "skipped" else result.address
            shared.setdefault(result.reason, Counter())[f"{result.backend} {named}"] += 1
    if not shared:
        return ""
    items = (
        f"<details><summary>{escape(reason.partition(chr(10))[0])} ({where.total()})</summary>"
        f"<pre>{escape(chr(10).join([reason, *map(_count, where.items())]))}</pre></details>"
        for reason, where in shared.items()
    )
    return f"<h2>{outcome}</h2>\n" + "\n".join(items)


def _count(item: tuple[str, int]) -> str:
    name, count = item
    return name if count == 1 else f"{name} ({count} times)"


if __name__ == "__main__":
    write_from_command_line(write)
