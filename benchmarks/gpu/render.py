"""Rows of `selfcheck` as Markdown: the targets, and milliseconds by K."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
COUNTS = (8, 16, 32, 64, 256)
EDGES = 8192 * 1024 * 1024
NOT_MEASURED = "not measured"
RELEASE = {8: (20, "met"), 16: (10, "met"), 32: (10, "borderline"), 64: (5, "borderline"),
           256: (5, "missed")}  # fmt: skip
"""K: how many times faster than release 1.0.3 a bfloat16 step should be, and what paper said."""
FORMATS = (("bfloat16", "medium"), ("float32", "high"), ("float32", "highest"))
PEAK = {"bfloat16 medium": "bfloat16 flop/s", "float32 high": "tf32 flop/s"}
CONTRACTIONS = ("interpolate", "contract", "accumulate")


class Rows:
    """The last row of each step and name."""

    def __init__(self, rows: list[Row]) -> None:
        self.environments = [row["environment"] for row in rows if "environment" in row]
        self.rows = {(row["step"], row["name"]): row for row in rows if "step" in row}

    def median(self, step: str, name: str, key: str = "ms") -> float | None:
        """Return a median in milliseconds, if it was measured."""
        times = self.rows.get((step, name), {}).get(key)
        return times[1] if times else None

    def of(self, *steps: str) -> dict[str, Row]:
        """Return the rows of steps by name."""
        return {name: row for (step, name), row in self.rows.items() if step in steps}


def text(rows: list[Row]) -> str:
    """Return the page."""
    found = Rows(rows)
    lines = []
    for where in found.environments:
        versions = ", ".join(
            f"{name} {where[name]}"
            for name in ("torch", "cuda", "triton", "commit")
            if name in where
        )
        lines.append(f"{where.get('device')}, {versions}, {str(where.get('date'))[:10]}")
    targets: list[tuple[str, ...]] = [
        (name, measured, target, verdict(measured, target), paper)
        for name, measured, target, paper in every_target(found)
    ]
    lines += ["", *table(("target", "measured", "wanted", "", "on paper"), targets)]
    for dtype, precision in FORMATS:
        lines += ["", f"{dtype}, {precision!r}, median ms:", "", *times(found, dtype, precision)]
    failed = [
        f"- {step}, {name}: {str(row.get('error') or row.get('failed')).strip().splitlines()[-1]}"
        for (step, name), row in found.rows.items()
        if row.get("error") or row.get("failed")
    ]
    return "\n".join([*lines, "", "Failed:" if failed else "Nothing failed.", "", *failed])


def every_target(found: Rows) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, measured, target and what paper said."""
    for count, (least, paper) in RELEASE.items():
        quotient = against_release(found, "bfloat16", "medium", count)
        yield f"step, 1.0.3 ÷ ours, bfloat16, K = {count}", quotient, f"≥ {least}", paper
    for count in COUNTS:
        quotient = against_release(found, "float32", "highest", count)
        yield f"step, 1.0.3 ÷ ours, float32 highest, K = {count}", quotient, "≥ 4", ""
    for count in COUNTS[:4]:
        quotient = against_product(found, "bfloat16 medium", count)
        yield f"step ÷ products of equal parameters, K = {count}", quotient, "≤ 1.5", ""
    ms = found.median("ours", "interpolate float32 highest K=256")
    rate = NOT_MEASURED if ms is None else f"{EDGES / ms * 1e3:.2g}"
    yield "lookup forward, edges/s, float32, K = 256", rate, "≥ 3.2e12", "missed: at most 2.6e12"
    yield "step, ours ÷ our compiled stock layer, worst", worst_against_stock(found), "≤ 1", ""
    memory = [row["memory"] for row in found.of("ours").values() if "memory" in row]
    peak = f"{max(memory):.3g}" if memory else NOT_MEASURED
    yield "peak memory ÷ arguments and results, worst", peak, "≤ 1.1", ""
    bits = [row for name, row in found.of("integration").items() if name.startswith("same bits")]
    different = sum(bool(row.get("failed") or row.get("error")) for row in bits)
    yield (
        "same bits twice, settings that differ",
        str(different) if bits else NOT_MEASURED,
        "≤ 0",
        "",
    )


