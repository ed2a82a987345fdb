"""Which implementation runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kanditioned_spec.costs import WORKS, Sizes
from kanditioned_torch import selection, spline_forward
from kanditioned_torch.impls import IMPLS, Impl
from kanditioned_torch.impls.native import Native

SMALL, LARGE = Sizes(1, 1, 1, 2), Sizes(2**20, 4096, 4096, 4096)


@pytest.mark.parametrize("sizes", [SMALL, LARGE, Sizes(64, 784, 64, 8)])
@pytest.mark.parametrize("device_type", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("traced", [False, True])
def test_the_table_has_an_answer_for_everything(
    sizes: Sizes, device_type: str, traced: bool
) -> None:
    chosen = selection.choose(device_type, traced, sizes)
    assert set(chosen) - {"vjp"} == {"interpolate", "contract", "accumulate"}
    assert set(chosen.values()) <= {*IMPLS, *selection.PACKAGES}


def test_the_table_knows_works_only() -> None:
    for modes in selection._TABLE.values():
        for contractions in modes.values():
            for candidates in contractions.values():
                assert candidates
                for costs in candidates.values():
                    assert set(costs) <= set(WORKS)


def test_many_control_points_are_looked_up_elsewhere() -> None:
    sizes = Sizes(1024, 256, 256, 32)
    assert selection.choose("mps", False, sizes)["interpolate"] == "dense"
    more = sizes._replace(num_control_points=33)
    assert selection.choose("mps", False, more)["interpolate"] == "embedding"


def install(monkeypatch: pytest.MonkeyPatch, **registered: Any) -> None:
    """Put entry points in place of the installed packages'; an error is raised by loading."""

    def load(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    points = {k: SimpleNamespace(load=partial(load, v)) for k, v in registered.items()}
    monkeypatch.setattr(selection, "entry_points", lambda: points)
    forget()


def forget() -> None:
    for cached in (
        selection.native,
        selection.implementation_named,
        selection.untraced_implementation,
        selection._fastest,
        selection._usable,
    ):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _forget_afterwards() -> Iterator[None]:
    yield
    forget()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, dict[str, float]]]:
    """Put a table for the CPU in place of the measured one, with no native package installed."""
    dear, cheap = {"call": 2.0}, {"call": 1.0}
    given = {
        "interpolate": {"dense": {"edges": 1.0}, "strided": {"call": 10.0}, "cpu": dear},
        "contract": {"dense": dear, "sparse_csr": cheap, "cpu": dear},
        "accumulate": {"sorted": cheap, "dense": dear, "cpu": dear},
        "vjp": {"cpu": {"edges": 0.5}},
    }
    install(monkeypatch)
    monkeypatch.setitem(selection._TABLE, "cpu", {"eager": given, "compiled": given})
    return given


def auto(batch: int) -> Impl:
    return selection.implementation("auto", "cpu", Sizes(batch, 1, 1, 5))


@pytest.mark.usefixtures("table")
def test_auto_is_made_of_the_cheapest() -> None:
    for batch, first in ((9, "dense"), (11, "strided")):
        assert auto(batch).interpolate is IMPLS[first].interpolate
        assert auto(batch).contract is IMPLS["sparse_csr"].contract
        assert auto(batch).accumulate is IMPLS["sorted"].accumulate
        assert auto(batch).vjp is None


@pytest.mark.usefixtures("table")
def test_auto_takes_a_native_implementation_where_installed_and_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = Impl(*(object() for _ in range(4)))  # type: ignore[arg-type]
    install(monkeypatch, cpu=Native(native, "cpu"))
    assert auto(1).interpolate is IMPLS["dense"].interpolate
    assert auto(3).interpolate is native.interpolate
    assert auto(3).contract is IMPLS["sparse_csr"].contract
    assert auto(4).vjp is native.vjp  # no slower than the two apart
    assert auto(5).vjp is None
    assert selection.implementation("cpu", "cpu", SMALL) is native
    assert selection.implementation("auto", "cuda", SMALL).vjp is None


def test_triton_is_always_the_faster_one_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, triton=Native(IMPLS["dense"], "cuda"))
    for traced in (False, True):
        assert set(selection.choose("cuda", traced, LARGE).values()) == {"triton"}
        assert "triton" not in selection.choose("mps", traced, LARGE).values()


def test_a_size_that_the_compiler_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not be compared, which would fix it or narrow what the program is good for."""
    install(monkeypatch)
    c = torch.randn(3, 9, 2)
    batch = torch.export.Dim("batch", min=2, max=2**20)

    class Layer(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return spline_forward(x, c, impl="auto")

    program = torch.export.export(Layer(), (torch.rand(5, 3),), dynamic_shapes=({0: batch},))
    x = torch.rand(70, 3)
    torch.testing.assert_close(program.module()(x), spline_forward(x, c, impl="embedding"))


def test_a_broken_package_is_done_without_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, cpu=ImportError("no such symbol"))
    with pytest.warns(RuntimeWarning, match=r"kanditioned-cpu is installed .*no such symbol"):
        chosen = selection.choose("cpu", False, SMALL)
    assert "cpu" not in chosen.values()
    with pytest.raises(ImportError, match="must be installed, got no such symbol"):
        selection.check("KANLayer", "cpu")


def test_another_package_may_add_an_implementation(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, mine=Native(IMPLS["dense"], "cpu"), other="a string")
    x, c = torch.rand(5, 3), torch.randn(3, 4, 2)
    want = spline_forward(x, c, impl="dense")
    assert torch.equal(spline_forward(x, c, impl="mine"), want)
    assert "mine" not in selection.choose("cpu", False, SMALL).values()  # nothing was measured
    with pytest.raises(ImportError, match="got its entry point 'other' names no Native"):
        spline_forward(x, c, impl="other")


def test_importing_brings_in_no_other_framework_nor_the_compiler() -> None:
    heavy = {
        "jax",
        "kanditioned_cpu",
        "kanditioned_triton",
        "matplotlib",
        "pandas",
        "torch._dynamo",
        "triton",
    }
    script = f"import sys, kanditioned_torch; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_everything_public_is_there() -> None:
    import kanditioned_torch

    assert all(hasattr(kanditioned_torch, name) for name in kanditioned_torch.__all__)
    assert torch.nn.Module in kanditioned_torch.KANLayer.__mro__
