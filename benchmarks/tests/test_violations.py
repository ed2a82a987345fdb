"""Outputs of functions that rise, as each implementation rounds them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.studies import violations
from kanditioned_spec import registry

EXACT = (
    "reference",
    "kanditioned_cpu.backend:backend",
    "kanditioned_torch.backend:embedding",
    "kanditioned_torch.backend:strided",
    "kanditioned_torch.backend:presorted",
    "kanditioned_torch.backend:cpu",
    "kanditioned_jax.backend:lookup",
)


@pytest.mark.parametrize("name", EXACT)
def test_no_output_falls(name: str) -> None:
    for in_features in (1, 3):
        for fall in violations.falls(registry.load(name), in_features, "float32", 50_000):
            assert not fall.any()


@pytest.mark.parametrize("name", ["dense", "embedding_bag", "sparse_csr"])
def test_sums_of_weighted_points_fall_within_their_bounds(name: str) -> None:
    backend = registry.load(f"kanditioned_torch.backend:{name}")
    rounds = list(violations.falls(backend, 3, "float32", 50_000))
    largest = max(float(np.max(fall)) for fall in rounds)
    assert 0 < largest < 1
