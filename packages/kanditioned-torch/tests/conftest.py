"""What several modules cross their properties with."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kanditioned_torch.impls import IMPLS

MAPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bspline", {}),
    ("prefix_sum", {}),
    ("parallel_scan", {}),
    ("dct", {"transform": "matmul"}),
    ("dct", {"transform": "fft"}),
    ("legendre", {}),
    ("demmler_reinsch", {"smoothing": 1e-3}),
)


@pytest.fixture(autouse=True)
def _one_thread_and_one_seed() -> None:
    torch.set_num_threads(1)  # threads that spin beside other work make small problems slow
    torch.manual_seed(0)


@pytest.fixture(params=["auto", *IMPLS])
def impl(request: pytest.FixtureRequest) -> str:
    """Every implementation of this package, and `auto`."""
    name: str = request.param
    return name


@pytest.fixture(params=MAPS, ids=lambda kind: "-".join([kind[0], *map(str, kind[1].values())]))
def kind(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Every parameterization, with options."""
    pair: tuple[str, dict[str, Any]] = request.param
    return pair
