"""The package as a whole: imports, doctests, command line, the reference as a backend."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kanditioned_spec
from kanditioned_spec import (
    PARAMETERIZATIONS,
    Backend,
    Grid,
    Problem,
    initializers,
    reference,
    refinement,
)
from kanditioned_spec.__main__ import main
from kanditioned_spec.backend import backend
from kanditioned_spec.protocol import CAPABILITIES, offers

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(kanditioned_spec.__path__, "kanditioned_spec.")
    if not module.name.endswith("__main__")
)


def test_importing_the_spec_brings_in_no_framework() -> None:
    script = (
        f"import sys; import {', '.join(['kanditioned_spec', *MODULES])}\n"
        "heavy = {'torch', 'jax', 'scipy', 'triton', 'tensorflow', 'sklearn', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_everything_public_is_there() -> None:
    assert all(hasattr(kanditioned_spec, name) for name in kanditioned_spec.__all__)


def test_command_line_prints_a_table_per_objective(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["kanditioned_spec", "--num-control-points", "4", "8", "--smoothing", "1"]
    )
    main()
    printed = capsys.readouterr().out
    assert printed.count("K = 8") == 3
    assert "uniform inputs" in printed
    assert "normal inputs" in printed


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_reference_backend_maps_as_the_parameterization_does(name: str) -> None:
    problem = Problem(4, 3, 2, 6, dtype="float64", parameterization=name)
    p = PARAMETERIZATIONS[name](6)
    theta = np.random.default_rng(0).normal(size=(3, p.num_parameters, 2))
    c = backend.control_points(problem, theta)
    np.testing.assert_array_equal(c, p.control_points(theta))
    np.testing.assert_array_equal(backend.control_points_transpose(problem, c), p.transpose(c))
    assert backend.penalty(problem, theta) == p.penalty(theta)
    np.testing.assert_array_equal(backend.parameters_from(problem, c), p.parameters_from(c))


def test_reference_backend_evaluates_as_the_reference_does() -> None:
    rng = np.random.default_rng(0)
    problem = Problem(4, 3, 2, 6, 1.0, "float64")
    x, v = rng.normal(size=(2, 4, 3))
    c, direction = rng.normal(size=(2, 3, 6, 2))
    gy = rng.normal(size=(4, 2))
    np.testing.assert_array_equal(backend.forward(problem, x, c), reference.forward(x, c, 1.0))
    for got, want in (
        (backend.vjp(problem, x, c, gy), reference.vjp(x, c, 1.0, gy)),
        (
            backend.vjp_of_vjp(problem, x, c, gy, v, direction),
            reference.vjp_of_vjp(x, c, 1.0, gy, v, direction),
        ),
    ):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)


def test_reference_backend_initialises_and_refines_as_the_spec_does() -> None:
    problem = Problem(0, 2, 3, 5, 2.0, "float64")
    c = backend.initial_control_points(problem, "random_normal", 7)
    np.testing.assert_array_equal(
        c, initializers.control_points("random_normal", 2, 3, Grid(5, 2.0), 7)
    )
    np.testing.assert_array_equal(backend.refine(problem, c, 9), refinement.refine(c, 9))
    wide, width = backend.widen(problem, c, 1)
    assert width == 3.0
    np.testing.assert_array_equal(wide, refinement.widen(c, 2.0, 1)[0])


def test_reference_layer_starts_as_it_is_told() -> None:
    layer = backend.layer(in_features=2, out_features=2, init="identity", parameterization="dct")
    c = layer.parameterization.control_points(layer.parameters)
    want = initializers.control_points("identity", 2, 2, Grid(32, 4.0))
    np.testing.assert_allclose(c, want, atol=1e-12)


def test_reference_layer_refuses_what_validate_refuses() -> None:
    with pytest.raises(ValueError, match=r"^`KANLayer\(num_control_points=\.\.\.\)` must be"):
        backend.layer(in_features=1, out_features=1, num_control_points=1)
    with pytest.raises(ValueError, match="must have in_features == out_features"):
        backend.layer(in_features=1, out_features=2, init="identity")


def test_reference_backend_offers_every_capability() -> None:
    assert all(offers(backend, name) for name in CAPABILITIES)
    assert isinstance(backend, Backend)


@pytest.mark.parametrize("dtype", backend.info.dtypes)
def test_reference_backend_reads_what_it_has_written(dtype: str, tmp_path: Path) -> None:
    problem = Problem(0, 1, 2, 3, 1.0, dtype, parameterization="prefix_sum")
    theta = np.array([[[1.0, -0.0], [0.5, np.inf], [2.0, -3.0]]])
    backend.save(problem, theta, tmp_path / "layer.safetensors")
    loaded, values = backend.load(tmp_path / "layer.safetensors")
    assert loaded == problem
    np.testing.assert_array_equal(values, theta)


class Minimal:
    """Has what a backend must have and nothing else."""

    info = backend.info

    def supports(self, problem: Problem) -> bool | str:
        return True

    def forward(self, *_: object) -> None:
        """Return nothing."""


def test_a_backend_may_lack_every_capability() -> None:
    assert isinstance(Minimal(), Backend)
    assert not any(offers(Minimal(), name) for name in CAPABILITIES)


def test_reference_backend_says_why_it_does_not_take_a_problem() -> None:
    assert backend.supports(Problem(1, 1, 1, 2)) is True
    assert backend.supports(Problem(1, 1, 1, 2, device="cuda")) == "NumPy has no device 'cuda'"
