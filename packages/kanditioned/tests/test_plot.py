from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned.plot import importance, plot_edges, plot_layer
from kanditioned_spec.grid import knots


@pytest.fixture
def points() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((3, 8, 2))


def titles(figure: Any) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def test_curves_pass_through_the_control_points_in_input_units(points: Any) -> None:
    (axes,) = plot_edges(points, 3.0, [(1, 0)]).axes
    curve = max((line.get_xydata() for line in axes.lines), key=len)
    np.testing.assert_allclose(curve, np.stack([knots(8, 3.0), points[1, :, 0]], 1))


def test_the_axis_can_be_that_of_unscaled_inputs(points: Any) -> None:
    scale = np.array([2.0, 3.0, 4.0])
    (axes,) = plot_edges(points, 3.0, [(1, 0)], input_scale=scale, input_offset=5.0).axes
    curve = max((line.get_xydata() for line in axes.lines), key=len)
    np.testing.assert_allclose(curve[:, 0], 5 + 3 * knots(8, 3.0))


def test_the_edges_that_matter_most_come_first(points: Any) -> None:
    points[2, :, 1] *= 100
    points[0, :, 0] *= 10
    figure = plot_edges(points, 4.0, max_panels=2)
    assert titles(figure) == ["$x_{2}$ → $y_{1}$", "$x_{0}$ → $y_{0}$"]
    assert figure.get_suptitle() == "the largest 2 of 6 edges"


def test_importance_is_that_of_the_data(points: Any) -> None:
    data = np.random.default_rng(1).standard_normal((1000, 3))
    data[:, 2] = 0.5
    found = importance(points, 4.0, data)
    assert np.all(found[2] < 1e-12 * found[:2].min())
    assert np.all(found[:2] > 0)


def test_all_edges_are_drawn_as_a_grid_up_to_a_limit() -> None:
    assert len(plot_edges(np.zeros((3, 4, 2)), 4.0, "all").axes) == 6
    large = plot_edges(np.zeros((30, 4, 1)), 4.0, "all")
    assert len(large.axes) == 10
    assert large.get_suptitle() == "the first 10 of 30 edges"


def test_data_of_any_leading_shape_is_drawn_behind(points: Any) -> None:
    data = np.random.default_rng(1).standard_normal((5, 20, 3))
    data[0, 0, 0] = np.nan
    figure = plot_edges(points, 4.0, data=data, centre=True)
    assert all(axes.patches for axes in figure.axes)
    assert not any(axes.patches for axes in plot_edges(points, 4.0, data=data[:0]).axes)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_layers_of_every_backend_are_drawn(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(f"kanditioned_{backend}", reason=f"the {backend} backend is not installed")
    from kanditioned import KANLayer

    layer = KANLayer(2, 2, num_control_points=8, backend=backend, seed=0)
    path = tmp_path / "layer.svg"
    assert len(plot_layer(layer, path=path).axes) == 4
    assert b"<svg" in path.read_bytes()


def test_pyplot_is_never_imported() -> None:
    script = (
        "import sys, numpy, kanditioned.plot as plot\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plot.plot_edges(numpy.zeros((1, 2, 1)), 4.0)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": [(3, 0)]}, "must be pairs"),
        ({"max_panels": 0}, "must be an integer >= 1"),
        ({"input_names": ["a"]}, "must be 3 names, got 1"),
        ({"data": np.zeros((5, 2))}, r"must be of shape \(\.\.\., 3\)"),
        ({"control_points": np.zeros((5, 2))}, "must be of shape"),
        ({"spline_width": 0.0}, "must be a finite number > 0"),
    ],
)
def test_bad_arguments_are_named(points: Any, arguments: dict[str, Any], message: str) -> None:
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=rf"`plot_edges\({name}=...\)` {message}"):
        plot_edges(**{"control_points": points, "spline_width": 4.0, **arguments})
