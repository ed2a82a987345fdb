"""The kernel is called past PyTorch's dispatcher where that has nothing to do, and only there."""

from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from torch.autograd import forward_ad  # noqa: E402
from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import kanditioned_cpu.torch  # noqa: E402, F401 - defines the operators
from kanditioned_cpu import native  # noqa: E402
from kanditioned_torch import KANLayer, functional, spline_forward  # noqa: E402
from kanditioned_torch.plain import dispatches, is_plain  # noqa: E402


def layer_and_input(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    layer = KANLayer(6, 4, num_control_points=5, generator=generator, impl="cpu", dtype=dtype)
    return layer, torch.randn(3, 6, generator=generator).to(dtype)


@pytest.fixture
def operators(monkeypatch):
    """The operators' kernels that have been called through the general way of a layer."""
    seen = []
    general = functional.derivatives.interpolate

    def interpolate(*arguments):
        seen.append("interpolate")
        return general(*arguments)

    monkeypatch.setattr(functional.derivatives, "interpolate", interpolate)
    return seen


class Names(TorchDispatchMode):
    """Collects the names of operators."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(str(function))
        return function(*args, **kwargs or {})


class Functions(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_value_alone_is_one_call(operators, context, dtype):
    layer, x = layer_and_input(dtype)
    want = layer(x).detach()
    assert operators == ["interpolate"]
    with context():
        got = layer(x)
        strided = layer(x.t().contiguous().t())
    assert operators == ["interpolate"]
    assert torch.equal(got, want)
    assert torch.equal(strided, want)
    assert not got.requires_grad


@pytest.mark.parametrize(
    "context",
    [
        nullcontext,
        lambda: torch.autocast("cpu", torch.bfloat16),
        Names,
        Functions,
        torch.profiler.profile,
        lambda: forward_ad.dual_level(),
    ],
    ids=["recording", "autocast", "dispatch mode", "function mode", "profiler", "dual numbers"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_is_not_where_something_looks_on(operators, context):
    layer, x = layer_and_input()
    with torch.set_grad_enabled(context is nullcontext), context():
        layer(x)
    assert operators == ["interpolate"]


@pytest.mark.parametrize("kind", ["bfloat16", "one sample", "more dimensions", "mixed", "subclass"])
def test_it_is_not_for_other_tensors(operators, kind):
    class Named(torch.Tensor):
        pass

    layer, x = layer_and_input()
    given = {
        "bfloat16": lambda: x.bfloat16(),
        "one sample": lambda: x[0],
        "more dimensions": lambda: x[None],
        "mixed": lambda: x.double(),
        "subclass": lambda: x.as_subclass(Named),
    }[kind]()
    with torch.no_grad():
        y = layer(given)
    assert operators == ["interpolate"]
    assert type(y) is type(given)
    torch.testing.assert_close(
        torch.Tensor(y.float()).reshape(-1, 4)[0], layer(x).detach()[0], rtol=2e-2, atol=2e-2
    )


def test_views_that_are_not_their_memory():
    layer, x = layer_and_input()
    negative = torch.complex(torch.zeros_like(x), -x).conj().imag
    assert negative.is_neg()
    zero = torch._efficientzerotensor(3, 6)
    assert not is_plain(negative)
    assert not is_plain(zero)
    with torch.no_grad():
        assert torch.equal(layer(negative), layer(x))
        assert torch.equal(layer(zero), layer(torch.zeros(3, 6)))


@pytest.mark.filterwarnings("ignore")  # of a tracer that PyTorch means to drop
def test_transforms_and_tracers_see_the_operator():
    layer, x = layer_and_input()
    c = layer.theta.detach()

    def evaluate(x):
        return spline_forward(x, c, 4.0, "cpu")

    want = evaluate(x)
    with torch.no_grad():
        assert torch.equal(torch.func.vmap(evaluate)(x[:, None])[:, 0], want)
        with Names() as names:
            evaluate(x)
        assert "kanditioned_cpu.interpolate.default" in names.seen
        for pre_dispatch in (False, True):
            graph = make_fx(evaluate, pre_dispatch=pre_dispatch)(x)
            assert "kanditioned_cpu.interpolate" in graph.code
            assert torch.equal(graph(x + 1), evaluate(x + 1))
        traced = torch.jit.trace(layer, x)
        assert torch.equal(traced(x + 1), evaluate(x + 1))
        with torch.profiler.profile() as profile:
            evaluate(x)
        assert any(event.name == "kanditioned_cpu::interpolate" for event in profile.events())


def test_a_wrapper_that_outlived_its_transform_is_not_plain():
    escaped = []

    def loss(x):
        escaped.append(x)
        return x.sum()

    torch.func.grad(loss)(torch.ones(3, 6))
    assert not dispatches()
    assert not is_plain(escaped[0])


def test_wrong_input_is_refused_as_ever():
    layer, x = layer_and_input()
    with torch.no_grad(), pytest.raises(ValueError, match="last dimension"):
        layer(x[:, :5])


def test_layouts_are_shared_and_read_only():
    layer, x = layer_and_input()
    with torch.no_grad():
        layer(x)
        before = native.layout.cache_info().hits
        layer(x)
    assert native.layout.cache_info().hits == before + 1
