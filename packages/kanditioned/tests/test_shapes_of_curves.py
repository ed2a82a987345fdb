"""Monotone and convex curves of the estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from kanditioned.estimators import KANClassifier, KANRegressor, shapes

pandas = pytest.importorskip("pandas")


def noisy(samples: int = 200) -> tuple[Any, Any, Any]:
    rng = np.random.RandomState(0)
    frame = pandas.DataFrame(rng.uniform(-1, 1, (samples, 2)), columns=["dose", "age"])
    clean = np.tanh(4 * frame["dose"]) + 2 * frame["age"] ** 2
    return frame, clean.to_numpy(), clean.to_numpy() + 0.7 * rng.standard_normal(samples)


def far(frame: Any, name: str) -> Any:
    """Return rows that differ in one column alone, from far below its data to far above."""
    values = np.unique(np.r_[-1e30, -1e6, np.linspace(-9, 9, 4001), 1e6, 1e30])
    rows = pandas.concat([frame.iloc[:1]] * len(values), ignore_index=True)
    return rows.assign(**{name: values})


def slopes(model: Any, name: str) -> Any:
    rows = far(noisy()[0], name)
    return np.diff(model.predict(rows)) / np.diff(rows[name])


def test_a_monotone_curve_never_falls_and_is_nearer_to_a_monotone_truth() -> None:
    frame, clean, y = noisy()
    free = KANRegressor(interactions=0, smoothing=1e-4).fit(frame, y)
    model = KANRegressor(interactions=0, smoothing=1e-4, monotone={"dose": 1}).fit(frame, y)
    assert slopes(free, "dose").min() < -1
    assert slopes(model, "dose").min() >= 0
    error = [np.mean((m.predict(frame) - clean) ** 2) for m in (free, model)]
    assert error[1] < 0.9 * error[0]
    down = KANRegressor(monotone=[-1, 0]).fit(frame, -y)
    assert slopes(down, "dose").max() <= 0


def test_a_convex_curve_bends_one_way_everywhere() -> None:
    frame, clean, y = noisy()
    both = KANRegressor(smoothing=1e-4, convex={1: 1}, monotone={0: 1}).fit(frame, y)
    bend = np.diff(slopes(both, "age"))
    assert bend.min() > -1e-9 * np.abs(slopes(both, "age")).max()
    assert np.mean((both.predict(frame) - clean) ** 2) < 0.1
    concave = KANRegressor(smoothing=1e-4, convex={"age": -1}).fit(frame, -y)
    assert np.diff(slopes(concave, "age")).max() < 1e-9 * np.abs(slopes(concave, "age")).max()


def test_what_has_its_shape_already_is_left_as_it_is() -> None:
    x = np.random.RandomState(0).uniform(-1, 1, (300, 2))
    y = np.exp(2 * x[:, 0]) + x[:, 1]
    free = KANRegressor(interactions=0).fit(x, y)
    shaped = KANRegressor(interactions=0, monotone=[1, 1], convex=[1, 0]).fit(x, y)
    np.testing.assert_allclose(shaped.predict(x), free.predict(x), atol=2e-3)


def test_it_is_the_constrained_minimum() -> None:
    rng = np.random.RandomState(0)
    root, b = rng.standard_normal((8, 8)), rng.standard_normal((8, 1))
    h, rows = root @ root.T + 0.1 * np.eye(8), rng.standard_normal((5, 8))
    found = shapes.solve_constrained(h, b, rows)[:, 0]
    assert (rows @ found).min() > -1e-9
    known = minimize(
        lambda beta: beta @ h @ beta - 2 * b[:, 0] @ beta, np.zeros(8), method="SLSQP",
        constraints={"type": "ineq", "fun": lambda beta: rows @ beta},
        options={"ftol": 1e-14, "maxiter": 1000},
    )  # fmt: skip
    np.testing.assert_allclose(found, known.x, atol=1e-5)


def test_shapes_of_other_losses() -> None:
    frame, clean, _ = noisy(400)
    rng = np.random.RandomState(1)
    label = rng.uniform(size=400) < 1 / (1 + np.exp(-clean))
    odds = KANClassifier(interactions=0, smoothing=1e-4, monotone={"dose": 1}).fit(frame, label)
    rows = far(frame, "dose")
    assert np.diff(odds.decision_function(rows)).min() >= 0
    counts = KANRegressor(loss="poisson", smoothing=1e-4, monotone={"dose": 1})
    counts.fit(frame, rng.poisson(np.exp(clean)))
    assert np.diff(np.log(counts.predict(rows))).min() >= -1e-12


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"monotone": {"dose": 2}}, "1, -1 or 0"),
        ({"monotone": [1]}, "1, -1 or 0"),
        ({"convex": {"size": 1}}, "names or numbers"),
        ({"convex": {"kind": 1}}, "columns of numbers"),
        ({"monotone": {"dose": 1}, "interactions": [("dose", "age")]}, "in no pair"),
        ({"monotone": {"dose": 1}, "hidden_layer_sizes": (4,)}, "hidden layers"),
    ],
)
def test_impossible_shapes_are_refused(options: Any, what: str) -> None:
    frame, _, y = noisy(40)
    frame["kind"] = "u"
    with pytest.raises(ValueError, match=what):
        KANRegressor(**options).fit(frame, y)
    with pytest.raises(TypeError, match="Pass a dict"):
        KANRegressor(monotone="dose").fit(frame, y)
    with pytest.raises(ValueError, match="two classes"):
        KANClassifier(monotone={"dose": 1}).fit(frame, np.arange(40) % 3)
