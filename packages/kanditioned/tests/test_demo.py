from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned.demo import __main__ as demo
from kanditioned.demo import recipe
from kanditioned.demo.tasks import TASKS, models, num_parameters
from kanditioned_spec import registry


def test_it_prints_one_table_and_writes_it_and_three_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "TASKS", TASKS[:1])
    monkeypatch.setattr(recipe, "STEPS", 10)
    table = demo.run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "table.txt", "curves.png", "network.png", "smoothing.png"
    }  # fmt: skip
    names = ("linear", "MLP", "boosted", "KAN")
    assert [line.split()[:2] for line in table.splitlines()[2:6]] == [["cars", n] for n in names]
    assert "20/20" in capsys.readouterr().err  # the progress bar


def test_additive_curves_beat_a_linear_model_of_the_cars() -> None:
    x, y = TASKS[0].load()
    train, test = next(TASKS[0].folds(5).split(x, y))
    scores, counts = {}, {}
    for name, model in models(TASKS[0]).items():
        fitted = model.fit(x.iloc[train], y[train])
        scores[name] = fitted.score(x.iloc[test], y[test])
        counts[name] = num_parameters(fitted)
    assert scores["KAN"] > scores["linear"] + 0.03
    assert scores["KAN"] > scores["MLP"] - 0.02
    assert counts["KAN"] < counts["MLP"] / 5
    assert counts["boosted trees"] is None


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_tables_are_complete(task: Any) -> None:
    x, y = task.load()
    assert len(x) == len(y) > 300
    assert np.unique(y).size > 1


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_network_of_the_recipe_is_trained_by_every_backend(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(f"kanditioned_{backend}", reason=f"the {backend} backend is not installed")
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, backend)
    monkeypatch.setattr(recipe, "STEPS", 100)
    figure, text = recipe.network()
    errors = [float(line.split("error ")[1].split(" °F")[0]) for line in text.splitlines()[2:]]
    assert len(errors) == len(recipe.COUNTS) + 1  # and pruned
    assert errors[2] < min(errors[0], 2)
    assert ", 0 of them from chance:" in text
    assert len(figure.axes[0].child_axes) > 5


def test_the_backend_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(registry.ENVIRONMENT_VARIABLE, "torch")
    monkeypatch.setattr("sys.argv", ["demo", str(tmp_path), "--backend", "jax"])
    monkeypatch.setattr(demo, "run", lambda folder: registry.select()[0])
    pytest.importorskip("kanditioned_jax", reason="the jax backend is not installed")
    demo.main()
    assert registry.select()[0] == "jax"
