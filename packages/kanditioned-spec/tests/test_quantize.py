"""The int8 profile, against arithmetic in Python's own integers and fractions."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from kanditioned_spec import checkpoint
from kanditioned_spec.network import normalise
from kanditioned_spec.quantize import SCALES, quantize, report
from kanditioned_spec.reference import forward


def network(widths=(21, 64, 64, 24), count=8, norm="layer", residual=False, width=4.0, noise=0.3):
    rng = np.random.default_rng(0)
    layers, residuals, statistics = [], [], []
    x = rng.standard_normal((500, widths[0]))
    for i, o in pairwise(widths):
        slopes = rng.standard_normal((i, 1, o)) / math.sqrt(i)
        config = checkpoint.LayerConfig(i, o, count, width)
        points = slopes * config.grid.knots()[:, None]
        points = points + noise * points.std() * rng.standard_normal(points.shape)
        layers.append(checkpoint.Layer.of(config, points))
        residuals.append((rng.standard_normal((o, i)) / math.sqrt(i)).astype(np.float32))
        mean, variance = x.mean(0), x.var(0)
        statistics.append(checkpoint.BatchStatistics(mean, variance, 1))
        z = normalise(x, mean, variance)
        x = forward(z, points, width) + residual * z @ residuals[-1].T
    return checkpoint.Network(
        layers,
        norm,
        residuals=residuals if residual else [],
        statistics=statistics if norm == "batch" else [],
    )


def single(value):
    """Round an exact fraction to float32."""
    return Fraction(float(np.float32(float(value))))


def by_hand(layer, x):
    """Evaluate one row by the sentences of the module."""
    inputs, count, outputs = layer.tables.shape
    beyond, rate = math.ceil((count - 1) / 2), single(Fraction(255 * (count - 1)) / width_of(layer))
    total = [int(b) for b in layer.biases]
    for i in range(inputs):
        if math.isinf(x[i]):
            v = Fraction(-255 * beyond if x[i] < 0 else 255 * (count - 1 + beyond))
        else:
            v = single(single(Fraction(float(x[i])) + single(width_of(layer) / 2)) * rate)
            v = min(max(v, Fraction(-255 * beyond)), Fraction(255 * (count - 1 + beyond)))
        p = math.floor(single(v + Fraction(510 * beyond + 1, 2))) - 255 * beyond
        interval = min(max(p // 255, 0), count - 2)
        f = p - 255 * interval
        for o in range(outputs):
            low, high = (int(layer.tables[i, interval + side, o]) for side in (0, 1))
            total[o] += int(layer.factors[i, o]) * ((255 - f) * low + f * high)
    assert all(abs(value) < 2**31 for value in total)
    return np.array(total, np.int64)


def width_of(layer):
    return Fraction(layer.spline_width)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("count", [2, 3, 8, 33])
def test_sums_are_exact(scale, count):
    layer = quantize(network((5, 4), count, "none", width=3.3), scale).layers[0]
    x = np.random.default_rng(1).uniform(-8, 8, (30, 5)).astype(np.float32)
    x[0], x[1], x[2] = np.inf, -np.inf, np.linspace(-1.65, 1.65, 5)
    for row, sums, y in zip(x, layer.sums(x), layer.forward(x), strict=True):
        want = by_hand(layer, row)
        np.testing.assert_array_equal(sums, want)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, layer.scales * want.astype(np.float32))


def test_no_input_overflows():
    """The largest tables, factors and inputs."""
    described = network((300, 3), 8, "none", noise=30.0)
    layer = quantize(described, "edge").layers[0]
    worst = np.where(np.arange(300) % 2, np.inf, -np.inf)
    np.testing.assert_array_equal(layer.sums(worst), by_hand(layer, worst))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_within_one_percent(norm, residual):
    described = network(norm=norm, residual=residual, noise=0.2)
    rng = np.random.default_rng(2)
    quantized = quantize(described, "edge", rng.standard_normal((500, 21)))
    errors = report(described, quantized, rng.standard_normal((500, 21)))
    assert [e.where for e in errors] == ["layer 0", "layer 1", "layer 2", "end to end"]
    assert max(e.rms for e in errors) <= 0.01
    assert errors[-1].worst < 0.1
    assert sum(layer.nbytes for layer in quantized.layers) < 0.29 * 4 * 6976 * 8


def test_one_scale_for_an_output_is_smaller_and_coarser():
    described = network()
    x = np.random.default_rng(2).standard_normal((500, 21))
    edge, output = (quantize(described, scale, x) for scale in SCALES)
    assert sum(layer.nbytes for layer in output.layers) < 0.256 * 4 * 6976 * 8
    assert report(described, edge, x)[-1].rms < report(described, output, x)[-1].rms < 0.025


def test_data_keep_what_is_not_reached_from_widening_the_range():
    described = network((3, 2), 9, "none")
    points = described.layers[0].values.copy()
    points[:, -1] += 1000
    layer = checkpoint.Layer.of(described.layers[0].config, points)
    described = checkpoint.Network([layer], "none")
    x = np.random.default_rng(0).uniform(-2, 1, (200, 3))
    with_data, without = (quantize(described, "edge", data) for data in (x, None))
    assert report(described, with_data, x)[-1].rms < 0.01
    assert report(described, without, x)[-1].rms > 0.1


def test_constants_and_zeros_are_kept():
    config = checkpoint.LayerConfig(2, 3, 4)
    points = np.broadcast_to(np.array([0.0, 1.5, -2.0]), (2, 4, 3))
    described = checkpoint.Network([checkpoint.Layer.of(config, points)], "none")
    y = quantize(described).forward(np.random.default_rng(0).standard_normal((5, 2)))
    np.testing.assert_allclose(y, np.broadcast_to([0.0, 3.0, -4.0], (5, 3)), rtol=1e-4)


def test_nan_makes_its_row_nan():
    x = np.zeros((3, 21))
    x[1, 4] = np.nan
    is_nan = np.isnan(quantize(network(norm="none")).forward(x))
    np.testing.assert_array_equal(is_nan, np.broadcast_to([[False], [True], [False]], (3, 24)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": "row"}, r"`quantize\(scale=...\)` must be one of"),
        ({"data": np.zeros((4, 3))}, r"`quantize\(data=...\)` must be of shape"),
        ({"data": np.zeros((0, 21))}, r"`quantize\(data=...\)` must be not empty"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        quantize(network(norm="none"), **arguments)


def test_sums_that_do_not_fit_are_refused():
    layer = checkpoint.Layer.of(checkpoint.LayerConfig(20000, 1, 3), np.ones((20000, 3, 1)))
    with pytest.raises(ValueError, match=r"`quantize\(network=...\)` must be of layers whose sums"):
        quantize(checkpoint.Network([layer], "none"))
