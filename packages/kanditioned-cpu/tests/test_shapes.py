"""Feasible control points by native kernels: the composed operations' values, an exact adjoint."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import kanditioned_cpu.torch as kernels  # noqa: E402
from kanditioned_spec import Shapes, numerics  # noqa: E402
from kanditioned_torch import blends, selection, shapes  # noqa: E402
from kanditioned_torch.impls.shaping import shapes_of, signs_of  # noqa: E402

SIGNS = [(m, c) for m in (-1, 0, 1) for c in (-1, 0, 1)]
EVERY = Shapes(*zip(*SIGNS, strict=True))
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def normal(*shape, dtype=torch.float32):
    return torch.tensor(np.random.default_rng(0).normal(size=shape)).to(dtype)


def native(c, spec):
    return kernels._apply_shapes(c, signs_of(spec))


@pytest.mark.usefixtures("instruction_set")
@DTYPES
@pytest.mark.parametrize("out_features", [1, 2, 5, 8, 15, 16, 17, 31, 33, 130])
def test_values_are_those_of_the_spec(out_features, dtype):
    for count in (2, 3, 7, 40):
        c = normal(len(SIGNS), count, out_features, dtype=dtype)
        points, _ = native(c, EVERY)
        numbers = c.double().numpy()
        allowed = numerics.tolerance(
            numerics.shape_condition(numbers, EVERY),
            EVERY.feasible(numbers),
            str(dtype).removeprefix("torch."),
        )
        assert (np.abs(points.double().numpy() - EVERY.feasible(numbers)) <= allowed).all()
        assert EVERY.violations(points.numpy()) == 0
        assert torch.equal(native(points, EVERY)[0], points)


@pytest.mark.usefixtures("instruction_set")
@DTYPES
@pytest.mark.parametrize("size", [1e-42, 1e-30, 1.0, 1e30, 1e36])
def test_no_violation_at_any_size(size, dtype):
    for order in range(3):
        c = normal(len(SIGNS), 33, 300, dtype=torch.float64)
        for _ in range(order):
            c = c.cumsum(1)
        free = (c * (size / c.abs().max())).to(dtype)
        assert EVERY.violations(native(free, EVERY)[0].numpy()) == 0


def test_monotone_points_have_the_bits_of_the_composed_ones(monkeypatch):
    spec = Shapes((1, -1, 0), (0, 0, 0))
    c = normal(3, 9, 70)
    c[:, ::2] = c[:, ::2].round()
    points, _ = native(c, spec)
    monkeypatch.setattr(selection, "shaping", lambda device_type: None)
    assert torch.equal(shapes.feasible(c, spec), points)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("out_features", [1, 16, 21])
def test_gradient_and_tangent_are_adjoint(out_features):
    c = normal(len(SIGNS), 12, out_features, dtype=torch.float64)
    _, marks = native(c, EVERY)
    v, g = c.flip(0) * 3, c.flip(1) + 1
    along = kernels._shapes_jvp(marks, v, signs_of(EVERY), False)
    back = kernels._shapes_jvp(marks, g, signs_of(EVERY), True)
    torch.testing.assert_close((along * g).sum((1, 2)), (v * back).sum((1, 2)))
    np.testing.assert_allclose(back, EVERY.vjp(c.numpy(), g.numpy()), atol=1e-14)


def test_in_order_the_map_and_its_derivative_are_the_identity():
    """Flat pieces at either end included, which the lowest vertex must not cut off."""
    k = torch.arange(9.0)[:, None]
    valley = (k - 4).abs().clamp(min=2).square()
    falling, rising = (5 - k).clamp(min=0), (k - 3).clamp(min=0)
    for spec, c in (
        (Shapes((0,), (1,)), valley),
        (Shapes((-1,), (1,)), falling),
        (Shapes((1,), (1,)), rising),
        (Shapes((-1,), (-1,)), -rising),
        (Shapes((1,), (-1,)), torch.zeros(9, 1)),
        (Shapes((-1,), (1,)), torch.zeros(9, 1)),
        (Shapes((-1,), (0,)), falling),
    ):
        points, marks = native(c[None], spec)
        assert torch.equal(points[0], c)
        g = normal(1, 9, 1)
        assert torch.equal(kernels._shapes_jvp(marks, g, signs_of(spec), True), g)
        np.testing.assert_allclose(spec.vjp(c[None].numpy(), g.numpy()), g, atol=1e-6)


def test_threads_and_layouts_do_not_matter():
    c = normal(40, 40, 100)
    spec = Shapes((1, 0) * 20, (0, -1) * 20)
    before = torch.get_num_threads()
    want = native(c, spec)
    try:
        torch.set_num_threads(3)
        for got in (native(c, spec), native(c.transpose(0, 2).contiguous().transpose(0, 2), spec)):
            assert all(map(torch.equal, got, want))
    finally:
        torch.set_num_threads(before)


def test_nothing_to_do():
    for shape in ((0, 5, 3), (9, 5, 0)):
        spec = EVERY.select(range(shape[0]))
        assert native(normal(*shape), spec)[0].shape == shape
    assert torch.equal(native(normal(2, 3, 4), Shapes((0, 0), (0, 0)))[0], normal(2, 3, 4))


def test_the_operators_are_registered_well():
    c, signs = normal(2, 7, 3), signs_of(Shapes((1, 0), (0, 1)))
    operators = torch.ops.kanditioned_cpu
    torch.library.opcheck(operators.shaped_points.default, (c, signs))
    marks = operators.shaped_points(c, signs)[1]
    torch.library.opcheck(operators.shaped_moved.default, (marks, c, signs, True))
    assert shapes_of(signs_of(EVERY)) == EVERY


def test_layers_use_them_for_what_they_can():
    spec = Shapes((1,), (0,))
    assert blends.native_signs(normal(1, 5, 2), spec) == "7"
    assert blends.native_signs(normal(1, 5, 2).half(), spec) is None
    assert blends.native_signs(torch.empty(1, 2**24 + 1, 1, device="meta"), spec) is None
    assert blends.native_signs(torch.empty(1, 2**24 + 1, 1), spec) is None
