"""Tests of the kernels under Triton's interpreter, run by `test_interpreter`.

The conformance kit says whether the layer is right. Here is what it does not reach: several tiles
in every direction, strides, mixed dtypes, every precision, split sums, what is not finite in
other arguments than x, and the operators under PyTorch's own checks.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kanditioned_spec import numerics, reference
from kanditioned_torch import KANLayer, spline_forward
from kanditioned_triton import configs, device, split_k
from kanditioned_triton.device import Device
from kanditioned_triton.torch import registered

assert registered.device_type == "cuda"
operators = torch.ops.kanditioned_triton

torch.set_num_threads(1)
# Tiles of the interpreter are 128 rows by 32 outputs, see `configs.json`.
SHAPES = {
    "several tiles": (150, 9, 5, 43),
    "part of a feature in a tile": (150, 3, 20, 35),
    "lookup": (150, 5, 37, 35),
    "bucketed over tiles": (150, 1, 140, 9),
    "one of each": (1, 1, 2, 1),
}
WIDTH = 4.0


def arguments(
    shape: tuple[int, int, int, int], dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x (B, I), direction (B, I), control points (I, K, O) and grad_y (B, O)."""
    batch, in_features, count, out_features = shape
    generator = torch.Generator().manual_seed(sum(shape))
    x = torch.rand(batch, in_features, generator=generator) * 6 - 3
    u = (x + WIDTH / 2) * (count - 1) / WIDTH
    near = (u - u.round()).abs() < 0.05  # rounding might carry these across a knot
    x = torch.where(near, x + 0.25 * WIDTH / (count - 1), x)
    others = ((batch, in_features), (in_features, count, out_features), (batch, out_features))
    v, c, gy = (torch.randn(size, generator=generator) for size in others)
    x, v, c, gy = (tensor.to(dtype) for tensor in (x, v, c, gy))
    return x, v, c, gy


def exact(*tensors: Tensor) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    return [tensor.double().numpy() for tensor in tensors]


def agree(got: Tensor, want: Any, condition: Any, dtype: str, operands: str | None = None) -> None:
    bound = numerics.tolerance(condition, want, dtype, operands)
    error = np.abs(got.double().numpy() - want)
    assert (error <= bound).all(), f"{(error / bound).max():.3g} times the bound"


def check_all(
    x: Tensor,
    v: Tensor,
    c: Tensor,
    gy: Tensor,
    precision: str = "highest",
    operands: str | None = None,
) -> None:
    """Compare the three contractions, and two of them along a direction, with the reference."""
    dtype = torch.promote_types(torch.float32, torch.promote_types(x.dtype, c.dtype))
    name = str(dtype).removeprefix("torch.")
    share = numerics.position_share(name, operands)
    x64, v64, c64, gy64 = exact(x, v, c, gy)
    settings = (WIDTH, dtype, precision)

    y = operators.interpolate(x, None, c, *settings)
    condition = numerics.forward_condition(x64, c64, WIDTH, share)
    agree(y, reference.forward(x64, c64, WIDTH), condition, name, operands)

    along = operators.interpolate(x, v, c, *settings)
    condition = numerics.jvp_condition(x64, c64, WIDTH, v64)
    agree(along, reference.jvp(x64, c64, WIDTH, v64), condition, name, operands)

    want = reference.vjp(x64, c64, WIDTH, gy64)
    conditions = numerics.vjp_condition(x64, c64, WIDTH, gy64, share)
    gx = operators.contract(x, c, gy, *settings)
    agree(gx, want.x, conditions.x, name, operands)
    gc = operators.accumulate(x, None, gy, c.shape[1], *settings)
    agree(gc, want.control_points, conditions.control_points, name, operands)

    zero = np.zeros_like(c64)
    mixed = reference.vjp_of_vjp(x64, c64, WIDTH, gy64, v64, zero).control_points
    size = numerics.vjp_of_vjp_condition(x64, c64, WIDTH, gy64, v64, zero).control_points
    agree(operators.accumulate(x, v, gy, c.shape[1], *settings), mixed, size, name, operands)


