"""The stack of layers, and its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import InputMap, Shapes, network
from kanditioned_spec.checkpoint import (
    BatchStatistics,
    Checkpoint,
    CheckpointError,
    Layer,
    LayerConfig,
    Network,
    bfloat16_bits,
    float_values,
    read,
    read_network,
    write,
    write_network,
)
from kanditioned_spec.network import forward, layer_shapes

RNG = np.random.default_rng(0)
WIDTHS = (4, 3, 2)
DESCRIPTION = {"norm": "batch", "residual": True, "dropout": 0.25}


def layer(inputs: int, outputs: int) -> Layer:
    config = LayerConfig(inputs, outputs, 5, 3.0, "dct")
    return Layer.of(config, RNG.normal(size=config.shape))


LAYERS = (layer(4, 3), layer(3, 2))
RESIDUALS = tuple(RNG.normal(size=shape).astype(np.float32) for shape in ((3, 4), (2, 3)))
STATISTICS = tuple(
    BatchStatistics(RNG.normal(size=i), RNG.uniform(0.5, 2, size=i), 7) for i in (4, 3)
)


def with_batch_norm(**other: Any) -> Network:
    given: dict[str, Any] = {
        "norm": "batch",
        "dropout": 0.25,
        "residuals": RESIDUALS,
        "statistics": STATISTICS,
    }
    return Network(LAYERS, **given | other)


def test_a_network_is_evaluated_as_the_formula_says() -> None:
    x = RNG.normal(size=(6, 4))
    want = x
    for each, weight, statistics in zip(LAYERS, RESIDUALS, STATISTICS, strict=True):
        z = (want - statistics.mean) / np.sqrt(statistics.variance + 1e-5)
        c = each.control_points()
        position = (z + 1.5) / 0.75
        interval = np.clip(np.floor(position), 0, 3).astype(int)
        t = position - interval
        want = z @ weight.T.astype(np.float64)
        for i in range(z.shape[1]):
            left, right = c[i, interval[:, i]], c[i, interval[:, i] + 1]
            want += left + t[:, i, None] * (right - left)
    np.testing.assert_allclose(with_batch_norm().forward(x), want, rtol=1e-12)


def test_layer_normalisation_takes_the_biased_variance() -> None:
    x = np.array([[1.0, 2.0, 6.0]])
    want = (x - 3) / np.sqrt(14 / 3 + 1e-5)
    np.testing.assert_allclose(network.layer_norm(x), want, rtol=1e-15)


@pytest.mark.parametrize("norm", ["layer", "none"])
def test_without_residuals_a_network_is_its_layers_and_norms(norm: str) -> None:
    x = RNG.normal(size=(2, 5, 4))
    want = x
    for each in LAYERS:
        z = network.layer_norm(want) if norm == "layer" else want
        want = network.forward(z, [(each.control_points(), 3.0)], "none")
    np.testing.assert_array_equal(Network(LAYERS, norm).forward(x), want)


def test_a_file_holds_a_network(tmp_path: Path) -> None:
    stack = with_batch_norm()
    write_network(tmp_path / "a", stack)
    twin = read_network(tmp_path / "a")
    assert (twin.norm, twin.dropout, twin.widths) == ("batch", 0.25, WIDTHS)
    np.testing.assert_array_equal(twin.residuals[1], RESIDUALS[1])
    assert [s.count for s in twin.statistics] == [7, 7]
    x = RNG.normal(size=(5, 4))
    np.testing.assert_array_equal(twin.forward(x), stack.forward(x))
    write_network(tmp_path / "b", twin)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_names_and_description_are_those_of_the_schema(tmp_path: Path) -> None:
    write_network(tmp_path / "a", with_batch_norm())
    content = read(tmp_path / "a")
    assert list(content.layers) == ["layers.0", "layers.1"]
    assert content.metadata == {"kan": json.dumps(DESCRIPTION)}
    assert set(content.tensors) == {
        *(f"residuals.{n}.weight" for n in (0, 1)),
        *(f"norms.{n}.running_mean" for n in (0, 1)),
        *(f"norms.{n}.running_var" for n in (0, 1)),
        *(f"norms.{n}.num_batches_tracked" for n in (0, 1)),
    }


def test_arrays_may_be_of_another_dtype_than_the_layers(tmp_path: Path) -> None:
    half = [bfloat16_bits(np.ones((3, 4))), np.ones((2, 3), np.float16)]
    write_network(tmp_path / "a", Network(LAYERS, residuals=half))
    for array in read_network(tmp_path / "a").residuals:
        np.testing.assert_array_equal(float_values(array), np.ones(array.shape))


@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        ({"residuals": RESIDUALS[:1]}, ValueError, "of shapes"),
        ({"residuals": [w.T for w in RESIDUALS]}, ValueError, "of shapes"),
        ({"residuals": [w.astype(np.int64) for w in RESIDUALS]}, TypeError, "floating dtype"),
        ({"statistics": ()}, ValueError, "of shapes"),
        ({"norm": "layer"}, ValueError, "of shapes"),
        ({"norm": "group"}, ValueError, '"layer", "batch", "none"'),
        ({"dropout": 1.0}, ValueError, "a number in"),
    ],
)
def test_parts_that_do_not_fit(other: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        with_batch_norm(**other)
    assert str(caught.value).startswith("`Network(")


def test_layers_that_do_not_follow_each_other() -> None:
    with pytest.raises(ValueError, match="chain"):
        Network(LAYERS[::-1])


def described(**other: Any) -> dict[str, str]:
    return {"kan": json.dumps(DESCRIPTION | other)}


CONTENT = with_batch_norm().checkpoint()
TENSORS = dict(CONTENT.tensors)


@pytest.mark.parametrize(
    ("metadata", "tensors", "clause"),
    [
        ({}, TENSORS, "no entry 'kan'"),
        ({"kan": "{}"}, TENSORS, "has not the keys"),
        ({"kan": "[]"}, TENSORS, "has not the keys"),
        ({"kan": "["}, TENSORS, "Expecting value"),
        ({"kan": "[" * 100_000}, TENSORS, "while decoding a JSON array"),
        ({"kan": json.dumps(DESCRIPTION)[:-1] + ', "norm": "none"}'}, TENSORS, "occurs twice"),
        (described(extra=1), TENSORS, "has not the keys"),
        (described(residual=1), TENSORS, "neither true nor false"),
        (described(norm="none"), TENSORS, "belongs to nothing"),
        (described(norm=["batch"]), TENSORS, "must be one of"),
        (described(dropout="0.1"), TENSORS, "must be a number"),
        (described(dropout=2), TENSORS, "must be a number"),
        (described(), TENSORS | {"layers.0.theta": np.ones(3)}, "'layers.0.theta' belongs to noth"),
        (described(), {**TENSORS, "norms.2.running_mean": np.ones(2)}, "belongs to nothing"),
        (described(), {k: v for k, v in TENSORS.items() if "weight" not in k}, "it has no tensor"),
        (
            described(),
            TENSORS | {"norms.0.num_batches_tracked": np.float64(1)},
            "not a single int64",
        ),
    ],
)
def test_files_of_something_else(
    tmp_path: Path, metadata: dict[str, str], tensors: dict[str, Any], clause: str
) -> None:
    write(tmp_path / "a", Checkpoint(CONTENT.layers, tensors, metadata))
    start = r"`KAN\.load\(path=\.\.\.\)` must be the checkpoint of a network, got '.*a': "
    with pytest.raises(CheckpointError, match=start) as caught:
        read_network(tmp_path / "a")
    assert clause in str(caught.value)


def test_layers_under_other_names(tmp_path: Path) -> None:
    layers = dict(zip("ab", LAYERS, strict=True))
    write(tmp_path / "a", Checkpoint(layers, TENSORS, described()))
    with pytest.raises(CheckpointError, match=r"its layers are not named 'layers\.0'"):
        read_network(tmp_path / "a")


def test_an_input_map_stands_before_everything() -> None:
    x = RNG.normal(size=(5, 4))
    input_map = InputMap.quantiles(x, 4)
    plain, mapped = with_batch_norm(), with_batch_norm(input_map=input_map)
    np.testing.assert_array_equal(mapped.forward(x), plain.forward(input_map(x)))
    with pytest.raises(ValueError, match=r"`Network\(input_map=.*of 4 features, got 1"):
        with_batch_norm(input_map=InputMap.affine(0.0, 1.0))


def test_later_layers_carry_a_shape_on() -> None:
    first, second, third = layer_shapes("KAN", [3, 2, 4, 1], {0: -1}, {1: -1})
    assert first == Shapes((-1, 0, 0), (0, -1, 0))
    assert second == Shapes((1, 1), (-1, -1))
    assert third == Shapes((1, 1, 1, 1), (-1, -1, -1, -1))
    assert layer_shapes("KAN", [3, 2, 1], {0: 1})[1] == Shapes((1, 1), (0, 0))
    assert not any(layer_shapes("KAN", [3, 2, 1], norm="layer", residual=True))


@pytest.mark.parametrize("monotone", [1, -1, 0])
@pytest.mark.parametrize("convex", [1, -1, 0])
def test_networks_have_the_shapes_of_their_inputs(monotone: int, convex: int) -> None:
    """Random control points, made feasible layer by layer; input 1 is free."""
    rng = np.random.default_rng(0)
    shapes = layer_shapes("KAN", [2, 5, 3, 1], {0: monotone}, {0: convex})
    layers = [
        (each.feasible(rng.normal(size=(i, 9, o))), 4.0)
        for each, i, o in zip(shapes, (2, 5, 3), (5, 3, 1), strict=True)
    ]
    x = np.sort(rng.normal(size=(2000, 3)) * 3, axis=1)
    other = rng.normal(size=2000)
    y = [forward(np.stack([x[:, k], other], 1), layers, "none")[:, 0] for k in range(3)]
    room = 1e-9 * np.abs(y).max()
    assert (monotone * np.diff(y, axis=0) >= -room).all()
    weight = (x[:, 2] - x[:, 1]) / (x[:, 2] - x[:, 0])
    assert (convex * (weight * y[0] + (1 - weight) * y[2] - y[1]) >= -room).all()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"monotone": {0: 1}, "norm": "layer"}, r"norm=.*\"batch\" or \"none\" with monotone="),
        ({"convex": {0: 1}, "norm": "layer"}, r"norm=.*with convex="),
        ({"monotone": {0: 1}, "residual": True}, r"residual=.*False with monotone=.*any sign"),
        ({"convex": {0: 1, 1: -1}}, r"convex=.*of one sign"),
        (
            {"convex": {1: 1}, "input_map": InputMap([[0, 1, 2]] * 2, [[0, 2, 4], [0, 2, 3]])},
            r"convex=.*straight line, got feature 1",
        ),
    ],
)
def test_shapes_that_a_network_cannot_keep_are_refused(
    arguments: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        layer_shapes("KAN", [2, 3, 1], **arguments)


def test_what_keeps_a_shape_is_not_refused() -> None:
    straight = InputMap([[0, 1, 2]] * 2, [[0, 2, 4], [0, 2, 3]])
    assert layer_shapes("KAN", [2, 3, 1], None, {0: 1}, norm="batch", input_map=straight)
    assert layer_shapes("KAN", [2, 3, 1], {1: -1}, norm="batch", input_map=straight)
    assert layer_shapes("KAN", [2, 1], None, {0: 1, 1: -1})
