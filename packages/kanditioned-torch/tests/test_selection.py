"""Which implementation runs."""

from __future__ import annotations

import subprocess
import sys

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
    assert set(chosen) == {"interpolate", "contract", "accumulate"}
    assert set(chosen.values()) <= set(IMPLS)


def test_the_table_knows_works_only() -> None:
    for modes in selection._TABLE.values():
        for contractions in modes.values():
            for candidates in contractions.values():
                assert candidates
                for costs in candidates.values():
                    assert set(costs) <= set(WORKS)


def test_many_control_points_are_looked_up_elsewhere() -> None:
    sizes = Sizes(1024, 256, 256, 32)
    assert selection.chosen("cuda", False, sizes)["interpolate"] == "dense"
    more = sizes._replace(num_control_points=33)
    assert selection.chosen("cuda", False, more)["interpolate"] == "embedding"


def test_auto_takes_a_native_implementation_where_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = Impl(*(object() for _ in range(3)))  # type: ignore[arg-type]
    module = type(sys)("native")
    module.impl = native  # type: ignore[attr-defined]
    monkeypatch.setattr(selection, "_LOADED", {})
    assert selection.implementation("auto", "cpu", SMALL) is not native
    monkeypatch.setattr(selection, "_LOADED", {"cpu": module})
    assert selection.implementation("auto", "cpu", SMALL) is native
    assert selection.implementation("cpu", "cpu", SMALL) is native
    assert selection.implementation("auto", "cuda", SMALL) is not native
    assert selection.implementation("dense", "cpu", SMALL) is IMPLS["dense"]


def test_auto_is_made_of_the_cheapest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_LOADED", {})
    dear, cheap = {"call": 2.0}, {"call": 1.0}
    table = {
        "interpolate": {"dense": {"edges": 1.0}, "strided": {"call": 10.0}},
        "contract": {"dense": dear, "sparse_csr": cheap},
        "accumulate": {"sorted": cheap, "dense": dear},
    }
    monkeypatch.setitem(selection._TABLE, "cpu", {"eager": table, "compiled": table})
    selection._fastest.cache_clear()
    for batch, first in ((9, "dense"), (11, "strided")):
        auto = selection.implementation("auto", "cpu", Sizes(batch, 1, 1, 5))
        assert auto.interpolate is IMPLS[first].interpolate
        assert auto.contract is IMPLS["sparse_csr"].contract
        assert auto.accumulate is IMPLS["sorted"].accumulate
    selection._fastest.cache_clear()


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
