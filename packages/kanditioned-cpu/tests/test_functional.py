"""What the functions take: layouts, dtypes, sizes of zero, and errors."""

import subprocess
import sys

import numpy as np
import pytest

import kanditioned_cpu
from kanditioned_spec import reference

X = np.linspace(-3, 3, 12).reshape(4, 3)
C = np.arange(30.0).reshape(3, 5, 2) ** 1.5
GY = np.arange(8.0).reshape(4, 2)


def same(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


class TestLayouts:
    @pytest.mark.parametrize(
        "x",
        [
            np.asfortranarray(X),
            np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3],
            X[::-1, ::-1].copy()[::-1, ::-1],
            np.rec.fromarrays([X, X.astype("i1")], names="x,tag").x,
            np.broadcast_to(X[:1], X.shape),
        ],
        ids=["feature-major", "stepped", "reversed", "packed record", "broadcast"],
    )
    def test_strided_inputs(self, x):
        same(kanditioned_cpu.forward(x, C, 4.0), reference.forward(x, C, 4.0))
        got, want = kanditioned_cpu.vjp(x, C, 4.0, GY), reference.vjp(x, C, 4.0, GY)
        for one, other in zip(got, want, strict=True):
            same(one, other)

    def test_strided_parameters_and_cotangents(self):
        c, gy = np.asfortranarray(C), np.asfortranarray(GY)
        for one, other in zip(
            kanditioned_cpu.vjp(X, c, 4.0, gy), reference.vjp(X, C, 4.0, GY), strict=True
        ):
            same(one, other)

    @pytest.mark.parametrize("leading", [(), (4,), (2, 2), (2, 0), (1, 3, 2)])
    def test_any_leading_shape(self, leading):
        x = np.resize(X, (*leading, 3))
        gy = np.resize(GY, (*leading, 2))
        assert kanditioned_cpu.forward(x, C, 4.0).shape == gy.shape
        grad_x, grad_c = kanditioned_cpu.vjp(x, C, 4.0, gy)
        same(grad_x, reference.vjp(x, C, 4.0, gy).x)
        same(grad_c, reference.vjp(x, C, 4.0, gy).control_points)

    def test_unaligned_memory(self):
        memory = np.zeros(4 * C.size + 1, dtype=np.uint8)[1:]
        c = memory.view(np.float32).reshape(C.shape)
        c[...] = C
        np.testing.assert_array_equal(
            kanditioned_cpu.forward(X.astype("f"), c, 4.0),
            kanditioned_cpu.forward(X.astype("f"), C.astype("f"), 4.0),
        )


class TestSizesOfZero:
    def test_no_features(self):
        y = kanditioned_cpu.forward(np.ones((3, 0)), np.ones((0, 4, 2)), 4.0)
        np.testing.assert_array_equal(y, np.zeros((3, 2)))

    def test_no_outputs(self):
        grad_x, grad_c = kanditioned_cpu.vjp(X, np.ones((3, 4, 0)), 4.0, np.ones((4, 0)))
        np.testing.assert_array_equal(grad_x, np.zeros_like(X))
        assert grad_c.shape == (3, 4, 0)

    def test_no_rows(self):
        _, grad_c = kanditioned_cpu.vjp(X[:0], C, 4.0, GY[:0])
        np.testing.assert_array_equal(grad_c, np.zeros_like(C))


class TestDtypes:
    @pytest.mark.parametrize("x", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("c", ["float16", "float32", "float64"])
    def test_promotion(self, x, c):
        y = kanditioned_cpu.forward(X.astype(x), C.astype(c), 4.0)
        assert y.dtype == np.result_type(x, c)

    def test_positions_of_half_inputs_are_not_rounded(self):
        x, ramp = np.float16(1.9995), np.arange(1025, dtype=np.float32).reshape(1, 1025, 1)
        y = kanditioned_cpu.forward(np.array([[x]]), ramp, 4.0)
        assert y.item() == np.float32((np.float32(x) + 2) * 256)


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ((X.astype(int), C, 4.0), TypeError, "`forward(x=...)` must be of a floating dtype"),
            ((X, C.astype(complex), 4.0), TypeError, "`forward(control_points=...)` must be of a"),
            ((X.astype(np.longdouble), C, 4.0), TypeError, "`forward(x=...)` must be of a float"),
            ((X, C[0], 4.0), ValueError, "`forward(control_points=...)` must be of shape (in_f"),
            ((X, C[:, :1], 4.0), ValueError, "`forward(num_control_points=...)` must be an inte"),
            ((X[:, :2], C, 4.0), ValueError, "`forward(x=...)` must be of shape (..., 3), got"),
            ((X, C, 0.0), ValueError, "`forward(spline_width=...)` must be a finite number > 0"),
        ],
    )
    def test_layer(self, arguments, error, message):
        with pytest.raises(error) as caught:
            kanditioned_cpu.forward(*arguments)
        assert str(caught.value).startswith(message)

    def test_cotangents_of_another_shape(self):
        with pytest.raises(ValueError, match=r"`vjp\(grad_y=...\)` must be of shape \(4, 2\)"):
            kanditioned_cpu.vjp(X, C, 4.0, GY[:1])
        with pytest.raises(ValueError, match=r"`jvp\(tangent_x=...\)` must be of shape \(4, 3\)"):
            kanditioned_cpu.jvp(X, C, 4.0, X[:1])

    def test_more_control_points_than_intervals_can_count(self):
        c = np.broadcast_to(np.float32(0), (1, 2**30 + 1, 0))
        with pytest.raises(ValueError, match=r"num_control_points=...\)` must be <= 1073741824"):
            kanditioned_cpu.forward(np.ones((1, 1), "f"), c, 4.0)


def test_no_framework_is_imported():
    code = "import sys, kanditioned_cpu.backend; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("dtype", "width"), [("float64", 1e-320), ("float64", 1e308), ("float32", 1e-40)]
)
def test_widths_that_a_dtype_does_not_hold(dtype, width):
    x, c = np.ones((2, 2), dtype), np.ones((2, 4, 3), dtype)
    with pytest.raises(ValueError, match=r"`forward\(spline_width=...\)` must be from"):
        kanditioned_cpu.forward(x, c, width)
