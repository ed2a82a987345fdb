from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import kanditioned
from kanditioned.plot import importance, plot_edges, plot_layer, plot_network
from kanditioned_spec import InputMap, reference
from kanditioned_spec.grid import Grid
from kanditioned_spec.input_map import input_map_of


@pytest.fixture
def points() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((3, 8, 2))


def titles(figure: Any) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def test_curves_pass_through_the_control_points_in_input_units(points: Any) -> None:
    (axes,) = plot_edges(points, 3.0, [(1, 0)]).axes
    curve = max((line.get_xydata() for line in axes.lines), key=len)
    np.testing.assert_allclose(curve, np.stack([Grid(8, 3.0).knots(), points[1, :, 0]], 1))


def test_the_axis_can_be_that_of_unscaled_inputs(points: Any) -> None:
    scale = np.array([2.0, 3.0, 4.0])
    (axes,) = plot_edges(points, 3.0, [(1, 0)], input_scale=scale, input_offset=5.0).axes
    curve = max((line.get_xydata() for line in axes.lines), key=len)
    np.testing.assert_allclose(curve[:, 0], 5 + 3 * Grid(8, 3.0).knots())


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
    home = getattr(kanditioned, backend)
    layer = home.KANLayer(2, 2, num_control_points=8, **SEEDED[backend])
    path = tmp_path / "layer.svg"
    assert len(plot_layer(layer, path=path).axes) == 4
    assert b"<svg" in path.read_bytes()


BACKENDS = ("torch", "jax")
SEEDED: dict[str, dict[str, Any]] = {"torch": {}, "jax": {"key": 0}}


def network(backend: str, widths: list[int], **options: Any) -> Any:
    pytest.importorskip(f"kanditioned_{backend}", reason=f"the {backend} backend is not installed")
    if backend == "torch":
        import torch

        torch.manual_seed(0)
    options |= SEEDED[backend]
    return getattr(kanditioned, backend).KAN(widths, norm="none", num_control_points=8, **options)


def curves(figure: Any) -> list[Any]:
    """Return the curve of every edge of a diagram, (N, 2), layer by layer."""
    return [panel.lines[0].get_xydata() for panel in figure.axes[0].child_axes]


def opacities(figure: Any) -> list[float]:
    return [panel.lines[0].get_alpha() for panel in figure.axes[0].child_axes]


