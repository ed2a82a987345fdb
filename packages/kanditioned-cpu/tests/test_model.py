"""A whole network in one call."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

import kanditioned_cpu
from kanditioned_spec import checkpoint
from kanditioned_spec.input_map import InputMap

rng = np.random.default_rng(0)


def network(widths, dtype="float64", norm="none", residual=False, count=6, input_map=None):
    draw = np.random.default_rng(sum(widths)).standard_normal
    pairs = list(pairwise(widths))
    layers = [
        checkpoint.Layer.of(
            checkpoint.LayerConfig(i, o, count, 3.0 + o, dtype=dtype), draw((i, count, o))
        )
        for i, o in pairs
    ]
    residuals = [draw((o, i)) for i, o in pairs] if residual else []
    statistics = [checkpoint.BatchStatistics(draw(i), draw(i) ** 2, 9) for i, _ in pairs]
    return checkpoint.Network(
        layers, norm, 0.0, residuals, statistics if norm == "batch" else [], input_map
    )


def model(folder, described, **options):
    checkpoint.write_network(folder / "model.safetensors", described)
    return kanditioned_cpu.Model(folder / "model.safetensors", **options)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
@pytest.mark.parametrize("widths", [(3, 5), (3, 40, 4), (3, 7, 130, 17, 1)])
def test_it_computes_what_the_spec_says(widths, norm, residual, tmp_path):
    norm = "none" if norm == "layer" and min(widths[:-1]) < 3 else norm
    described = network(widths, norm=norm, residual=residual)
    evaluate = model(tmp_path, described)
    for shape in ((1,), (130,), (2, 3), ()):
        x = 2 * rng.standard_normal((*shape, widths[0]))
        got, want = evaluate(x), described.forward(x)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("instruction_set")
def test_its_bits_are_those_of_its_layers(tmp_path):
    described = network((21, 64, 24), dtype="float32")
    x = rng.standard_normal((200, 21)).astype(np.float32)
    want = x
    for layer in described.layers:
        want = kanditioned_cpu.forward(want, layer.values, layer.config.spline_width)
    got = model(tmp_path, described)(x)
    assert got.dtype == np.float32
    assert got.tobytes() == want.tobytes()


def test_the_bits_are_the_same_with_any_number_of_threads_and_callers(tmp_path):
    described = network((21, 64, 24), dtype="float32", norm="layer")
    x = rng.standard_normal((3000, 21)).astype(np.float32)
    one, several = (model(tmp_path, described, num_threads=n) for n in (1, 4))
    want = one(x)
    assert several(x).tobytes() == want.tobytes()
    assert one(x[:1]).tobytes() == want[:1].tobytes()
    with ThreadPoolExecutor(4) as executor:
        assert all(y.tobytes() == want.tobytes() for y in executor.map(one, [x] * 20))


def test_a_layer_and_an_input_map(tmp_path):
    points = 1.7e9 + np.sort(rng.uniform(0, 1e4, (3, 5)), 1)
    images = np.sort(rng.uniform(-2, 2, (3, 5)), 1)
    described = network((3, 5), input_map=InputMap(points, images))
    x = rng.uniform(1.7e9, 1.7e9 + 1e4, (9, 3))
    np.testing.assert_allclose(model(tmp_path, described)(x), described.forward(x), rtol=1e-9)
    layer = described.layers[0]
    checkpoint.write(tmp_path / "layer.safetensors", checkpoint.Checkpoint({"layer": layer}))
    single = kanditioned_cpu.Model(tmp_path / "layer.safetensors")
    want = kanditioned_cpu.forward(x, layer.values, layer.config.spline_width)
    np.testing.assert_array_equal(single(x), want)


def test_strides_lists_and_no_rows(tmp_path):
    evaluate = model(tmp_path, network((3, 5)))
    x = rng.standard_normal((4, 6))
    np.testing.assert_array_equal(evaluate(x[:, ::2]), evaluate(x[:, ::2].copy()))
    np.testing.assert_array_equal(evaluate(x[:, :3].tolist()), evaluate(x[:, :3]))
    assert evaluate(x[:0, :3]).shape == (0, 5)
    fixed = x[:, :3].copy()
    fixed.flags.writeable = False
    np.testing.assert_array_equal(evaluate(fixed), evaluate(x[:, :3]))


def test_nan_stays_in_its_row(tmp_path):
    evaluate = model(tmp_path, network((3, 8, 2), norm="layer"))
    x = rng.standard_normal((70, 3))
    x[66, 1] = np.nan
    is_nan = np.isnan(evaluate(x)).all(1)
    assert is_nan.sum() == 1
    assert is_nan[66]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda path: kanditioned_cpu.Model(path, 0), ValueError, "`Model(num_threads=...)`"),
        (lambda path: kanditioned_cpu.Model(path, 2**70), ValueError, "`Model(num_threads=...)`"),
        (lambda path: kanditioned_cpu.Model(path)([1, 2, 3]), TypeError, "`Model(x=...)` must be"),
        (lambda path: kanditioned_cpu.Model(path)([1.0]), ValueError, "`Model(x=...)` must be of"),
        (lambda path: kanditioned_cpu.Model(path)(1.0), ValueError, "`Model(x=...)` must be of"),
        (lambda path: kanditioned_cpu.Model(__file__), ValueError, "`checkpoint.read(path=...)`"),
    ],
)
def test_what_is_refused(call, error, message, tmp_path):
    model(tmp_path, network((3, 5)))
    with pytest.raises(error) as caught:
        call(tmp_path / "model.safetensors")
    assert str(caught.value).startswith(message)
