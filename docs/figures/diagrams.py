"""How each backend works, as boxes and arrows, and the arrows between the packages."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from style import COLOURS, MUTED, figure, save

FILLS = {"data": "#eef3f8", "work": "#ffffff", "memory": "#f6efe4"}
"""Arrays, computation, and what stays in registers or cache."""


class Box(NamedTuple):
    """A box: centre, size, text and kind of fill."""

    x: float
    y: float
    text: str
    kind: str = "work"
    width: float = 2.0
    height: float = 0.8


Diagram = tuple[dict[str, Box], tuple[tuple[str, str], ...]]

DIAGRAMS: dict[str, Diagram] = {
    "backend-reference": (
        {
            "x": Box(1, 2, "x  (B, I)", "data"),
            "c": Box(1, 0.6, "c  (I, K, O)", "data"),
            "locate": Box(4, 2, "locate\nl, t  float64"),
            "gather": Box(4, 0.6, "rows l, l + 1\nof feature i"),
            "sum": Box(7, 1.3, "y += c_l + t Δ_l\none feature at a time", width=2.6),
            "y": Box(10, 1.3, "y  (B, O)", "data"),
        },
        (("x", "locate"), ("c", "gather"), ("locate", "gather"), ("locate", "sum"),
         ("gather", "sum"), ("sum", "y")),
    ),
    "backend-torch": (
        {
            "theta": Box(1, 3.4, "θ  (I, P, O)", "data"),
            "map": Box(4, 3.4, "T along knots\nmap_of(spec)"),
            "c": Box(7, 3.4, "c  (I, K, O)", "data"),
            "x": Box(1, 1.9, "x  (..., I)", "data"),
            "autograd": Box(4, 1.9, "autograd\nfour functions"),
            "choice": Box(7, 1.9, "selection\nimpl=, device, K"),
            "stock": Box(10.2, 3.4, "stock operations\nembedding_bag, dense, …", width=2.8),
            "cpu": Box(10.2, 1.9, "kanditioned_cpu\ntorch.library ops", width=2.8),
            "triton": Box(10.2, 0.4, "kanditioned_triton\ntorch.library ops", width=2.8),
        },
        (("theta", "map"), ("map", "c"), ("x", "autograd"), ("c", "autograd"),
         ("autograd", "choice"), ("choice", "stock"), ("choice", "cpu"), ("choice", "triton")),
    ),
    "backend-cpu": (
        {
            "x": Box(1, 3.2, "tile of x", "data"),
            "place": Box(4, 3.2, "interval, weight\nper feature"),
            "c": Box(1, 1.9, "control points of\na feature group", "memory"),
            "gather": Box(4, 1.9, "gather two rows\noutputs along lanes"),
            "y": Box(7.2, 1.9, "sums of y\nin registers", "memory"),
            "sort": Box(7.2, 3.2, "count and sort rows\nby interval", width=2.2),
            "bucket": Box(10.4, 3.2, "per bucket: Σ gy, Σ w gy\nand gy · Δ_l", width=2.6),
            "grads": Box(10.4, 1.9, "two rows of gc,\ngx of the bucket", "data", 2.6),
        },
        (("x", "place"), ("place", "gather"), ("c", "gather"), ("gather", "y"),
         ("place", "sort"), ("sort", "bucket"), ("bucket", "grads")),
    ),
    "backend-triton": (
        {
            "x": Box(1, 3.2, "tile of x\n(BLOCK_B, features)", "data", 2.3),
            "phi": Box(4.3, 3.2, "Φ made in registers\ngroups of 8 knots", "memory", 2.3),
            "c": Box(1, 1.9, "tile of c\n(knots, BLOCK_O)", "data", 2.3),
            "dot": Box(7.6, 2.55, "tl.dot\naccumulate float32"),
            "share": Box(10.6, 3.2, "shares of a sum\nadded in fixed order", width=2.4),
            "y": Box(10.6, 1.9, "y, gc or gx", "data"),
            "lookup": Box(4.3, 0.6, "large K: read rows l, l + 1", width=2.9),
            "bucket": Box(7.9, 0.6, "large K, gradient of c:\nbatch sorted first", width=2.7),
        },
        (("x", "phi"), ("phi", "dot"), ("c", "dot"), ("dot", "share"), ("dot", "y"),
         ("share", "y"), ("lookup", "y"), ("bucket", "y")),
    ),
    "backend-jax": (
        {
            "x": Box(1, 2.6, "x, v, c, gy", "data"),
            "primitive": Box(4.2, 2.6, "one primitive\noutput = the open role", width=2.5),
            "forward": Box(4.2, 1.2, "forward mode:\ntangent for operand", width=2.5),
            "transpose": Box(4.2, 4.0, "transposition:\nswap roles", width=2.5),
            "choice": Box(7.6, 2.6, "selection\nimpl=, device, K"),
            "lookup": Box(10.6, 4.0, "lookup"),
            "dense": Box(10.6, 2.6, "dense"),
            "pallas": Box(10.6, 1.2, "pallas"),
        },
        (("x", "primitive"), ("primitive", "forward"), ("forward", "primitive"),
         ("primitive", "transpose"), ("transpose", "primitive"), ("primitive", "choice"),
         ("choice", "lookup"), ("choice", "dense"), ("choice", "pallas")),
    ),
    "architecture": (
        {
            "face": Box(5.5, 5.2, "kanditioned\nchoice of backend, plots, estimators", width=5),
            "triton": Box(1.2, 3.6, "kanditioned_triton", "work", 2.3),
            "torch": Box(4.2, 3.6, "kanditioned_torch", "work", 2.3),
            "cpu": Box(7.2, 3.6, "kanditioned_cpu", "work", 2.3),
            "jax": Box(10.2, 3.6, "kanditioned_jax", "work", 2.3),
            "spec": Box(5.5, 1.6, "kanditioned_spec\nreference, bounds, files", "data", 5),
            "kit": Box(11.2, 1.6, "kanditioned_conformance\nany backend", "memory", 3),
        },
        (("face", "torch"), ("face", "jax"), ("triton", "torch"), ("cpu", "torch"),
         ("triton", "spec"), ("torch", "spec"), ("cpu", "spec"), ("jax", "spec"), ("kit", "spec")),
    ),
}  # fmt: skip


def draw(axes: Axes, boxes: dict[str, Box], arrows: tuple[tuple[str, str], ...]) -> None:
    """Draw boxes, and arrows from edge to edge."""
    patches = {}
    for name, box in boxes.items():
        patch = FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=FILLS[box.kind],
            edgecolor=COLOURS[0],
            linewidth=0.8,
            zorder=2,
        )
        axes.add_patch(patch)
        axes.text(box.x, box.y, box.text, ha="center", va="center", fontsize=7.5, zorder=3)
        patches[name] = patch
    for start, end in arrows:
        a, b = boxes[start], boxes[end]
        back = (end, start) in arrows
        shift = 0.25 if back and start < end else -0.25 if back else 0.0
        arrow = FancyArrowPatch(
            (a.x + shift, a.y),
            (b.x + shift, b.y),
            patchA=patches[start],
            patchB=patches[end],
            arrowstyle="-|>",
            mutation_scale=9,
            linewidth=0.8,
            color=MUTED,
            zorder=1,
        )
        axes.add_patch(arrow)
    right = max(box.x + box.width / 2 for box in boxes.values())
    left = min(box.x - box.width / 2 for box in boxes.values())
    top = max(box.y + box.height / 2 for box in boxes.values())
    bottom = min(box.y - box.height / 2 for box in boxes.values())
    axes.set(xlim=(left - 0.1, right + 0.1), ylim=(bottom - 0.1, top + 0.1), aspect="equal")
    axes.axis("off")


def main() -> None:
    """Draw every diagram."""
    for name, (boxes, arrows) in DIAGRAMS.items():
        top = max(box.y for box in boxes.values()) - min(box.y for box in boxes.values()) + 1
        drawing = figure(7.4, 0.62 * top)
        draw(drawing.subplots(), boxes, arrows)
        save(drawing, name)


if __name__ == "__main__":
    main()
