from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned.demo import __main__ as demo
from kanditioned.demo import pictures, recipe
from kanditioned.demo.tasks import TASKS, kan_size, mlp_width
from kanditioned_spec import registry


def test_it_prints_one_table_and_writes_it_and_three_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = replace(TASKS[0], smoothing=(1.0,))
    monkeypatch.setattr(demo, "TASKS", (few,))
    monkeypatch.setattr(pictures, "STRENGTHS", np.logspace(-1, 2, 4))
    monkeypatch.setattr(pictures, "SHOWN", (0, 3))
    table = demo.run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "table.txt", "mappings.png", "network.png", "smoothing.png"
    }  # fmt: skip
    assert [line.split()[:2] for line in table.splitlines()[2:5]] == [
        ["diabetes", name] for name in ("linear", "MLP", "KAN")
    ]
    assert "15/15" in capsys.readouterr().err  # the progress bar


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_network_of_the_recipe_is_trained_by_every_backend(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(f"kanditioned_{backend}", reason=f"the {backend} backend is not installed")
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, backend)
    monkeypatch.setattr(recipe, "STEPS", 100)
    figure, text = recipe.network()
    errors = [float(line.split("error ")[1].split(" %")[0]) for line in text.splitlines()[1:]]
    assert len(errors) == 3 + (backend == "torch")  # which can prune
    assert errors[2] < min(errors[0], 15)
    assert len(figure.axes[0].child_axes) > 5


def test_the_backend_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "torch")
    monkeypatch.setattr("sys.argv", ["demo", str(tmp_path), "--backend", "jax"])
    monkeypatch.setattr(demo, "run", lambda folder: registry.selected()[0])
    pytest.importorskip("kanditioned_jax", reason="the jax backend is not installed")
    demo.main()
    assert registry.selected()[0] == "jax"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_mlp_has_the_size_of_the_kan(task: Any) -> None:
    x, y = task.load()
    outputs = len(np.unique(y)) if task.is_classification else 1
    outputs = 1 if outputs == 2 else outputs
    size = kan_size(task, x.shape[1], outputs)
    width = mlp_width(size, x.shape[1], outputs)
    of_mlp = width * (x.shape[1] + 1) + outputs * (width + 1)
    assert abs(of_mlp - size) <= (x.shape[1] + 1 + outputs) / 2
