"""How a backend is found, and what is said when it is not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

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


def test_an_absent_module_is_installed_by_its_own_name() -> None:
    for target in ("no_such_package:backend", "no_such_package.deeper:backend"):
        with pytest.raises(BackendNotInstalledError, match=r'pip install "no_such_package"$'):
            registry.load(target)


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
    assert registry.selected("reference") == ("reference", "given as an argument")
    assert registry.selected() == ("jax", "set by KANDITIONED_BACKEND")
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
    assert registry.selected() == ("present", "first installed of absent, present")


@pytest.mark.usefixtures("nothing_installed")
def test_nothing_to_choose_from_is_an_error_with_the_pip_line() -> None:
    with pytest.raises(BackendNotInstalledError, match=r'pip install "kanditioned\[torch\]"'):
        registry.selected()