class TestNetworks:
    """Diagrams of whole networks."""

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_curves_are_those_of_the_edges_where_their_inputs_lie(self, backend: str) -> None:
        model = network(backend, [2, 3, 1])
        x = np.random.default_rng(0).uniform(0.1, 0.2, (200, 2))
        drawn = curves(plot_network(model, x, max_edges=6))
        assert len(drawn) == 6 + 3
        points = np.array(model.layers[0].control_points().tolist())
        for curve, (i, o) in zip(drawn, np.ndindex(2, 3), strict=False):
            assert 0.1 <= curve[0, 0] < 0.11
            assert 0.19 < curve[-1, 0] <= 0.2
            want = np.interp(curve[:, 0], Grid(8, 4.0).knots(), points[i, :, o])
            np.testing.assert_allclose(curve[:, 1], want, atol=1e-6)
        hidden = reference.forward(x, points, 4.0)
        ends = np.quantile(hidden, [0.005, 0.995], axis=0).T
        np.testing.assert_allclose([curve[[0, -1], 0] for curve in drawn[6:]], ends, atol=1e-5)

    def test_without_data_the_domain_is_drawn(self) -> None:
        for curve in curves(network("torch", [3, 2], spline_width=3.0).plot()):
            np.testing.assert_allclose(curve[:, 0], Grid(8, 3.0).knots())

    def test_edges_fade_by_importance_and_idle_ones_go(self) -> None:
        import torch

        model = network("torch", [3, 2])
        with torch.no_grad():
            line = torch.linspace(-1, 1, 8)
            for index, factor in enumerate((1.0, 0.5, 0.1, 0.02, 0.005, 0.0)):
                model.layers[0].theta[index // 2, :, index % 2] = factor * line
        figure = plot_network(model)
        faintest, slope = 0.2, 0.8
        want = [faintest + slope * share for share in (1.0, 0.5, 0.1, 0.02)]
        np.testing.assert_allclose(opacities(figure), want, rtol=1e-5)
        assert [text.get_text() for text in figure.axes[0].texts] == [
            "4 of\n6 edges", "$x_{0}$", "$x_{1}$", "$y_{0}$", "$y_{1}$"
        ]  # fmt: skip

    def test_importance_is_that_of_the_model(self) -> None:
        model = network("torch", [3, 4, 2])
        x = np.random.default_rng(0).standard_normal((300, 3)).astype(np.float32)
        import torch

        from kanditioned_torch import importance

        scores = [found.numpy() for found in importance(model, torch.from_numpy(x))]
        shares = np.concatenate([(s / s.max()).ravel() for s in scores])
        got = (np.array(opacities(plot_network(model, x))) - 0.2) / 0.8
        np.testing.assert_allclose(got, shares[shares >= 0.01], atol=1e-5)

    def test_the_strongest_edges_are_drawn_up_to_a_limit(self) -> None:
        model = network("torch", [40, 30, 1])
        figure = plot_network(model, max_edges=5)
        assert len(curves(figure)) == 10
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert texts[:2] == ["5 of\n1200 edges", "5 of\n30 edges"]
        assert sum(text.startswith("$x_") for text in texts) <= 5

    def test_a_network_without_any_effect_is_drawn_without_edges(self) -> None:
        assert curves(plot_network(network("torch", [3, 2], init="zero"))) == []
        assert curves(plot_network(network("torch", [3, 2]), np.ones((10, 3)))) == []

    def test_names_normalisation_and_a_file(self, tmp_path: Path) -> None:
        pytest.importorskip("kanditioned_torch")
        model, path = kanditioned.torch.KAN([4, 3, 2]), tmp_path / "network.svg"
        names = [f"{index}, a name that is longer than the room for it" for index in range(4)]
        x = np.random.default_rng(0).standard_normal((5, 20, 4))
        figure = plot_network(model, x, input_names=names, output_names="ab", path=path)
        labels = figure.axes[0].texts
        assert [label.get_text() for label in labels] == [*names, "a", "b"]
        assert [label.get_rotation() for label in labels] == [35] * 4 + [0] * 2
        assert b"<svg" in path.read_bytes()

    def test_a_double_network_of_jax_is_run_in_double(self) -> None:
        jax = pytest.importorskip("jax")
        with jax.enable_x64(True):
            model = network("jax", [2, 2], dtype="float64")
        figure = model.plot(np.random.default_rng(0).standard_normal((50, 2)))
        assert len(curves(figure)) == 4

    def test_what_is_refused(self) -> None:
        model = network("torch", [3, 2])
        for arguments, message in (
            ({"max_edges": 0}, r"max_edges=...\)` must be an integer >= 1"),
            ({"input_names": ["a"]}, r"input_names=...\)` must be 3 names, got 1"),
            ({"data": np.zeros((5, 2))}, r"data=...\)` must be of shape \(\.\.\., 3\)"),
        ):
            with pytest.raises(ValueError, match=rf"`plot_network\({message}"):
                plot_network(model, **arguments)
        stranger = SimpleNamespace(layers=model.layers)
        assert len(curves(plot_network(stranger))) == 6
        with pytest.raises(TypeError, match=r"model=...\)` must be a network of PyTorch or JAX"):
            plot_network(stranger, np.zeros((5, 3)))


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
        ({"edges": [(3, 0)]}, 'must be "all", or pairs'),
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


@pytest.mark.parametrize("package", ["kanditioned_spec", "kanditioned_torch", "kanditioned_jax"])
def test_the_input_map_of_any_package_gives_its_numbers(package: str) -> None:
    numbers = InputMap.standardise(np.random.default_rng(0).normal(size=(50, 2)))
    module = pytest.importorskip(package, reason=f"{package} is not installed")
    given = numbers if package == "kanditioned_spec" else module.InputMap(numbers)
    found = input_map_of("plot_edges", given, 2)
    assert found is not None
    np.testing.assert_array_equal(found.breakpoints, numbers.breakpoints)