class TestContractions:
    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
    def test_tiles_and_tails(self, shape: tuple[int, int, int, int]) -> None:
        check_all(*arguments(shape))

    @pytest.mark.parametrize("shape", [SHAPES["part of a feature in a tile"], SHAPES["lookup"]])
    def test_float64(self, shape: tuple[int, int, int, int]) -> None:
        check_all(*arguments(shape, torch.float64))

    @pytest.mark.parametrize("shape", [SHAPES["part of a feature in a tile"], SHAPES["lookup"]])
    def test_strides(self, shape: tuple[int, int, int, int]) -> None:
        x, v, c, gy = arguments(shape)
        feature_major = x.t().contiguous().t()
        stepped = torch.stack((v, v), dim=-1)[..., 0]
        permuted = c.permute(2, 0, 1).contiguous().permute(1, 2, 0)
        check_all(feature_major, stepped, permuted, gy[:1].expand_as(gy))

    @pytest.mark.parametrize(
        ("of_x", "of_c", "of_gy"),
        [
            (torch.float32, torch.bfloat16, torch.float16),
            (torch.float16, torch.float32, torch.float64),
        ],
    )
    def test_mixed_dtypes(self, of_x: torch.dtype, of_c: torch.dtype, of_gy: torch.dtype) -> None:
        x, v, c, gy = arguments((20, 3, 9, 5))
        check_all(x.to(of_x), v, c.to(of_c), gy.to(of_gy))

    def test_empty_batch(self) -> None:
        x, v, c, gy = arguments((0, 3, 9, 5))
        assert operators.interpolate(x, v, c, WIDTH, torch.float32, "highest").shape == (0, 5)
        assert operators.contract(x, c, gy, WIDTH, torch.float32, "highest").shape == (0, 3)
        gc = operators.accumulate(x, None, gy, 9, WIDTH, torch.float32, "highest")
        assert gc.shape == (3, 9, 5)
        assert not gc.any()


