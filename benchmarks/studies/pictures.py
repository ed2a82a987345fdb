"""Tables and plots of the studies' results: `python -m benchmarks.studies.pictures`.

Writes `results/studies.md` and `results/plots/*.png`. A study without results is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from ..results import FOLDER

PLOTS = FOLDER / "plots"
CHOSEN_BY = [
    "function",
    "intervals",
    "seed",
    "parameterization",
    "learning_rate",
    "schedule",
    "steps",
    "warm_up",
]


def conditions(rows: pd.DataFrame) -> list[str]:
    """Return a table per part, and draw condition against K at the middle λ."""
    lines = ["## Condition numbers of one layer", ""]
    for (part, density), group in rows.groupby(["part", "density"]):
        lines += [f"### {part} {density}".rstrip(), ""]
        lines += _pivot(group, ["smoothing", "name"] if part == "joint" else ["name"], "condition")
    joint = rows[(rows["part"] == "joint") & (rows["density"] == "uniform")]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    count, smoothing = joint["count"].max(), 1.0
    _curves(axes[0], joint[joint["smoothing"] == smoothing], "count", "condition", "name")
    axes[0].set(xlabel="control points K", ylabel="condition", title=f"λ = {smoothing:g}")
    _curves(axes[1], joint[joint["count"] == count], "smoothing", "condition", "name")
    axes[1].set(xlabel="λ", title=f"K = {count}")
    figure.savefig(PLOTS / "conditions.png", dpi=130)
    return lines


def convergence(rows: pd.DataFrame) -> list[str]:
    """Return the fewest iterations over learning rates, a column per optimizer."""
    rows = rows.assign(iterations=pd.to_numeric(rows["iterations"], errors="coerce"))
    keys = ["density", "count", "smoothing", "name", "optimizer"]
    best = rows.groupby(keys, as_index=False)["iterations"].min()
    text = best["iterations"].map(lambda n: "never" if pd.isna(n) else f"{n:.0f}")
    best = best.assign(iterations=text)
    lines = ["## Iterations to within 1e-4 of the optimum, best learning rate", ""]
    return lines + _by_density(best, "iterations")


def durations(rows: pd.DataFrame) -> list[str]:
    """Return milliseconds to the optimum, a column per optimizer."""
    lines = ["## Milliseconds to within 1e-4 of the optimum", ""]
    return lines + _by_density(rows, "milliseconds")


def _by_density(rows: pd.DataFrame, value: str) -> list[str]:
    lines: list[str] = []
    for density, group in rows.groupby("density"):
        lines += [f"Inputs: {density}", ""]
        lines += _pivot(group, ["count", "smoothing", "name"], value, "optimizer")
    return lines


def functions(rows: pd.DataFrame) -> list[str]:
    """Return the test error where the validation error is lowest, median over seeds."""
    best = rows.loc[rows.groupby(CHOSEN_BY)["validation"].idxmin()]
    settings = [name for name in CHOSEN_BY if name not in ("function", "intervals", "seed")]
    keys = ["function", *settings, "intervals"]
    summary = best.groupby(keys).agg(
        median=("test", "median"), lowest=("test", "min"), highest=("test", "max"),
        seeds=("seed", "nunique"),
    )  # fmt: skip
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    lines = summary.reset_index()
    start = lines["warm_up"].map(lambda n: f", from {n} intervals" if n else "")
    rate = ", rate " + lines["learning_rate"].map("{:g}".format) + " " + lines["schedule"]
    lines = lines.assign(label=lines["function"] + start + rate)
    _curves(axes, lines, "intervals", "median", "label")
    axes.set(xlabel="intervals G", ylabel="relative L2 error", title="[2, 8, 8, 1]")
    figure.savefig(PLOTS / "functions.png", dpi=130)
    return ["## [2, 8, 8, 1], smoothing chosen on validation data", "", *_table(summary)]


def slope(rows: pd.DataFrame) -> list[str]:
    """Return the error of each seed; plot those with most points, with a line of slope -2."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    setting = [
        "function",
        "parameterization",
        "points",
        "hidden_width",
        "smoothing",
        "iterations",
        "seed",
    ]
    shown = rows[rows["points"] == rows["points"].max()]
    labels = shown["function"] + ", seed " + shown["seed"].astype(str)
    _curves(axes, shown.assign(label=labels), "intervals", "test", "label")
    first = shown.groupby("intervals")["test"].median()
    axes.loglog(first.index, first.iloc[1] * (first.index / first.index[1]) ** -2.0, "--", c="0.6")
    axes.set(xlabel="intervals G", ylabel="relative L2 error", title="[2, 1, 1], dashed: slope -2")
    figure.savefig(PLOTS / "slope.png", dpi=130)
    lines = ["## [2, 1, 1], refined", ""]
    return lines + _pivot(rows, setting, "test", "intervals")


