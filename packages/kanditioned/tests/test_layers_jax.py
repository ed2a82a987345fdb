from __future__ import annotations

import numpy as np
import pytest

from kanditioned import KAN, KANLayer

kanditioned_jax = pytest.importorskip("kanditioned_jax", reason="the JAX backend is not installed")


def test_jax_makes_the_pytrees_of_its_package() -> None:
    layer = KANLayer(3, 2, num_control_points=8, backend="jax", seed=0)
    assert type(layer) is kanditioned_jax.KANLayer
    assert type(KAN([3, 2], backend="jax", seed=0)) is kanditioned_jax.KAN


def test_a_seed_decides_the_initial_functions() -> None:
    layers = [KANLayer(3, 2, backend="jax", seed=seed) for seed in (1, 1, 2, None, None)]
    first, same, other, fresh, fresher = (np.asarray(layer.control_points()) for layer in layers)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(fresh, fresher)
