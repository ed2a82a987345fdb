"""Who is measured, as data: where each comes from and how a layer of a given shape is built.

Basis functions are matched: K per edge, on [-w/2, w/2]. A cubic spline has K of them on K - 3
intervals, a linear one on K - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .cases import Case

PENALISED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bspline", {}),
    ("prefix_sum", {}),
    ("dct", {}),
    ("demmler_reinsch", {"smoothing": 1e-3, "density": "normal"}),
)
"""Parameterizations of the mode `train_penalty`."""


@dataclass(frozen=True)
class Competitor:
    """A layer to be timed.

    Attributes:
        name: How results call it.
        module: Module that provides it, `benchmarks.speed.baselines` for the floors.
        arguments: Constructor arguments for a case.
        attribute: The class in `module`.
        framework: `"torch"`, `"jax"` for pytrees or `"nnx"` for Flax modules.
        compiled: Whether it runs under `torch.compile`; JAX is always compiled.
        ours: Whether no speed may be reported before its values and gradients are correct.
        requirements: What to install for it, without dependencies, into a folder of its own.
        source: A path in the folder given for it, where it is not on PyPI.
        bytes_per_edge: Temporaries per batch · in · out, to leave out what cannot fit.
        devices: Where it runs.
    """

    name: str
    module: str
    arguments: Callable[[Case], dict[str, Any]]
    attribute: str = "KANLayer"
    framework: str = "torch"
    compiled: bool = False
    ours: bool = False
    requirements: tuple[str, ...] = ()
    source: str = ""
    bytes_per_edge: float = 0.0
    devices: tuple[str, ...] = field(default=("cpu", "cuda"))

    @property
    def label(self) -> str:
        """Name and mode of execution."""
        return f"{self.name}, compiled" if self.compiled else self.name

    @property
    def folder(self) -> str:
        """Name of the folder that `environments` installs it into, empty if it needs none."""
        return (self.requirements or (self.source.partition("/")[0],))[0]


def _sizes(case: Case) -> dict[str, Any]:
    return {"in_features": case.shape.in_features, "out_features": case.shape.out_features}


def _ours(**options: Any) -> Callable[[Case], dict[str, Any]]:
    def arguments(case: Case) -> dict[str, Any]:
        count = case.shape.num_control_points
        common = {"num_control_points": count, "spline_width": case.spline_width}
        return {**_sizes(case), **common, **options}

    return arguments


def _splines(
    degree: int, names: tuple[str, str, str], **options: Any
) -> Callable[[Case], dict[str, Any]]:
    """Return arguments of a layer that counts grid intervals: names of inputs, outputs, grid."""

    def arguments(case: Case) -> dict[str, Any]:
        half = case.spline_width / 2
        sizes = (*case.shape[1:3], max(1, case.shape.num_control_points - degree))
        return {**dict(zip(names, sizes, strict=True)), "grid_range": [-half, half], **options}

    return arguments


def _fast_kan(case: Case) -> dict[str, Any]:
    half = case.spline_width / 2
    _, inputs, outputs, count = case.shape
    grid = {"grid_min": -half, "grid_max": half, "num_grids": count}
    return {"input_dim": inputs, "output_dim": outputs, **grid, "use_layernorm": False}


STOCK = (
    "embedding",
    "strided",
    "presorted",
    "embedding_bag",
    "interleaved",
    "sorted",
    "sparse_csr",
    "dense",
)
_GRID_SIZE = ("in_features", "out_features", "grid_size")


def _both(*arguments: Any, **options: Any) -> tuple[Competitor, Competitor]:
    eager = Competitor(*arguments, **options)
    return eager, replace(eager, compiled=True)


def _torch_impl(impl: str, **options: Any) -> tuple[Competitor, Competitor]:
    return _both(f"torch {impl}", "kanditioned_torch", _ours(impl=impl), ours=True, **options)


OURS = (
    *_torch_impl("auto"),
    *(competitor for impl in STOCK for competitor in _torch_impl(impl)),
    *_both(
        "torch embedding_bag feature-major",
        "benchmarks.speed.baselines",
        _ours(impl="embedding_bag"),
        attribute="FeatureMajor",
        ours=True,
    ),
    *_torch_impl("cpu", devices=("cpu",)),
    *_torch_impl("triton", devices=("cuda",)),
    *(
        Competitor(
            f"jax {impl}",
            "kanditioned_jax",
            _ours(impl=impl, key=0),
            framework="jax",
            ours=True,
            devices=("cuda",) if impl == "pallas" else ("cpu", "cuda"),
        )
        for impl in ("auto", "lookup", "dense", "pallas")
    ),
)
RELEASED = tuple(
    competitor
    for impl, size in (("embedding", 40.0), ("embedding_bag", 0.0))
    for competitor in _both(
        f"kanditioned 1.0.3 {impl}",
        "KANditioned.kan_layer",
        _ours(init="random_normal", impl=impl),
        requirements=("kanditioned==1.0.3",),
        bytes_per_edge=size,
    )
)
OTHERS = (
    Competitor(
        "kanditioned 1.0.4 default",
        "KANditioned.kan_layer",
        _ours(init="random_normal"),
        requirements=("kanditioned==1.0.4",),
    ),
    *_both(
        "flashkan",
        "flashkan",
        _splines(3, _GRID_SIZE),
        requirements=("flashkan==0.2.0",),
    ),
    *_both("inkan", "inkan", _splines(3, _GRID_SIZE), requirements=("inkan==0.5.2",)),
    Competitor(
        "pykan",
        "kan.KANLayer",
        _splines(3, ("in_dim", "out_dim", "num"), save_plot_data=False),
        requirements=("pykan==0.2.8", "pyyaml", "pandas", "tqdm", "sympy", "mpmath"),
        bytes_per_edge=80.0,
        devices=("cpu",),
    ),
    Competitor(
        "jaxkan",
        "jaxkan.layers",
        _splines(3, ("n_in", "n_out", "G")),
        attribute="SplineLayer",
        framework="nnx",
        requirements=("jaxkan==0.3.7",),
        bytes_per_edge=8.0,
    ),
    *_both(
        "efficient-kan linear",
        "efficient_kan.kan",
        _splines(1, _GRID_SIZE, spline_order=1),
        attribute="KANLinear",
        source="efficient-kan/src",
    ),
    *_both("fast-kan", "fastkan.fastkan", _fast_kan, attribute="FastKANLayer", source="fast-kan"),
)
FLOORS = (
    *_both("nn.Linear", "torch.nn", _sizes, attribute="Linear"),
    *_both(
        "equal-parameter matmul", "benchmarks.speed.baselines", _ours(), attribute="ExpandedMatmul"
    ),
)
COMPETITORS = (*FLOORS, *OURS, *RELEASED, *OTHERS)
