from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import kanditioned
import kanditioned_torch
from kanditioned import KAN, KANLayer
from kanditioned_spec import BackendNotInstalledError


def test_importing_the_face_imports_no_framework() -> None:
    script = (
        "import sys, kanditioned\n"
        "assert not {'torch', 'jax', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_torch_makes_the_modules_of_its_package() -> None:
    layer = KANLayer(3, 2, num_control_points=8, impl="dense", backend="torch", dtype=torch.float64)
    assert type(layer) is kanditioned_torch.KANLayer
    assert (layer.impl, layer.theta.dtype) == ("dense", torch.float64)
    assert type(KAN([3, 2], backend="torch")) is kanditioned_torch.KAN


def test_a_seed_decides_the_initial_functions_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, same, other = (KAN([3, 4, 2], backend="torch", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    x = torch.randn(5, 3)
    assert torch.equal(first(x), same(x))
    assert not torch.equal(first(x), other(x))


def test_the_environment_variable_selects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDITIONED_BACKEND", "torch-strided")
    assert KANLayer(2, 2).impl == "strided"


@pytest.mark.parametrize("make", [lambda **o: KANLayer(2, 2, **o), lambda **o: KAN([2, 2], **o)])
def test_an_absent_backend_says_what_is_installed_and_how_to_get_it(make: object) -> None:
    assert callable(make)
    with pytest.raises(BackendNotInstalledError, match=r"Installed: .*torch.*pip install \"absent"):
        make(backend="absent_package.module:backend")


def test_an_unknown_backend_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="`backend` must be one of reference, torch, jax"):
        KANLayer(2, 2, backend="tensorflow")


def test_a_backend_without_networks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`KAN\(backend=...\)` must be a backend with networks"):
        KAN([2, 2], backend="torch-dense")


@pytest.mark.parametrize(("argument", "value"), [("impl", "dense"), ("seed", 0)])
def test_other_backends_leave_no_choice(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"`KANLayer\({argument}=...\)` must be"):
        KANLayer(2, 2, backend="torch-dense", **{argument: value})  # type: ignore[arg-type]


def test_bad_arguments_are_reported_by_the_backend() -> None:
    with pytest.raises(
        ValueError, match=r"`KANLayer\(num_control_points=...\)` must be an integer"
    ):
        KANLayer(2, 2, num_control_points=1, backend="torch")


def test_names_of_torch_are_the_face_s_too() -> None:
    assert kanditioned.param_groups is kanditioned_torch.param_groups
    assert kanditioned.exportable is kanditioned_torch.exportable
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        kanditioned.nothing  # noqa: B018


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_layers_draw_themselves(backend: str) -> None:
    figure = KANLayer(2, 3, num_control_points=5, backend=backend).plot("all")
    assert len(figure.axes) == 6
