"""One HTML file that says what an additive model has learned. It needs no network to be read."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Vector
from .terms import Numeric, Term

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem}
p{max-width:46rem}table{border-collapse:collapse;font-size:14px}img{max-width:100%;height:auto}
td,th{padding:.2rem .9rem .2rem 0;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
.bar{display:inline-block;height:.7rem;background:#1f4e79;vertical-align:middle}
"""


def rows(
    names: Sequence[str], terms: Sequence[Term], importance: Vector, edf: Vector, smoothing: Vector
) -> list[tuple[str, str, float, float, str]]:
    """Return name, kind, importance, degrees of freedom and λ of every term, largest first."""
    found = []
    for number in np.argsort(-importance, kind="stable"):
        if number >= len(terms):
            kind, weight = "pair", ""
        else:
            column, value = terms[number].column, smoothing[number]
            kind = "curve" if isinstance(column, Numeric) else f"{len(column.labels)} labels"
            weight = "" if np.isnan(value) else f"{value:.2g}"
        found.append((names[number], kind, float(importance[number]), float(edf[number]), weight))
    return found


def page(
    title: str,
    facts: Sequence[tuple[str, str]],
    terms: Sequence[tuple[str, str, float, float, str]],
    unit: str,
    pictures: Sequence[tuple[str, Figure]],
) -> str:
    """Return the page.

    Args:
        title: Its headline.
        facts: Names and values of the summary.
        terms: What `rows` returns.
        unit: Of the contributions.
        pictures: With their headlines.
    """
    largest = max((term[2] for term in terms), default=0.0) or 1.0
    listed = "".join(f"<tr><td>{_text(a)}</td><td>{_text(b)}</td></tr>" for a, b in facts)
    body = "".join(_row(term, largest) for term in terms)
    shown = "".join(
        f'<h2>{_text(name)}</h2><img alt="{_text(name)}" src="{_embed(figure)}">'
        for name, figure in pictures
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{STYLE}</style><h1>{_text(title)}</h1><table>{listed}</table>"
        f"<h2>Terms</h2><p>Importance is the standard deviation of a term's {_text(unit)} over the "
        "training rows. One degree of freedom is a straight line; more is a curve, less a term "
        "that is shrunk towards no effect. λ is the learned weight of the curvature penalty.</p>"
        "<table><tr><th>term</th><th>kind</th><th>importance</th><th></th>"
        f"<th>degrees of freedom</th><th>λ</th></tr>{body}</table>{shown}</html>\n"
    )


def _row(term: tuple[str, str, float, float, str], largest: float) -> str:
    name, kind, importance, edf, weight = term
    width = 8 * importance / largest
    return (
        f"<tr><td>{_text(name)}</td><td>{_text(kind)}</td><td>{importance:.3g}</td>"
        f'<td style="text-align:left"><span class="bar" style="width:{width:.2f}rem"></span></td>'
        f"<td>{edf:.1f}</td><td>{weight}</td></tr>"
    )


def _embed(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _text(value: Any) -> str:
    return html.escape(str(value))
