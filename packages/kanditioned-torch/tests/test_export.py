"""Programs that run without this package: torch.export, AOTInductor, ONNX."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kanditioned_spec import numerics, reference
from kanditioned_torch import KAN, KANLayer, exportable

SPECIAL = [math.nan, math.inf, -math.inf, 1e30, -1e30, 1e6, 2.0, -2.0, 0.0]
BATCH = torch.export.Dim("batch", min=2)
pytestmark = pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")  # PyTorch's own use


class LayerAndNetwork(nn.Module):
    """A layer, which has an error bound, and the network that people export."""

    def __init__(self) -> None:
        super().__init__()
        options: dict[str, Any] = {"parameterization": "dct", "num_control_points": 8}
        self.layer = KANLayer(4, 3, **options)
        self.network = KAN([4, 6, 2], residual=True, dropout=0.5, **options)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # The variance in the network's normalisation overflows at other magnitudes than eager's.
        return self.layer(x), self.network(x.nan_to_num().clamp(-100, 100))


@pytest.fixture
def model() -> LayerAndNetwork:
    return LayerAndNetwork()


def inputs(batch: int = 40) -> Tensor:
    """Inputs within and beyond the domain; each special value in one feature, and in all."""
    x = 2 * torch.randn(40, 4)
    x[: len(SPECIAL), 0] = torch.tensor(SPECIAL)
    x[len(SPECIAL) : 2 * len(SPECIAL)] = torch.tensor(SPECIAL)[:, None]
    return x[:batch]


def exported(model: nn.Module) -> torch.export.ExportedProgram:
    return torch.export.export(model, (inputs(),), dynamic_shapes=({0: BATCH},))


def check(got: Any, model: LayerAndNetwork, x: Tensor) -> None:
    """Check the layer within the spec's bound of its float64 reference, the rest with eager."""
    by_layer, by_network = (np.asarray(y) for y in got)
    control_points = model.layer.reparameterize("bspline").theta.detach().double().numpy()
    x64 = x.double().numpy()
    with np.errstate(invalid="ignore"):
        want = reference.forward(x64, control_points, 4.0)
        condition = numerics.forward_condition(x64, control_points, 4.0)
        error = np.abs(by_layer - want)
        tolerance = numerics.tolerance(condition, want, "float32")
    finite = np.isfinite(want)
    assert (error[finite] <= tolerance[finite]).all()
    np.testing.assert_array_equal(by_layer[~finite], want[~finite])
    with torch.no_grad():
        torch.testing.assert_close(torch.as_tensor(by_network), model.eval()(x)[1])


def test_the_copy_is_for_inference(model: LayerAndNetwork) -> None:
    portable, x = exportable(model), inputs()
    assert model.training
    assert not any(module.training for module in portable.modules())
    layers = [module for module in portable.modules() if isinstance(module, KANLayer)]
    assert {(layer.parameterization, layer.impl) for layer in layers} == {("bspline", "embedding")}
    with torch.no_grad():
        check(portable(x), model, x)


def test_layers_anywhere() -> None:
    shared = KANLayer(3, 3, parameterization="prefix_sum")
    model = nn.Sequential(nn.Linear(4, 3), shared, nn.Sequential(shared, nn.Tanh()))
    portable: Any = exportable(model)
    assert portable[1] is portable[2][0]
    assert portable[1].parameterization == "bspline"
    assert shared.parameterization == "prefix_sum"
    assert isinstance(exportable(shared), KANLayer)


def test_torch_export(model: LayerAndNetwork, tmp_path: Path) -> None:
    torch.export.save(exported(exportable(model)), tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2")
    calls = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert {call.namespace for call in calls if hasattr(call, "namespace")} == {"aten"}
    for batch in (40, 23):
        x = inputs(batch)
        with torch.no_grad():
            check(program.module()(x), model, x)


def test_aot_inductor(model: LayerAndNetwork, tmp_path: Path) -> None:
    path = torch._inductor.aoti_compile_and_package(
        exported(exportable(model)),
        package_path=str(tmp_path / "model.pt2"),
        inductor_configs={"aot_inductor.compile_wrapper_opt_level": "O0"},  # a third of the time
    )
    compiled = torch._inductor.aoti_load_package(path)
    for batch in (40, 23):
        x = inputs(batch)
        check(compiled(x), model, x)


def test_onnx(model: LayerAndNetwork, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    program = torch.onnx.export(
        exportable(model),
        (inputs(),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    program.save(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (name,) = (argument.name for argument in session.get_inputs())
    for batch in (40, 1, 0):
        x = inputs(batch)
        got = session.run(None, {name: x.numpy()})
        assert [y.shape for y in got] == [(batch, 3), (batch, 2)]
        check(got, model, x)


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:`torch.jit.trace", "ignore::torch.jit.TracerWarning"
)
@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("parameterization", ["bspline", "dct"])
class TestTracing:
    """`torch.jit.trace` follows what a layer computes, with gradients on as they are by default."""

    def network(self, norm: str, parameterization: str) -> KAN:
        options: dict[str, Any] = {"parameterization": parameterization, "residual": True}
        model = KAN([4, 6, 2], norm=norm, num_control_points=8, **options)
        model(torch.randn(50, 4))
        return model.eval()

    @pytest.mark.parametrize("impl", ["embedding", "strided", "presorted", "dense"])
    def test_traced_by_jit(self, norm: str, parameterization: str, impl: str) -> None:
        model = self.network(norm, parameterization)
        for layer in model.kan_layers():
            layer.impl = impl
        traced = torch.jit.trace(model, (torch.randn(5, 4),))
        x = torch.randn(9, 4)
        torch.testing.assert_close(traced(x), model(x))
        copied = torch.jit.trace(exportable(model), (torch.randn(5, 4),))
        torch.testing.assert_close(copied(x), model(x))

    def test_the_exporter_that_traces(
        self, norm: str, parameterization: str, tmp_path: Path
    ) -> None:
        pytest.importorskip("onnxscript")
        runtime = pytest.importorskip("onnxruntime")
        model, path = self.network(norm, parameterization), tmp_path / "model.onnx"
        torch.onnx.export(
            exportable(model),
            (torch.randn(5, 4),),
            path,
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch"}},
        )
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        x = torch.randn(9, 4)
        (got,) = session.run(None, {"x": x.numpy()})
        np.testing.assert_allclose(got, model(x).detach().numpy(), rtol=1e-5, atol=1e-5)