class TestSplitK:
    """A sum that is divided among programs, on a device that has more of them than tiles."""

    @pytest.mark.parametrize("shape", [(200, 33, 5, 3), (20, 40, 37, 3)])
    def test_divided_sums(
        self, shape: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(device, "of", lambda x: Device(configs.INTERPRETER, units=8))
        check_all(*arguments(shape))

    def test_count(self) -> None:
        gpu = Device("sm_90", units=132)
        assert split_k.split_k(200, 10_000, 64, 4, gpu, 1) == (1, 10_000)
        assert split_k.split_k(10, 10_000, 64, 4, gpu, 1) == (14, 715)
        assert split_k.split_k(10, 10_000, 64, 4, gpu, 8) == (14, 720)
        assert split_k.split_k(10, 100, 64, 4, gpu, 1) == (2, 50)
        assert split_k.split_k(1, 10_000, 64, split_k.PARTIAL_BYTES, gpu, 1) == (1, 10_000)


class TestNonFinite:
    """What is not finite reaches what it belongs to: zero weights do not spread it."""

    @pytest.mark.parametrize("count", [9, 37])
    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_in_control_points(self, count: int, value: float) -> None:
        x, _, c, gy = arguments((40, 3, count, 11))
        c[1, count // 2, 4] = value
        x64, c64, gy64 = exact(x, c, gy)
        with np.errstate(invalid="ignore"):
            y = reference.forward(x64, c64, WIDTH)
            gx = reference.vjp(x64, c64, WIDTH, gy64).x
        got = operators.interpolate(x, None, c, WIDTH, torch.float32, "highest")
        np.testing.assert_array_equal(got.isfinite().numpy(), np.isfinite(y))
        assert np.isfinite(y).any()
        assert not np.isfinite(y).all()
        got = operators.contract(x, c, gy, WIDTH, torch.float32, "highest")
        np.testing.assert_array_equal(got.isfinite().numpy(), np.isfinite(gx))

    @pytest.mark.parametrize("count", [9, 37])
    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_in_grad_y(self, count: int, value: float) -> None:
        x, _, c, gy = arguments((40, 3, count, 11))
        gy[7, 4] = value
        x64, c64, gy64 = exact(x, c, gy)
        with np.errstate(invalid="ignore"):
            want = reference.vjp(x64, c64, WIDTH, gy64)
        got = operators.accumulate(x, None, gy, count, WIDTH, torch.float32, "highest")
        np.testing.assert_array_equal(got.isfinite().numpy(), np.isfinite(want.control_points))
        got = operators.contract(x, c, gy, WIDTH, torch.float32, "highest")
        np.testing.assert_array_equal(got.isfinite().numpy(), np.isfinite(want.x))

    @pytest.mark.parametrize("count", [9, 37])
    @pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
    def test_in_x(self, count: int, value: float) -> None:
        x, v, c, gy = arguments((40, 3, count, 11))
        x[5, 1] = value
        x64, v64, c64, gy64 = exact(x, v, c, gy)
        y = operators.interpolate(x, None, c, WIDTH, torch.float32, "highest")
        gc = operators.accumulate(x, v, gy, count, WIDTH, torch.float32, "highest")
        zero = np.zeros_like(c64)
        want = reference.vjp_of_vjp(x64, c64, WIDTH, gy64, v64, zero).control_points
        for got, wanted in ((y, reference.forward(x64, c64, WIDTH)), (gc, want)):
            special = ~np.isfinite(wanted)
            np.testing.assert_array_equal(got.numpy()[special], wanted[special])
            assert got.isfinite().numpy()[~special].all()

    def test_float16_weights_may_overflow(self) -> None:
        x, _, c, _ = arguments((20, 2, 9, 3), torch.float16)
        x[0] = 6e4  # t = 1.2e5, more than float16 holds
        got = operators.interpolate(x, None, c, WIDTH, torch.float32, "highest")
        x64, c64 = exact(x, c)
        condition = numerics.forward_condition(x64, c64, WIDTH)
        agree(got, reference.forward(x64, c64, WIDTH), condition, "float32")


class TestPrecision:
    """The interpreter rounds to 16-bit operands as a GPU does, but ignores TF32."""

    @pytest.mark.parametrize(
        ("dtype", "precision", "operands"),
        [
            (torch.bfloat16, "highest", None),
            (torch.bfloat16, "high", "tfloat32"),
            (torch.bfloat16, "medium", "bfloat16"),
            (torch.float16, "highest", None),
            (torch.float16, "medium", "float16"),
            (torch.float32, "medium", "bfloat16"),
        ],
    )
    def test_errors_are_of_the_operands(
        self, dtype: torch.dtype, precision: str, operands: str | None
    ) -> None:
        check_all(*arguments((40, 5, 9, 11), dtype), precision, operands)

    def test_medium_rounds(self) -> None:
        x, _, c, _ = arguments((40, 5, 9, 11), torch.bfloat16)
        full, rounded = (
            operators.interpolate(x, None, c, WIDTH, torch.float32, precision)
            for precision in ("highest", "medium")
        )
        assert 1e-4 < float((full - rounded).abs().max()) < 0.1


class TestOperators:
    """PyTorch's own checks: schema, fake tensors, tracing."""

    CHECKS = ("test_schema", "test_faketensor", "test_aot_dispatch_static")

    @pytest.mark.parametrize("has_direction", [False, True])
    def test_opcheck(self, has_direction: bool) -> None:
        x, v, c, gy = arguments((5, 3, 9, 2))
        direction = v if has_direction else None
        last = (WIDTH, torch.bfloat16, "highest")
        for operator, given in (
            (operators.interpolate, (x, direction, c, *last)),
            (operators.contract, (x, c, gy, *last)),
            (operators.accumulate, (x, direction, gy, 9, *last)),
        ):
            torch.library.opcheck(operator, given, test_utils=self.CHECKS)

    def test_same_bits_twice(self) -> None:
        x, v, c, gy = arguments((150, 3, 37, 11))
        for call in (
            lambda: operators.interpolate(x, v, c, WIDTH, torch.float32, "high"),
            lambda: operators.contract(x, c, gy, WIDTH, torch.float32, "high"),
            lambda: operators.accumulate(x, v, gy, 37, WIDTH, torch.float32, "high"),
        ):
            assert torch.equal(call(), call())


class TestLayer:
    def test_fullgraph(self) -> None:
        layer = KANLayer(3, 2, num_control_points=9, impl="triton", precision="highest")
        x = torch.rand(5, 3, requires_grad=True)
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        for one, other in zip(
            torch.autograd.grad(compiled(x).sum(), [x, *layer.parameters()]),
            torch.autograd.grad(layer(x).sum(), [x, *layer.parameters()]),
            strict=True,
        ):
            assert torch.equal(one, other)

    def test_loss_on_the_derivative(self) -> None:
        x, _, c, _ = arguments((6, 3, 9, 2))
        results = []
        for impl in ("triton", "embedding"):
            leaf, control_points = x.clone().requires_grad_(), c.clone().requires_grad_()
            y = spline_forward(leaf, control_points, WIDTH, impl, precision="highest")
            (slope,) = torch.autograd.grad(y.sum(), leaf, create_graph=True)
            results.append(torch.autograd.grad(slope.square().sum(), control_points)[0])
        torch.testing.assert_close(*results)

    def test_functional_transforms(self) -> None:
        x, v, c, _ = arguments((6, 3, 9, 2))

        def layer(impl: str) -> Any:
            return lambda x: spline_forward(x, c, WIDTH, impl, precision="highest")

        for one, other in itertools.pairwise(
            torch.func.jvp(layer(impl), (x,), (v,))[1] for impl in ("triton", "embedding")
        ):
            torch.testing.assert_close(one, other)
        one, other = (torch.func.vmap(torch.func.jacrev(layer(i)))(x) for i in ("triton", "dense"))
        torch.testing.assert_close(one, other)

    def test_autocast(self) -> None:
        layer = KANLayer(3, 2, num_control_points=9, impl="triton")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(torch.rand(5, 3)).dtype == torch.bfloat16
