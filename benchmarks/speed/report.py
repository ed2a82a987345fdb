"""Turn `results/*.csv` into tables (`results/report.md`) and plots (`results/plots`)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from kanditioned_spec.costs import Sizes

from ..results import FOLDER
from .auto import MARGIN
from .cases import SHAPES, SWEEPS

SIZES = list(Sizes._fields)
SETTING = ["device", "threads", "clock", "mode", "precision"]
FLOOR = "nn.Linear"
PLOTTED = (
    "nn.Linear",
    "equal-parameter matmul",
    "torch auto",
    "torch auto, compiled",
    "torch embedding_bag",
    "torch dense",
    "torch triton",
    "jax auto",
    "kanditioned 1.0.3 embedding_bag",
    "kanditioned 1.0.3 embedding, compiled",
    "efficient-kan linear, compiled",
    "inkan",
)
AXES = {"K": ("num_control_points", "K"), "B": ("batch", "B"), "width": ("in_features", "I = O")}
"""Column and symbol of what each sweep varies."""
LIMITS = {"dense": "--", "memory": ":"}
COLOURS = [f"C{n}" for n in range(10)] + ["black", "gold"]
"""Of `PLOTTED`, the same in every plot."""
UNITS = {"p50_ms": "milliseconds", "peak_mib": "peak memory of a step, MiB"}
CHOOSING = ["framework", "execution", "kernels", "device", "threads"]
"""What `auto` chooses within, and where, as `results/auto.csv` has it."""


def run(given: argparse.Namespace) -> int:
    """Write the report; return the number of cases in which `auto` is not within its margin."""
    path = FOLDER / "speed.csv"
    if not path.exists():
        print("Nothing measured yet: python -m benchmarks run")
        return 1
    speed = pd.read_csv(path, keep_default_na=False)
    lines, missed = ["# Measured speed", ""], 0
    for setting, group in speed.groupby(SETTING):
        title = ", ".join(f"{name} {value}" for name, value in zip(SETTING, setting, strict=True))
        dates, versions = (sorted(set(group[column])) for column in ("date", "versions"))
        lines += [f"## {title}", "", f"{', '.join(dates)}; {'; '.join(versions)}", ""]
        lines += speed_table(group)
        slug, plots = _slug(setting), FOLDER / "plots"
        for name in SWEEPS:
            plot_sweep(group, name, "p50_ms", plots / f"{name}-{slug}.png")
            plot_sweep(group, name, "peak_mib", plots / f"{name}-memory-{slug}.png")
        plot_roofline(group, plots / f"roofline-{slug}.png")
    choices = FOLDER / "auto.csv"
    if choices.exists():
        table, missed = auto_table(pd.read_csv(choices))
        lines += ["## Time of `auto` over that of the best implementation", "", *table]
    (FOLDER / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {FOLDER / 'report.md'}")
    return missed


def speed_table(group: pd.DataFrame) -> list[str]:
    """Return median milliseconds and, in brackets, the quotient with `nn.Linear`."""
    timed = group[group["p50_ms"] != ""]
    cells: dict[tuple[str, Sizes], str] = {}
    for row in group.to_dict("records"):
        shape = _shape(row)
        cells[_label(row), shape] = row["status"] + (f" ({row['error']})" if row["error"] else "")
    for shape, rows in timed.groupby(SIZES):
        latest = {_label(row): row for row in rows.to_dict("records")}
        floor = float(latest[FLOOR]["p50_ms"]) if FLOOR in latest else None
        for label, row in latest.items():
            median, mark = float(row["p50_ms"]), " wrong" * (row["status"] == "wrong")
            quotient = f" ({median / floor:.1f})" if floor else ""
            cells[label, Sizes(*shape)] = f"{median:.3g}{quotient}{mark}"
    shapes = [s for s in dict.fromkeys(shape for _, shape in cells) if s not in _swept()]
    labels = list(dict.fromkeys(label for label, _ in cells))
    header = ["ms (÷ nn.Linear)", *("×".join(map(str, shape)) for shape in shapes)]
    body = [[label, *(cells.get((label, s), "") for s in shapes)] for label in labels]
    limits = {_shape(row): row for row in timed.to_dict("records")}
    for name in ("dense_limit_ms", "memory_limit_ms"):
        numbers = (f"{float(limits[s][name]):.3g}" if s in limits else "" for s in shapes)
        body.append([f"limit: {name.partition('_')[0]}", *numbers])
    return _markdown(header, body)


def auto_table(rows: pd.DataFrame) -> tuple[list[str], int]:
    """Return the worst quotients of `auto` and the best, and how often it is out of margin.

    Of measurements of one case the last counts.
    """
    latest = rows.drop_duplicates([*SIZES, "mode", *CHOOSING], keep="last")
    body = []
    for kind, group in latest.groupby([*CHOOSING, "shape", "mode"]):
        worst = group.loc[group["quotient"].idxmax()]
        within = f"{(group['quotient'] <= MARGIN).sum()} of {len(group)}"
        shape = "×".join(str(worst[size]) for size in SIZES)
        body.append(
            [*map(str, kind), within, f"{worst['quotient']:.2f}", shape, str(worst["best"])]
        )
    header = [*CHOOSING, "shapes", "mode", f"within {MARGIN:g}", "worst", "at", "best there"]
    return _markdown(header, body), int((latest["quotient"] > MARGIN).sum())


def plot_sweep(group: pd.DataFrame, name: str, value: str, path: Path) -> None:
    """Draw `value`, a column, against the size that a sweep varies, if it was measured."""
    shapes = set(SWEEPS[name])
    rows = [row for row in _latest(group, value) if _shape(row) in shapes]
    if len({_shape(row) for row in rows}) < 3:
        return
    column, symbol = AXES[name]
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for number, label in enumerate(PLOTTED):
        points = sorted((row[column], float(row[value])) for row in rows if _label(row) == label)
        if len(points) > 2:
            axes.plot(
                *zip(*points, strict=True), marker="o", markersize=3, c=COLOURS[number], label=label
            )
    if value == "p50_ms":
        for limit, style in LIMITS.items():
            points = sorted({(row[column], float(row[f"{limit}_limit_ms"])) for row in rows})
            label = f"limit: {limit}"
            axes.plot(*zip(*points, strict=True), linestyle=style, color="0.5", label=label)
    first = rows[0]
    fixed = ", ".join(
        f"{s} {first[size]}" for size, s in zip(SIZES, "BIOK", strict=True) if s not in symbol
    )
    axes.set(xscale="log", yscale="log", xlabel=symbol, ylabel=UNITS[value])
    axes.set_xscale("log", base=2)
    axes.set_title(
        f"{first['mode']}, {fixed}; {first['device']}, {first['threads']} thread(s)", fontsize=10
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def plot_roofline(group: pd.DataFrame, path: Path) -> None:
    """Draw the rate of every layer at the listed shapes against the roofs of a dense method.

    The rate is that of the products which a dense method would compute, in units of the machine's
    matmul rate; intensity is those products over the unavoidable traffic, in units of the machine's
    balance. No dense method comes above 1; a lookup may.
    """
    listed = {shape for shapes in SHAPES.values() for shape in shapes}
    plotted = PLOTTED[1:]  # a linear layer has no K products per edge
    rows = [r for r in _latest(group, "p50_ms") if _shape(r) in listed and _label(r) in plotted]
    if len({_shape(row) for row in rows}) < 3:
        return
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for number, label in enumerate(plotted, 1):
        points = [
            (dense / float(row["memory_limit_ms"]), dense / float(row["p50_ms"]))
            for row in rows
            if _label(row) == label
            for dense in [float(row["dense_limit_ms"])]
        ]
        if points:
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, s=18, color=COLOURS[number], label=label)
    low, high = axes.get_xlim()
    ends = [min(low, 0.3), max(high, 10.0)]
    roof = [ends[0], 1.0, ends[1]]
    axes.plot(
        roof, [min(1.0, end) for end in roof], "--", color="0.5", label="roof of dense methods"
    )
    axes.set(
        xscale="log", yscale="log",
        xlabel="dense products per byte, ÷ the machine's balance",
        ylabel="dense products per second, ÷ matmul rate",
    )  # fmt: skip
    first = rows[0]
    kind = f"{first['mode']}, {first['precision']}"
    axes.set_title(f"{kind}; {first['device']}, {first['threads']} thread(s)", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _latest(group: pd.DataFrame, value: str) -> list[dict[str, Any]]:
    """Return rows that have a value, the last of each case and competitor."""
    measured = group[group[value] != ""]
    measured = measured.drop_duplicates([*SIZES, "competitor", "parameterization"], keep="last")
    rows: list[dict[str, Any]] = measured.to_dict("records")
    return rows


def _markdown(header: list[str], body: list[list[str]]) -> list[str]:
    rows = [header, ["---"] * len(header), *body]
    return [*("| " + " | ".join(row) + " |" for row in rows), ""]


def _label(row: dict[str, Any]) -> str:
    variant = row["parameterization"]
    return f"{row['competitor']} {variant}" if variant else str(row["competitor"])


def _shape(row: dict[str, Any]) -> Sizes:
    return Sizes(*(int(row[size]) for size in SIZES))


def _swept() -> set[Sizes]:
    listed = {shape for shapes in SHAPES.values() for shape in shapes}
    return {shape for shapes in SWEEPS.values() for shape in shapes} - listed


def _slug(setting: tuple[Any, ...]) -> str:
    text = "-".join(map(str, setting)).lower()
    return "".join(c if c.isalnum() else "-" for c in text)
