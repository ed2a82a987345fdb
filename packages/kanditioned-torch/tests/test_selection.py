"""Which implementation runs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from kanditioned_torch import selection
from kanditioned_torch.impls import IMPLS, Impl


@pytest.mark.parametrize("count", [2, 8, 9, 32, 33, 4096])
@pytest.mark.parametrize("device_type", ["cpu", "cuda", "mps"])
def test_the_table_has_an_answer_for_everything(count: int, device_type: str) -> None:
    chosen = selection.chosen(device_type, count)
    assert set(chosen) == {"interpolate", "contract", "accumulate", "accumulate_few"}
    assert set(chosen.values()) <= set(IMPLS)


def test_auto_takes_a_native_implementation_where_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = Impl(*(object() for _ in range(3)))  # type: ignore[arg-type]
    module = type(sys)("native")
    module.impl = native  # type: ignore[attr-defined]
    monkeypatch.setattr(selection, "_LOADED", {})
    assert selection.implementation("auto", "cpu", 8) is not native
    monkeypatch.setattr(selection, "_LOADED", {"cpu": module})
    assert selection.implementation("auto", "cpu", 8) is native
    assert selection.implementation("cpu", "cpu", 8) is native
    assert selection.implementation("auto", "cuda", 8) is not native
    assert selection.implementation("dense", "cpu", 8) is IMPLS["dense"]


def test_few_samples_are_accumulated_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> torch.Tensor:
        raise AssertionError

    monkeypatch.setattr(selection, "_LOADED", {})
    for unused, rows in (("sorted", 9), ("embedding_bag", 10)):
        with monkeypatch.context() as patch:
            patch.setitem(IMPLS, unused, Impl(*(never for _ in range(3))))
            auto = selection.implementation("auto", "cpu", 9)
            x, gy = torch.zeros(rows, 2), torch.ones(rows, 3)
            assert auto.accumulate(x, None, gy, 9, 4.0, x.dtype, "highest").sum() == gy.sum() * 2


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