def tabular(rows: pd.DataFrame) -> list[str]:
    """Return score ± spread over folds, a column per data set."""
    text = rows["score"].map("{:.3f}".format) + " ± " + rows["spread"].map("{:.3f}".format)
    lines = ["## Real data, five-fold cross-validation (accuracy, or R²)", ""]
    return lines + _pivot(rows.assign(text=text), ["model"], "text", "data")


def deep(rows: pd.DataFrame) -> list[str]:
    """Return objective and test error at the learning rate with the lowest validation error."""
    keys = ["optimizer", "steps", "function", "warm_up", "count", "smoothing"]
    errors = ["objective", "validation", "test"]
    rows = rows.assign(**rows[errors].apply(pd.to_numeric, errors="coerce"))  # some diverged
    ranked = rows.sort_values("validation", na_position="last")
    best = ranked.drop_duplicates([*keys, "name", "seed"])
    groups = best.groupby([*keys, "name"])
    medians = groups[["objective", "test"]].median().assign(seeds=groups["seed"].nunique())
    medians = medians.reset_index()
    lines = ["## Deep networks per parameterization, median over seeds", ""]
    for value in ("objective", "test", "seeds"):
        lines += [f"{value}:", "", *_pivot(medians, keys, value, "name")]
    return lines


def thousand(rows: pd.DataFrame) -> list[str]:
    """Return the gap to the optimum and the error, a column per number of iterations."""
    count, smoothing = rows["count"].iloc[0], rows["smoothing"].iloc[0]
    lines = [f"## One spline, K = {count}, λ = {smoothing:g}, Adam", ""]
    for value in ("gap", "error"):
        lines += [f"{value}:", "", *_pivot(rows, ["name", "learning_rate"], value, "iterations")]
    return lines


SECTIONS: dict[str, Callable[[pd.DataFrame], list[str]]] = {
    "conditions": conditions,
    "convergence": convergence,
    "durations": durations,
    "thousand": thousand,
    "functions": functions,
    "slope": slope,
    "deep": deep,
    "tabular": tabular,
}


def _pivot(rows: pd.DataFrame, index: list[str], values: str, columns: str = "count") -> list[str]:
    return _table(rows.pivot_table(index=index, columns=columns, values=values, aggfunc="first"))


def _table(frame: pd.DataFrame) -> list[str]:
    frame = frame.reset_index()
    header = "| " + " | ".join(map(str, frame.columns)) + " |"
    rule = "|" + " --- |" * len(frame.columns)
    body = ["| " + " | ".join(map(_text, row)) + " |" for row in frame.itertuples(index=False)]
    return [header, rule, *body, ""]


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3g}"
    return str(value)


def _curves(axes: Axes, rows: pd.DataFrame, x: str, y: str, label: str) -> None:
    for number, (name, group) in enumerate(rows.groupby(label)):
        ordered = group.sort_values(x)
        width = max(1.5, 5 - number)  # so that of two curves in one place both are seen
        axes.loglog(
            ordered[x], ordered[y], marker="o", markersize=3, linewidth=width, label=str(name)
        )
    axes.legend(fontsize=7)


def main() -> None:
    """Write every section whose results exist."""
    PLOTS.mkdir(parents=True, exist_ok=True)
    lines = ["# Studies", ""]
    for name, section in SECTIONS.items():
        path = FOLDER / f"{name}.csv"
        if path.exists():
            rows = pd.read_csv(path, keep_default_na=False)
            machine = rows[["device", "threads", "versions"]].drop_duplicates().to_dict("records")
            lines += section(rows)
            dates = f"{rows['date'].min()} to {rows['date'].max()}"
            lines += [f"{path.name}: {dates}; {'; '.join(map(str, machine))}", ""]
    (FOLDER / "studies.md").write_text("\n".join(lines), encoding="utf-8")
    print(f"wrote {FOLDER / 'studies.md'}")


if __name__ == "__main__":
    main()
