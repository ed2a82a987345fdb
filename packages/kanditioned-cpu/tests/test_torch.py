"""The operators: schemas and fakes, torch.compile, layouts, dtypes, workers, threads."""

import pytest

torch = pytest.importorskip("torch")

import kanditioned_cpu.torch  # noqa: E402, F401 - defines the operators
from kanditioned_torch import KANLayer, spline_forward  # noqa: E402

OPS = torch.ops.kanditioned_cpu


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def arguments(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator).to(dtype)

    return normal(7, 3), normal(3, 5, 4), normal(7, 4), normal(7, 3)


class TestOperators:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
    def test_opcheck(self, dtype):
        x, c, gy, v = arguments(dtype)
        precision = "highest"
        torch.library.opcheck(OPS.interpolate.default, (x, None, c, 4.0, dtype, precision))
        torch.library.opcheck(
            OPS.interpolate.default, (x.t().contiguous().t(), v, c, 4.0, dtype, precision)
        )
        torch.library.opcheck(OPS.contract.default, (x, c, gy, 4.0, dtype, precision))
        torch.library.opcheck(OPS.accumulate.default, (x, None, gy, 5, 4.0, dtype, precision))
        torch.library.opcheck(OPS.accumulate.default, (x, v, gy, 5, 4.0, dtype, precision))
        torch.library.opcheck(OPS.vjp.default, (x, c, gy, 4.0, precision))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_any_layout(self, dtype):
        x, c, gy, v = arguments(dtype)

        def results(x, c, gy, v):
            return (
                OPS.interpolate(x, v, c, 4.0, dtype, "highest"),
                OPS.accumulate(x, v, gy, 5, 4.0, dtype, "highest"),
                *OPS.vjp(x, c, gy, 4.0, "highest"),
            )

        strided = [t.repeat_interleave(2, -1)[..., ::2] for t in (x, c, gy, v)]
        transposed = [t.transpose(0, -1).contiguous().transpose(0, -1) for t in (x, c, gy, v)]
        for given in (strided, transposed):
            for got, want in zip(results(*given), results(x, c, gy, v), strict=True):
                assert torch.equal(got, want)

    def test_both_gradients_are_those_alone(self):
        x, c, gy, _ = arguments()
        grad_x, grad_c = OPS.vjp(x, c, gy, 4.0, "highest")
        float32 = (4.0, torch.float32, "highest")
        assert torch.equal(grad_x, OPS.contract(x, c, gy, *float32))
        assert torch.equal(grad_c, OPS.accumulate(x, None, gy, 5, *float32))

    def test_mixed_dtypes(self):
        x, c, gy, _ = arguments()
        grad_x, grad_c = OPS.vjp(x.half(), c.double(), gy.bfloat16(), 4.0, "highest")
        assert (grad_x.dtype, grad_c.dtype) == (torch.float16, torch.float64)


class TestLayer:
    def test_compiles_into_one_graph(self):
        x, c, gy, _ = arguments()

        def step(x, c):
            return spline_forward(x, c, 4.0, "cpu").sin()

        leaves = [t.clone().requires_grad_() for t in (x, c)]
        eager = torch.autograd.grad(step(*leaves), leaves, gy)
        compiled = torch.compile(step, fullgraph=True, backend="aot_eager", dynamic=True)
        for got, want in zip(
            torch.autograd.grad(compiled(*leaves), leaves, gy), eager, strict=True
        ):
            torch.testing.assert_close(got, want)

    def test_compiles_with_inductor(self):
        layer = KANLayer(3, 4, num_control_points=5, impl="cpu")
        x = arguments()[0]
        compiled = torch.compile(layer, fullgraph=True)
        torch.testing.assert_close(compiled(x), layer(x))

    def test_auto_takes_it(self):
        x, c, _, _ = arguments()
        assert torch.equal(spline_forward(x, c, 4.0), spline_forward(x, c, 4.0, "cpu"))

    def test_same_bits_with_two_threads(self):
        x, c = torch.randn(3000, 8), torch.randn(8, 6, 40)

        def results():
            leaves = [t.clone().requires_grad_() for t in (x, c)]
            y = spline_forward(*leaves, 4.0, "cpu")
            return y, *torch.autograd.grad(y.sum(), leaves)

        one = results()
        torch.set_num_threads(2)
        for got, want in zip(results(), one, strict=True):
            assert torch.equal(got, want)

    def test_in_the_workers_of_a_loader(self):
        data = _Evaluated()
        loader = torch.utils.data.DataLoader(
            data, batch_size=None, num_workers=1, multiprocessing_context="fork"
        )
        for got, index in zip(loader, range(len(data)), strict=True):
            assert torch.equal(got, data[index])


class _Evaluated(torch.utils.data.Dataset):
    """A data set that evaluates a layer large enough for two threads."""

    def __init__(self):
        self.x, self.c = torch.randn(4, 600, 8), torch.randn(8, 6, 40)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        torch.set_num_threads(2)
        return spline_forward(self.x[index], self.c, 4.0, "cpu")
