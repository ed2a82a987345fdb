"""How a backend is found, and what is said when it is not."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kanditioned_spec import Backend, BackendNotInstalledError, registry
from kanditioned_spec.backend import ReferenceBackend, backend
from kanditioned_spec.protocol import SPEC_VERSION

Plug = Callable[..., str]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Put objects into an importable module and return its name."""

    def add(name: str = "plugged_backend", **attributes: object) -> str:
        module = ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
        return name

    return add


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide every backend but the reference, whatever this environment has."""
    monkeypatch.delenv(registry.ENVIRONMENT_VARIABLE, raising=False)
    for name in ("kanditioned_torch", "kanditioned_jax"):
        for module in [m for m in sys.modules if m.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)  # Python's mark for "cannot be imported"


def of_version(version: str) -> ReferenceBackend:
    made = ReferenceBackend()
    made.info = replace(backend.info, spec_version=version)  # type: ignore[misc]
    return made


def test_the_reference_is_known_by_name() -> None:
    assert registry.load("reference") is backend
    assert isinstance(backend, Backend)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"reference, torch, jax.*got 'tensorflow'") as caught:
        registry.load("tensorflow")
    assert registry.ENTRY_POINT_GROUP in str(caught.value)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_an_absent_backend_is_an_error_with_the_pip_line(name: str) -> None:
    with pytest.raises(BackendNotInstalledError) as caught:
        registry.load(name)
    text = str(caught.value)
    assert f'pip install "kanditioned[{name}]"' in text
    assert "Installed: reference" in text
    assert isinstance(caught.value, ImportError)
    assert caught.value.__cause__ is not None


def test_an_absent_module_is_looked_for_not_installed() -> None:
    for target in ("no_such_package:backend", "no_such_package.deeper:backend"):
        with pytest.raises(BackendNotInstalledError, match="no module 'no_such_package' in /") as c:
            registry.load(target)
        assert "pip" not in str(c.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing' .*line 1"),
        ("1 / 0", "ZeroDivisionError: division by zero .*broken_adapter.py, line 1"),
        ("backend = (", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_says_where_it_fails(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_adapter.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=f"importing 'broken_adapter' raises {said}"):
        registry.load("broken_adapter:backend")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtypes": "float32"}, "info.dtypes` must be a tuple of strings, is 'float32'"),
        ({"dtypes": ()}, "info.dtypes` must name at least one of float64"),
        ({"dtypes": ("float8",)}, "info.dtypes` must name at least one of float64"),
        ({"devices": None}, "info.devices` must be a tuple of strings, is None"),
        ({"accumulation": "float32"}, "info.accumulation` must be a dict"),
        ({"gradients": ("y",)}, "info.gradients` must name at least one of x, control_points"),
        ({"extrapolation": "flat"}, "info.extrapolation` must be one of linear, constant, zero"),
        ({"fixed_problems": (3,)}, "info.fixed_problems` must be a tuple of `Problem`"),
        ({"spec_version": 2.0}, "info.spec_version` must be a string"),
    ],
)
def test_a_wrong_info_is_named(plug: Plug, change: dict[str, Any], said: str) -> None:
    wrong = ReferenceBackend()
    wrong.info = replace(backend.info, **change)  # type: ignore[misc]
    with pytest.raises(TypeError, match=re.escape(said)):
        registry.load(f"{plug(wrong=wrong)}:wrong")


def test_what_a_backend_lacks_is_named(plug: Plug) -> None:
    class Lacking:
        supports = ReferenceBackend.supports
        info = "lacking"

    with pytest.raises(TypeError, match="got Lacking, which has no method `forward`"):
        registry.load(f"{plug(lacking=Lacking())}:lacking")
    Lacking.forward = ReferenceBackend.forward  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="whose `info` is of type str, not `BackendInfo`"):
        registry.load(f"{plug(lacking=Lacking())}:lacking")


def test_module_and_attribute(plug: Plug) -> None:
    name = plug(mine=backend)
    assert registry.load(f"{name}:mine") is backend
    with pytest.raises(ImportError, match=f"module '{name}' has no attribute 'other'"):
        registry.load(f"{name}:other")


@pytest.mark.parametrize("version", ["1.9", "3.0", "20.0"])
def test_another_major_version_is_refused(plug: Plug, version: str) -> None:
    name = plug(old=of_version(version))
    with pytest.raises(ImportError, match=rf"spec {version}, .* spec {SPEC_VERSION}.*Upgrade"):
        registry.load(f"{name}:old")


def test_another_minor_version_is_taken(plug: Plug) -> None:
    major = SPEC_VERSION.partition(".")[0]
    newer = of_version(f"{major}.99")
    assert registry.load(f"{plug(newer=newer)}:newer") is newer


@pytest.mark.parametrize("thing", [None, 3, object(), lambda: backend])
def test_something_else_than_a_backend_is_refused(plug: Plug, thing: object) -> None:
    name = plug(thing=thing)
    with pytest.raises(TypeError, match=rf"`{name}:thing` must .*implement.*Backend, got "):
        registry.load(f"{name}:thing")


def test_a_backend_class_in_place_of_an_instance_is_refused(plug: Plug) -> None:
    name = plug(kind=ReferenceBackend)
    with pytest.raises(TypeError, match=rf"`{name}:kind` must .*implement.*ReferenceBackend"):
        registry.load(f"{name}:kind")


def test_entry_points_add_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plug: Plug
) -> None:
    module = plug(mine=backend)
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{registry.ENTRY_POINT_GROUP}]\nmine = {module}:mine\ntorch = {module}:mine\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.load("mine") is backend
    assert registry.entries()["torch"].target == "kanditioned_torch.backend:auto"  # not replaced


def test_argument_before_environment_before_default(
    monkeypatch: pytest.MonkeyPatch, plug: Plug
) -> None:
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "jax")
    assert registry.select("reference") == ("reference", "given as an argument")
    assert registry.select() == ("jax", "set by KANDITIONED_BACKEND")
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "")  # empty counts as unset
    monkeypatch.setattr(registry, "DEFAULT_ORDER", ("absent", "present"))
    monkeypatch.setattr(
        registry,
        "BUILT_IN",
        (
            registry.Entry("absent", "no_such_package:b"),
            registry.Entry("present", "kanditioned_spec.backend:backend"),
        ),
    )
    assert registry.select() == ("present", "first installed of absent, present")


@pytest.mark.usefixtures("nothing_installed")
def test_nothing_to_choose_from_is_an_error_with_the_pip_line() -> None:
    with pytest.raises(BackendNotInstalledError, match=r'pip install "kanditioned\[torch\]"'):
        registry.select()
