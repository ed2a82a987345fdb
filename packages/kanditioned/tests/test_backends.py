"""The classes of the selected backend, by selection and by name."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kanditioned
import kanditioned_torch
from kanditioned import backends
from kanditioned_spec import BackendInfo, BackendNotInstalledError, registry

ROOT = Path(__file__).parents[3]
NAMES = tuple(backends.packages())


@pytest.fixture(autouse=True)
def _nothing_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.ENVIRONMENT_VARIABLE, raising=False)


def home(name: str) -> Any:
    package = f"kanditioned_{name}"
    return pytest.importorskip(package, reason=f"the {name} backend is not installed")


def in_a_new_process(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_no_framework() -> None:
    in_a_new_process(
        "import sys, kanditioned\n"
        "assert {'KAN', 'KANLayer', 'torch', 'jax'} <= set(dir(kanditioned))\n"
        "assert not {'torch', 'jax', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )


def test_importing_the_layers_of_one_backend_imports_no_other() -> None:
    in_a_new_process("import sys\nfrom kanditioned import KAN\nassert 'jax' not in sys.modules")
    home("jax")
    in_a_new_process("import sys, kanditioned.jax\nassert 'torch' not in sys.modules")


@pytest.mark.parametrize("name", NAMES)
def test_the_classes_are_those_of_the_selected_backend(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = home(name)
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, name)
    from kanditioned import KAN, KANLayer

    assert (KAN, KANLayer) == (package.KAN, package.KANLayer)
    assert kanditioned.spline_forward is package.spline_forward
    assert isinstance(KANLayer(2, 2, "zero"), KANLayer)


@pytest.mark.parametrize("name", NAMES)
def test_every_backend_is_there_by_name(name: str) -> None:
    package, module = home(name), getattr(kanditioned, name)
    for exported in package.__all__:
        assert getattr(module, exported) is getattr(package, exported)


@pytest.mark.parametrize("name", NAMES)
def test_a_subclass_is_a_layer(name: str, tmp_path: Path) -> None:
    home(name)
    base = getattr(kanditioned, name).KANLayer

    class Doubled(base):  # type: ignore[misc]
        def doubled(self, x: Any) -> Any:
            return 2 * self(x)

    layer = Doubled(3, 3, "identity", num_control_points=4)
    x = torch.ones(2, 3) if name == "torch" else np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(layer.doubled(x).tolist(), np.full((2, 3), 2.0))
    layer.save(tmp_path / "layer.safetensors")
    assert type(Doubled.load(tmp_path / "layer.safetensors")) is Doubled


def test_without_a_backend_the_first_of_the_default_order_is_taken() -> None:
    assert kanditioned.KAN is kanditioned_torch.KAN


@pytest.mark.parametrize("writer", NAMES)
@pytest.mark.parametrize("reader", NAMES)
@pytest.mark.parametrize("kind", ["layer", "network"])
def test_load_reads_a_layer_or_a_network(
    writer: str, reader: str, kind: str, tmp_path: Path
) -> None:
    written, wanted, path = home(writer), home(reader), tmp_path / "model.safetensors"
    options = {"num_control_points": 5, "init": "identity"}
    if kind == "layer":
        model, want = written.KANLayer(4, 4, **options), wanted.KANLayer
    else:
        model, want = written.KAN([4, 4, 4], **options), wanted.KAN
    model.save(path)
    loaded = kanditioned.load(path, backend=reader, impl="dense")
    assert type(loaded) is want
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    arrays = {"torch": torch.from_numpy, "jax": np.asarray}
    got = loaded(arrays[reader](x)).tolist()
    np.testing.assert_allclose(got, model(arrays[writer](x)).tolist(), rtol=1e-5, atol=1e-6)


def test_an_absent_backend_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "absent_package.module:backend")
    with pytest.raises(BackendNotInstalledError, match=r"no module 'absent_package'"):
        kanditioned.KANLayer  # noqa: B018


def test_an_unknown_backend_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "tensorflow")
    with pytest.raises(ValueError, match="`backend` must be one of reference, torch, jax"):
        kanditioned.KANLayer  # noqa: B018


@pytest.mark.parametrize("name", ["torch-dense", "reference", "kanditioned_torch.backend:auto"])
def test_a_backend_without_layers_of_its_own_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, name)
    with pytest.raises(ValueError, match=r'must be one of "torch", "jax", got .*KANDITIONED_BACK'):
        kanditioned.KAN  # noqa: B018


@pytest.mark.parametrize("wrong", [3, 2.0, ["torch"], b"torch", True])
def test_a_backend_that_is_no_name_is_a_type_error(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"`load\(backend=...\)` must be the name of a backend"):
        kanditioned.load(tmp_path / "layer", backend=wrong)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        kanditioned.nothing  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from kanditioned import nothing  # type: ignore[attr-defined]  # noqa: F401


MISSING = {
    "kanditioned.KAN": ("torch", "import kanditioned; kanditioned.KAN", "kanditioned[torch]"),
    "kanditioned.torch": ("torch", "import kanditioned.torch", "kanditioned[torch]"),
    "kanditioned.jax": ("jax", "import kanditioned.jax", "kanditioned[jax]"),
    "kan_layer": ("torch", "import kanditioned.kan_layer", "kanditioned[torch]"),
    "estimators": ("sklearn", "import kanditioned.estimators", "kanditioned[sklearn]"),
    "adam": (
        "tqdm",
        "from kanditioned.estimators import KANRegressor\n"
        "KANRegressor((2,)).fit([[0.0], [1.0]], [0.0, 1.0])",
        "kanditioned[sklearn]",
    ),
    "jax estimators": (
        "optax",
        "from kanditioned.estimators import KANRegressor\n"
        "KANRegressor((2,), backend='jax').fit([[0.0], [1.0]], [0.0, 1.0])",
        "kanditioned[jax]",
    ),
    "demo": ("tqdm", "import kanditioned.demo.__main__", "kanditioned[demo]"),
    "pictures": (
        "matplotlib",
        "import kanditioned, numpy; kanditioned.plot_edges(numpy.ones((1, 2, 1)), 4.0)",
        "kanditioned[plot]",
    ),
    "nnx": ("flax", "import kanditioned_jax.nnx", "kanditioned-jax[nnx]"),
    "decay": (
        "optax",
        "import kanditioned_jax; kanditioned_jax.add_curvature_decay(1.0)",
        "kanditioned[jax]",
    ),
    "plot of jax": (
        "kanditioned",
        "import kanditioned_jax; kanditioned_jax.KANLayer(1, 1, 'zero').plot()",
        "kanditioned[plot]",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_named_with_the_line_that_installs_it(case: str) -> None:
    module, statement, requirement = MISSING[case]
    script = (
        f"import os, sys\nos.environ.pop('KANDITIONED_BACKEND', None)\nsys.modules[{module!r}] = "
        f"None\ntry:\n    exec({statement!r})\nexcept ImportError as error:\n    print(error)"
    )
    said = in_a_new_process(script)
    assert f'pip install "{requirement}"' in said
    assert module in said


def test_every_backend_of_ours_has_the_name_that_finds_it() -> None:
    """Else a test kit would measure one implementation under the name of another."""
    for name, entry in registry.entries().items():
        if entry.package.startswith("kanditioned_"):
            assert registry.load(name).info.name == name


def test_every_implementation_is_registered() -> None:
    """A backend without an entry point would be in no list, and no run of the kit."""
    targets = {entry.target for entry in registry.BUILT_IN}
    for path in ROOT.glob("packages/*/pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        targets |= set(project.get("entry-points", {}).get(registry.ENTRY_POINT_GROUP, {}).values())
    assert len(targets) > 15
    for module in sorted({target.partition(":")[0] for target in targets}):
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(getattr(value, "info", None), BackendInfo) and not isinstance(
                value, type
            ):
                assert f"{module}:{name}" in targets