def against_release(found: Rows, dtype: str, precision: str, count: int) -> str:
    """Return the best step of release 1.0.3, of its own format or float32, over ours beside it."""
    ours = [found.median("ours", f"step {dtype} {precision} K={count}")]
    theirs: list[float] = []
    for name, row in found.of("release 1.0.3", "compiled").items():
        if not name.startswith("1.0.3") or not name.endswith(f" K={count}"):
            continue
        same = f" {dtype} {precision} " in name
        if "ms" in row and (same or dtype == "bfloat16"):
            theirs.append(row["ms"][1])
        if same and "ours" in row:
            ours.append(row["ours"][1])
    known = [ms for ms in ours if ms is not None]
    return f"{min(theirs) / max(known):.3g}" if known and theirs else NOT_MEASURED


def against_product(found: Rows, setting: str, count: int) -> str:
    """Return our three contractions over the three products of equal parameters."""
    ours = [found.median("ours", f"{name} {setting} K={count}") for name in CONTRACTIONS]
    theirs = [
        found.median("products", f"product {setting} K={count}", name) for name in CONTRACTIONS
    ]
    if None in ours or None in theirs:
        return NOT_MEASURED
    return f"{sum(filter(None, ours)) / sum(filter(None, theirs)):.3g}"


def worst_against_stock(found: Rows) -> str:
    """Return our step over that of our compiled stock layers, where it is largest."""
    quotients = [
        row["ours"][1] / row["ms"][1]
        for name, row in found.of("compiled").items()
        if name.startswith("ours") and "ms" in row and "ours" in row
    ]
    return f"{max(quotients):.3g}" if quotients else NOT_MEASURED


def verdict(measured: str, target: str) -> str:
    """Return whether a target is met."""
    if measured == NOT_MEASURED:
        return ""
    sign, bound = target.split()
    met = float(measured) >= float(bound) if sign == "≥" else float(measured) <= float(bound)
    return "met" if met else "**missed**"


def times(found: Rows, dtype: str, precision: str) -> list[str]:
    """Return a table of medians by K, ours and others."""
    setting = f"{dtype} {precision}"
    body: list[tuple[str, ...]] = []
    for name in (*CONTRACTIONS, "step"):
        body.append(
            (name, *(cell(found.median("ours", f"{name} {setting} K={k}")) for k in COUNTS))
        )
    for name in CONTRACTIONS:
        cells = (found.median("products", f"product {setting} K={k}", name) for k in COUNTS)
        body.append((f"product for {name}", *map(cell, cells)))
    peak = found.rows.get(("ceilings", "all"), {}).get(PEAK.get(setting, ""))
    if peak:
        body.append(("limit of a product", *(cell(2 * EDGES * k / peak * 1e3) for k in COUNTS)))
    others = {
        re.sub(r" K=\d+$", "", name).replace(f" {setting}", "")
        for name in found.of("release 1.0.3", "compiled")
        if f" {setting} " in name
    }
    for step in ("release 1.0.3", "compiled"):
        for other in sorted(others):
            medians = [cell(found.median(step, f"{other} {setting} K={k}")) for k in COUNTS]
            if any(medians):
                body.append((f"step, {other}" + ", compiled" * (step == "compiled"), *medians))
    linear = cell(found.median("products", f"nn.Linear {setting}"))
    body.append(("step, nn.Linear", *(linear for _ in COUNTS)))
    return table(("", *(f"K = {k}" for k in COUNTS)), body)


def cell(ms: float | None) -> str:
    """Return milliseconds, or nothing."""
    return "" if ms is None else f"{ms:.3g}"


def table(header: tuple[str, ...], body: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ("---",) * len(header), *body]
    return ["| " + " | ".join(line) + " |" for line in lines]
