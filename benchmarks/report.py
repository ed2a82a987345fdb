"""Turn `results/*.csv` into tables (`results/report.md`) and plots (`results/plots`)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from .auto import MARGIN
from .cases import SHAPES, SWEEPS, Shape
from .results import FOLDER

SIZES = list(Shape._fields)
SETTING = ["device", "threads", "clock", "mode", "precision"]
FLOOR = "nn.Linear"
PLOTTED = (
    "nn.Linear",
    "equal-parameter matmul",
    "torch auto",
    "torch auto, compiled",
    "torch triton",
    "jax auto",
    "kanditioned 1.0.3 embedding_bag",
    "kanditioned 1.0.3 embedding, compiled",
    "efficient-kan linear, compiled",
    "inkan",
)
CHOOSING = ["framework", "execution", "kernels"]
"""What `auto` chooses within, as `results/auto.csv` has it."""


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
        for name in SWEEPS:
            plot_sweep(group, name, FOLDER / "plots" / f"{name}-{_slug(setting)}.png")
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
    cells: dict[tuple[str, Shape], str] = {}
    for row in group.to_dict("records"):
        shape = _shape(row)
        cells[_label(row), shape] = row["status"] + (f" ({row['error']})" if row["error"] else "")
    for shape, rows in timed.groupby(SIZES):
        medians = {_label(row): float(row["p50_ms"]) for row in rows.to_dict("records")}
        floor = medians.get(FLOOR)
        for label, median in medians.items():
            quotient = f" ({median / floor:.1f})" if floor else ""
            cells[label, Shape(*shape)] = f"{median:.3g}{quotient}"
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
        body.append([*kind, within, f"{worst['quotient']:.2f}", shape, str(worst["best"])])
    header = [*CHOOSING, "shapes", "mode", f"within {MARGIN:g}", "worst", "at", "best there"]
    return _markdown(header, body), int((latest["quotient"] > MARGIN).sum())


def plot_sweep(group: pd.DataFrame, name: str, path: Path) -> None:
    """Draw median time against the size that a sweep varies, if it was measured."""
    shapes = set(SWEEPS[name])
    timed = [
        row for row in group[group["p50_ms"] != ""].to_dict("records") if _shape(row) in shapes
    ]
    if len({_shape(row) for row in timed}) < 3:
        return
    import matplotlib.pyplot as plt

    column = {"K": "num_control_points", "B": "batch", "width": "in_features"}[name]
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for label in PLOTTED:
        points = sorted(
            (row[column], float(row["p50_ms"])) for row in timed if _label(row) == label
        )
        if points:
            axes.loglog(*zip(*points, strict=True), marker="o", markersize=3, label=label)
    for limit in ("dense_limit_ms", "memory_limit_ms"):
        points = sorted({(row[column], float(row[limit])) for row in timed})
        axes.loglog(*zip(*points, strict=True), "--", color="0.6", label=limit.replace("_ms", ""))
    first = timed[0]
    axes.set(xlabel=column, ylabel="ms", title=f"{first['mode']}, {first['device']}")
    axes.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _markdown(header: list[str], body: list[list[str]]) -> list[str]:
    rows = [header, ["---"] * len(header), *body]
    return [*("| " + " | ".join(row) + " |" for row in rows), ""]


def _label(row: dict[str, Any]) -> str:
    variant = row["parameterization"]
    return f"{row['competitor']} {variant}" if variant else str(row["competitor"])


def _shape(row: dict[str, Any]) -> Shape:
    return Shape(*(int(row[size]) for size in SIZES))


def _swept() -> set[Shape]:
    listed = {shape for shapes in SHAPES.values() for shape in shapes}
    return {shape for shapes in SWEEPS.values() for shape in shapes} - listed


def _slug(setting: tuple[Any, ...]) -> str:
    text = "-".join(map(str, setting)).lower()
    return "".join(c if c.isalnum() else "-" for c in text)
