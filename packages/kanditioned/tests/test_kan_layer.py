"""The drop-in, against the real 1.x packages.

`KANDITIONED_1X` names the folders into which they were installed, with the system's path separator
between them:

    pip install --no-deps --target old/1.0.3 kanditioned==1.0.3
    pip install --no-deps --target old/1.0.4 kanditioned==1.0.4
    export KANDITIONED_1X=old/1.0.3:old/1.0.4
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import os
import pickle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import Tensor

from kanditioned.kan_layer import IMPLS, VARIANTS, KANLayer
from kanditioned_spec import numerics, reference

TABLES = {"local_bias", "feature_offset"}
FOLDERS = os.environ.get("KANDITIONED_1X", "").split(os.pathsep)
SIZES = [(3, 3, 8, 4.0), (5, 2, 2, 1.0), (1, 4, 33, 6.0)]


@pytest.fixture(scope="module", params=FOLDERS)
def old(request: pytest.FixtureRequest) -> Any:
    """The layer class of a real 1.x package."""
    assert request.param, "set KANDITIONED_1X as the docstring of this module says"
    mpl.use("agg")
    path = Path(request.param, "KANditioned", "kan_layer.py")
    spec = importlib.util.spec_from_file_location("kanditioned_1x", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.KANLayer


def inputs(in_features: int, spline_width: float) -> Tensor:
    """Inputs within the domain, at its ends, and far outside."""
    special = torch.tensor([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1e3, -1e3, 1e30]) * spline_width / 2
    drawn = torch.randn(200, in_features, generator=torch.Generator().manual_seed(0))
    return torch.cat([special[:, None].expand(-1, in_features), drawn * spline_width])


def with_integer_weights(layer: Any) -> Any:
    """Give a layer weights of which all sums are exact in float32."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randint(-8, 9, parameter.shape, generator=generator))
    return layer


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("variant", ["B-spline", "parallel_scan"])
@pytest.mark.parametrize("sizes", SIZES)
def test_weights_of_1x_give_the_same_outputs(
    old: Any, sizes: tuple[int, int, int, float], variant: str, impl: str
) -> None:
    in_features, out_features, count, width = sizes
    arguments = (in_features, out_features, "zero", count, width, variant)
    theirs = with_integer_weights(old(*arguments, "embedding"))
    ours = KANLayer(*arguments, impl)
    assert set(theirs.state_dict()) - set(ours.state_dict()) == TABLES
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours.get_interp_tensor(), theirs.get_interp_tensor())

    x = inputs(in_features, width)
    points = ours.control_points().detach()
    want = reference.forward(x, points, width)
    condition = numerics.forward_condition(x, points, width)
    bound = torch.from_numpy(numerics.tolerance(condition, want, "float32"))
    got, of_1x = ours(x).double(), theirs(x).double()
    assert torch.all((got - torch.from_numpy(want)).abs() <= bound)
    assert torch.all((got - of_1x).abs() <= 2 * bound)  # both round


def test_loading_is_strict_but_for_the_index_tables(old: Any) -> None:
    state = old(3, 2, "random_normal", 8).state_dict()
    layer = KANLayer(3, 2, "zero", 8)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        layer.load_state_dict({**state, "extra": torch.zeros(1)})
    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict({name: state[name] for name in TABLES})
    with pytest.raises(RuntimeError, match="size mismatch"):
        KANLayer(3, 2, "zero", 9).load_state_dict(state)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        KANLayer(3, 2, "zero", 8, variant="parallel_scan").load_state_dict(state)


def test_a_network_of_1x_layers_loads(old: Any) -> None:
    def stack(kind: Any) -> Any:
        return torch.nn.Sequential(torch.nn.LayerNorm(3), kind(3, 4, "random_normal", 8, 4.0))

    theirs, ours = stack(old), stack(KANLayer)
    state = theirs.state_dict()
    ours.load_state_dict(state)
    assert len(state) == len(theirs.state_dict())  # the caller's dict is left as it is
    assert torch.equal(ours[1].kan_weight, theirs[1].kan_weight)


def test_new_layers_have_the_slopes_of_1x_without_its_gain(old: Any) -> None:
    torch.manual_seed(0)
    theirs = old(3, 2, "random_normal", 9, 4.0)
    torch.manual_seed(0)
    ours = KANLayer(3, 2, "random_normal", 9, 4.0)
    assert torch.equal(ours.kan_weight * 2, theirs.kan_weight)  # (K - 1)/w = 2


def test_the_signature_is_that_of_1x(old: Any) -> None:
    def described(kind: Any) -> list[tuple[str, Any]]:
        parameters = inspect.signature(kind.__init__).parameters.values()
        return [(p.name, p.default) for p in parameters if p.name != "impl"]

    assert described(KANLayer) == described(old)
    assert inspect.signature(KANLayer).parameters["impl"].default == "embedding_bag"
    assert (
        inspect.signature(KANLayer.visualize_all_mappings).parameters["save_path"].default is None
    )


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_starts_as_the_identity_and_trains(variant: str, impl: str) -> None:
    layer = KANLayer(3, 3, "identity", 8, variant=variant, impl=impl)
    x = torch.linspace(-4, 4, 30).reshape(2, 5, 3)
    torch.testing.assert_close(layer(x), x)
    layer(x).square().sum().backward()
    gradients = [parameter.grad for parameter in layer.parameters()]
    assert gradients
    assert all(g is not None and bool(g.abs().sum() > 0) for g in gradients)


@pytest.mark.parametrize("variant", VARIANTS)
def test_copies_and_the_upgraded_layer_are_the_same_functions(variant: str) -> None:
    layer = KANLayer(3, 2, "random_normal", 8, variant=variant)
    x = torch.randn(7, 3)
    want = layer(x)
    assert torch.equal(copy.deepcopy(layer)(x), want)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), want)
    torch.testing.assert_close(layer.upgrade()(x), want)
    assert set(layer.state_dict()) == {name for name, _ in layer.named_parameters()}


@pytest.mark.parametrize(
    ("argument", "value"),
    [("variant", "dct"), ("impl", "dense"), ("init", "ones"), ("num_control_points", 1)],
)
def test_bad_arguments_are_named(argument: str, value: object) -> None:
    arguments: dict[str, Any] = {"in_features": 2, "out_features": 2, "init": "zero"}
    with pytest.raises(ValueError, match=rf"`KANLayer\({argument}=...\)` must be"):
        KANLayer(**{**arguments, argument: value})


def test_the_snippet_of_the_1x_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snippet = """
from kanditioned.kan_layer import KANLayer

layer = KANLayer(in_features=3, out_features=3, init="random_normal", num_control_points=8)
layer.visualize_all_mappings(save_path="kan_mappings.png")
"""
    exec(snippet, {})
    assert np.frombuffer(Path("kan_mappings.png").read_bytes()[1:4], "S3")[0] == b"PNG"
