"""Tests of the kernels under Triton's interpreter, run by `test_interpreter`.

The conformance kit says whether the layer is right. Here is what it does not reach: several tiles
in every direction, strides, mixed dtypes, every precision, split sums, and what is not finite in
other arguments than x.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from interpreted_problems import WIDTH, agree, arguments, check_all, exact, operators

from kanditioned_spec import numerics, reference
from kanditioned_triton import configs, device, split_k
from kanditioned_triton.device import Device

# Tiles of the interpreter are 128 rows by 32 outputs, see `configs.json`.
SHAPES = {
    "several tiles": (150, 9, 5, 43),
    "part of a feature in a tile": (150, 3, 20, 35),
    "lookup": (150, 5, 37, 35),
    "bucketed over tiles": (150, 1, 140, 9),
    "one of each": (1, 1, 2, 1),
}


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
