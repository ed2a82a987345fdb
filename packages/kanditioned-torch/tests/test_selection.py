"""Which implementation runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch

from kanditioned_spec.costs import WORKS, Sizes
from kanditioned_torch import selection, spline_forward
from kanditioned_torch.impls import IMPLS, Impl

SMALL, LARGE = Sizes(1, 1, 1, 2), Sizes(2**20, 4096, 4096, 4096)


@pytest.mark.parametrize("sizes", [SMALL, LARGE, Sizes(64, 784, 64, 8)])
@pytest.mark.parametrize("device_type", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("traced", [False, True])
def test_the_table_has_an_answer_for_everything(
    sizes: Sizes, device_type: str, traced: bool
) -> None:
    chosen = selection.chosen(device_type, traced, sizes)
    assert set(chosen) - {"vjp"} == {"interpolate", "contract", "accumulate"}
    assert set(chosen.values()) <= {*IMPLS, *selection.NATIVE}


def test_the_table_knows_works_only() -> None:
    for modes in selection._TABLE.values():
        for contractions in modes.values():
            for candidates in contractions.values():
                assert candidates
                for costs in candidates.values():
                    assert set(costs) <= set(WORKS)


def test_many_control_points_are_looked_up_elsewhere() -> None:
    sizes = Sizes(1024, 256, 256, 32)
    assert selection.chosen("mps", False, sizes)["interpolate"] == "dense"
    more = sizes._replace(num_control_points=33)
    assert selection.chosen("mps", False, more)["interpolate"] == "embedding"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, dict[str, float]]]]:
    """Put a table for the CPU in place of the measured one, with no native package installed."""
    dear, cheap = {"call": 2.0}, {"call": 1.0}
    given = {
        "interpolate": {"dense": {"edges": 1.0}, "strided": {"call": 10.0}, "cpu": dear},
        "contract": {"dense": dear, "sparse_csr": cheap, "cpu": dear},
        "accumulate": {"sorted": cheap, "dense": dear, "cpu": dear},
        "vjp": {"cpu": {"edges": 0.5}},
    }
    monkeypatch.setattr(selection, "_LOADED", {})
    monkeypatch.setitem(selection._TABLE, "cpu", {"eager": given, "compiled": given})
    selection._fastest.cache_clear()
    yield given
    selection._fastest.cache_clear()


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
    module = ModuleType("native")
    module.impl = native  # type: ignore[attr-defined]
    monkeypatch.setattr(selection, "_LOADED", {"cpu": module})
    assert auto(1).interpolate is IMPLS["dense"].interpolate
    assert auto(3).interpolate is native.interpolate
    assert auto(3).contract is IMPLS["sparse_csr"].contract
    assert auto(4).vjp is native.vjp  # no slower than the two apart
    assert auto(5).vjp is None
    assert selection.implementation("cpu", "cpu", SMALL) is native
    assert selection.implementation("auto", "cuda", SMALL).vjp is None


def test_triton_is_always_the_faster_one_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_LOADED", {"triton": ModuleType("native")})
    for traced in (False, True):
        assert set(selection.chosen("cuda", traced, LARGE).values()) == {"triton"}
        assert "triton" not in selection.chosen("mps", traced, LARGE).values()


def test_a_size_that_the_compiler_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not be compared, which would fix it or narrow what the program is good for."""
    monkeypatch.setattr(selection, "_LOADED", {})
    c = torch.randn(3, 9, 2)
    batch = torch.export.Dim("batch", min=2, max=2**20)

    class Layer(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return spline_forward(x, c, impl="auto")

    program = torch.export.export(Layer(), (torch.rand(5, 3),), dynamic_shapes=({0: batch},))
    x = torch.rand(70, 3)
    torch.testing.assert_close(program.module()(x), spline_forward(x, c, impl="embedding"))


def test_importing_brings_in_no_other_framework_nor_the_compiler() -> None:
    heavy = {"jax", "matplotlib", "pandas", "torch._dynamo"}
    script = f"import sys, kanditioned_torch; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_everything_public_is_there() -> None:
    import kanditioned_torch

    assert all(hasattr(kanditioned_torch, name) for name in kanditioned_torch.__all__)
    assert torch.nn.Module in kanditioned_torch.KANLayer.__mro__
