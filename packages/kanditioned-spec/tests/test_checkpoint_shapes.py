"""Shapes of layers and input maps of networks in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import InputMap
from kanditioned_spec.checkpoint import (
    Checkpoint,
    CheckpointError,
    Layer,
    LayerConfig,
    Network,
    encoding,
    read,
    read_network,
    write,
    write_network,
)


def shaped_layer(**shapes: Any) -> Layer:
    config = LayerConfig(2, 3, 5, **shapes)
    return Layer.of(config, np.random.default_rng(0).normal(size=(2, 5, 3)))


def test_shapes_are_kept_and_applied(tmp_path: Path) -> None:
    layer = shaped_layer(monotone={0: 1}, convex=[0, -1])
    write(tmp_path / "layer", Checkpoint({"layer": layer}))
    loaded = read(tmp_path / "layer").only_layer()
    assert loaded.config == layer.config
    assert loaded.config.monotone == (1, 0)
    np.testing.assert_array_equal(loaded.parameters, layer.parameters)
    assert loaded.config.shapes.violations(loaded.values) > 0
    assert loaded.config.shapes.violations(loaded.control_points()) == 0


def test_layers_without_shapes_are_written_as_before(tmp_path: Path) -> None:
    write(tmp_path / "plain", Checkpoint({"layer": shaped_layer()}))
    write(tmp_path / "zeros", Checkpoint({"layer": shaped_layer(monotone=[0, 0], convex={})}))
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "zeros").read_bytes()
    assert b"monotone" not in (tmp_path / "plain").read_bytes()


@pytest.mark.parametrize("signs", [[], {}, 1, "+", [2, 0], [1], None, [1, 0.5]])
def test_shapes_that_are_none_are_refused(
    signs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "layer"
    entry_of = encoding._entry_of
    monkeypatch.setattr(
        encoding, "_entry_of", lambda config: entry_of(config) | {"monotone": signs}
    )
    write(path, Checkpoint({"layer": shaped_layer()}))
    with pytest.raises(CheckpointError, match=r"shape|monotone"):
        read(path)


def test_a_network_keeps_its_input_map(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    input_map = InputMap.quantiles(1.7e9 + rng.lognormal(size=(100, 2)), 7)
    network = Network([shaped_layer()], norm="none", input_map=input_map)
    write_network(tmp_path / "network", network)
    loaded = read_network(tmp_path / "network")
    assert loaded.input_map == input_map
    x = 1.7e9 + rng.lognormal(size=(20, 2))
    np.testing.assert_array_equal(loaded.forward(x), network.forward(x))
    plain = Network([shaped_layer()], norm="none")
    np.testing.assert_array_equal(network.forward(x), plain.forward(input_map(x)))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: m.update(input_map=False), "something else than true"),
        (lambda m: m.pop("input_map"), "belongs to nothing"),
        (lambda m: m.update(map=True), "keys"),
    ],
)
def test_input_maps_that_are_none_are_refused(
    change: Callable[[dict[str, Any]], Any], match: str, tmp_path: Path
) -> None:
    network = Network([shaped_layer()], norm="none", input_map=InputMap.affine([0.0, 1.0], 2.0))
    content = network.checkpoint()
    description = json.loads(content.metadata["kan"])
    change(description)
    metadata = {"kan": json.dumps(description)}
    write(tmp_path / "n", Checkpoint(content.layers, content.tensors, metadata))
    with pytest.raises(CheckpointError, match=match):
        read_network(tmp_path / "n")


@pytest.mark.parametrize("bad", ["falling", "missing", "float32", "of another width"])
def test_damaged_input_maps_are_refused(bad: str, tmp_path: Path) -> None:
    network = Network([shaped_layer()], norm="none", input_map=InputMap.affine([0.0, 1.0], 2.0))
    content = network.checkpoint()
    tensors = dict(content.tensors)
    key = "input_map.breakpoints"
    if bad == "missing":
        del tensors[key]
    elif bad == "of another width":
        tensors = {name: array[:1] for name, array in tensors.items()}
    else:
        tensors[key] = -tensors[key] if bad == "falling" else tensors[key].astype(np.float32)
    write(tmp_path / "n", Checkpoint(content.layers, tensors, content.metadata))
    with pytest.raises(CheckpointError):
        read_network(tmp_path / "n")
