from __future__ import annotations

from types import SimpleNamespace

import pytest

from kanditioned import command
from kanditioned.command import main
from kanditioned_spec import registry
from kanditioned_spec.registry import Entry


def test_it_lists_what_is_installed_and_why_one_is_chosen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(registry.ENVIRONMENT_VARIABLE, raising=False)
    assert main(["backends"]) == 0
    output = capsys.readouterr().out
    for name in registry.entries():
        assert f"\n{name} " in output
    assert "chosen: torch (first installed of torch, jax)" in output


def test_the_environment_variable_is_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "jax")
    main(["backends"])
    assert f"chosen: jax (set by {registry.ENVIRONMENT_VARIABLE})" in capsys.readouterr().out


def test_missing_and_broken_backends_are_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {
        "gone": Entry("gone", "absent_package:backend", "kanditioned[gone]"),
        "lost": Entry("lost", "lost_package:backend"),
        "broken": Entry("broken", "kanditioned_spec.absent_module:backend"),
    }
    monkeypatch.setattr(registry, "entries", lambda: {**registry_entries, **entries})
    registry_entries = {entry.name: entry for entry in registry.BUILT_IN}
    main(["backends"])
    output = capsys.readouterr().out
    assert 'pip install "kanditioned[gone]"' in output
    assert 'pip install "lost_package"' in output
    assert "No module named 'kanditioned_spec.absent_module'" in output


def test_without_a_command_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "backends" in capsys.readouterr().err


def test_names_the_kernels_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = SimpleNamespace(is_installed=False, requirement="kanditioned[triton]")
    backend = SimpleNamespace(info=SimpleNamespace(devices=("cpu", "cuda")))
    monkeypatch.setattr(registry, "select", lambda: ("torch", "first installed"))
    monkeypatch.setattr(registry, "entries", lambda: {"torch-triton": kernels})
    monkeypatch.setattr(registry, "load", lambda name: backend)
    hint = 'fused kernels for this GPU: pip install "kanditioned[triton]"'
    assert command._choice().endswith(hint)
    kernels.is_installed = True
    assert hint not in command._choice()
