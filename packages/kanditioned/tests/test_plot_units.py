"""Pictures of what stands behind an input map: their axes are in input units."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned.plot import plot_edges
from kanditioned_spec import InputMap
from kanditioned_spec.checkpoint import Layer, LayerConfig, Network, write_network

MINUTES = 1.7e9 + 60 * np.linspace(0, 59, 60)[:, None]
"""Times in seconds, of which float32 tells only every second one from the next."""


def mapped() -> tuple[InputMap, Network, Any]:
    """Return a network behind a map by quantiles, of one input, whose function is known."""
    knots = np.linspace(-2, 2, 9)
    skewed = np.exp(np.linspace(-3, 3, 500))[:, None]
    input_map = InputMap.quantiles(skewed, 9)
    stored = Layer.of(LayerConfig(1, 1, 9), np.sin(knots)[None, :, None])
    return input_map, Network([stored], "none", input_map=input_map), skewed


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_network_behind_a_map_is_drawn_over_input_units(name: str, tmp_path: Path) -> None:
    package = pytest.importorskip(f"kanditioned_{name}")
    _, stored, data = mapped()
    write_network(tmp_path / "model", stored)
    model = package.KAN.load(tmp_path / "model")
    for given in (None, data):
        (panel,) = model.plot(given).axes[0].child_axes
        x, y = panel.lines[-1].get_data()
        np.testing.assert_allclose(y, stored.forward(x[:, None])[:, 0], atol=1e-6)
        assert x[-1] > 10 * np.median(x)  # skewed, as the data are
        between = (x[1:] + x[:-1]) / 2  # the line on the paper is the function
        want = stored.forward(between[:, None])[:, 0]
        np.testing.assert_allclose((y[1:] + y[:-1]) / 2, want, atol=1e-6)


def test_edges_behind_a_map_are_drawn_over_input_units() -> None:
    input_map, stored, data = mapped()
    points = stored.layers[0].control_points()
    figure = plot_edges(points, 4.0, data=input_map(data), input_map=input_map)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    for line in lines:
        x, y = line.get_data()
        np.testing.assert_allclose(y, stored.forward(np.reshape(x, (-1, 1)))[:, 0], atol=1e-9)
    assert figure.axes[0].get_xlim()[1] > data.max()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"input_map": 3}, TypeError),
        ({"input_map": InputMap.affine([0.0, 0.0], 1.0)}, ValueError),
        ({"input_map": InputMap.affine(0.0, 1.0), "input_scale": 2.0}, ValueError),
    ],
)
def test_what_is_no_map_of_the_layer_is_refused(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`plot_edges\(input_map=...\)` must be"):
        plot_edges(np.ones((1, 3, 1)), 4.0, **options)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_times_keep_their_minutes_on_the_way_to_every_layer(name: str) -> None:
    package = pytest.importorskip(f"kanditioned_{name}")
    key = {"key": 0} if name == "jax" else {}
    input_map = InputMap.domain(MINUTES, coverage=1.0)
    model = package.KAN([1, 1], norm="none", input_map=input_map, num_control_points=60, **key)
    seen: list[Any] = []
    batches = importlib.import_module(f"kanditioned_{name}.batches")
    batches.record_layer_inputs("test", model, MINUTES, [lambda z: seen.append(np.asarray(z))])
    np.testing.assert_allclose(seen[0], np.linspace(-2, 2, 60)[:, None], atol=1e-5)
    bins = model.plot(MINUTES).axes[0].child_axes[0].patches[0].get_data()
    assert bins.edges[0] >= MINUTES[0, 0]
    assert bins.edges[-1] <= MINUTES[-1, 0]
    assert (bins.values > 0).all()
