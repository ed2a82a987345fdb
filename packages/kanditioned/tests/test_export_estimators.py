"""Exported estimators predict what the estimators predict."""

import runpy
import subprocess
import sys
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from kanditioned.estimators import KANClassifier, KANRegressor
from kanditioned.export import export
from kanditioned.export.estimator import Column, table_of


def frame(rows=400, levels=4):
    rng = np.random.default_rng(0)
    age = rng.uniform(18, 90, rows)
    when = 1.6e9 + rng.uniform(0, 1e7, rows).round(-3)
    kind = np.array([f"kind {n} */" for n in range(levels)])[rng.integers(levels, size=rows)]
    flag = rng.integers(2, size=rows).astype(float)
    age[::17], kind = np.nan, np.where(rng.random(rows) < 0.05, None, kind)
    return pd.DataFrame({"age": age, "when": when, "kind /*": kind, "flag": flag})


def target_of(X):
    age = X["age"].fillna(50).to_numpy() / 20
    return np.sin(age) + X["flag"].to_numpy() * age + (X["kind /*"] == "kind 1 */").to_numpy()


def regressor(levels=4, y=target_of, **options):
    X = frame(levels=levels)
    return KANRegressor(random_state=0, **options).fit(X, y(X)), X


def classifier(classes, **options):
    X = frame()
    y = np.digitize(target_of(X), np.quantile(target_of(X), np.arange(1, classes) / classes))
    names = np.array(["low", "middle", "high"])
    labels = names[y] if classes == 3 else y + 5
    return KANClassifier(random_state=0, **options).fit(X, labels), X


def of_columns(*names):
    X = frame()
    return KANRegressor(random_state=0).fit(X[list(names)], target_of(X)), X[list(names)]


HIDDEN = {"hidden_layer_sizes": (6,), "max_iter": 20}
ESTIMATORS = {
    "additive": regressor,
    "numbers": lambda: of_columns("age", "when"),
    "labels": lambda: of_columns("kind /*"),
    "poisson": lambda: regressor(loss="poisson", y=lambda X: np.round(np.exp(target_of(X)))),
    "gamma": lambda: regressor(loss="gamma", y=lambda X: np.exp(target_of(X))),
    "two targets": lambda: regressor(y=lambda X: np.stack([target_of(X), -X["flag"]], 1)),
    "hidden": lambda: regressor(**HIDDEN),
    "many levels": lambda: regressor(levels=30, **HIDDEN),
    "binary": lambda: classifier(2),
    "three classes": lambda: classifier(3),
    "hidden classes": lambda: classifier(3, **HIDDEN),
}


@pytest.fixture(scope="module", params=ESTIMATORS)
def fitted(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ESTIMATORS[request.param]()


def codes(model, X):
    """Return what an exported program reads for a table."""
    columns = table_of("test", model).columns
    pairs = zip(columns, X.items(), strict=True)
    numbers = [c.codes(v.to_numpy(object)) for c, (_, v) in pairs]
    return np.stack(numbers, axis=1).astype(np.float32)


def want(model, X):
    """Return the predictions for inputs as float32 has them, which exported programs read."""
    X = X.astype(dict.fromkeys(X.columns.difference(["kind /*"]), np.float32))
    found = model.predict_proba(X) if isinstance(model, KANClassifier) else model.predict(X)
    return found.reshape(len(X), -1)


def close(got, expected):
    assert np.abs(got - expected).max() <= 2e-5 * max(1.0, np.abs(expected).max())


def session(content):
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


class TestEstimators:
    def test_c(self, fitted, tmp_path):
        model, X = fitted
        export(model, tmp_path / "model.c")
        warnings = ("-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
        command = ["cc", "-std=c99", "-O2", *warnings, "-DMODEL_TEST", "model.c", "-o", "m", "-lm"]
        subprocess.run(command, cwd=tmp_path, check=True)
        text = "\n".join(" ".join(map(repr, row)) for row in codes(model, X).tolist())
        program = str(tmp_path / "m")
        run = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
        got = np.array([line.split() for line in run.stdout.splitlines()], np.float64)
        close(got, want(model, X))

    def test_numpy(self, fitted, tmp_path):
        model, X = fitted
        export(model, tmp_path / "model.py")
        x = codes(model, X)
        got = runpy.run_path(str(tmp_path / "model.py"))["forward"](x)
        close(got, want(model, X))
        table = table_of("test", model)
        strange, predictions, bound = table.vectors(40)
        got = runpy.run_path(str(tmp_path / "model.py"))["forward"](strange)
        assert (abs(got - predictions) <= bound).all()
        rows = "\n".join(" ".join(map(repr, row)) for row in x[:3].tolist())
        command = [sys.executable, str(tmp_path / "model.py")]
        run = subprocess.run(command, input=rows, capture_output=True, text=True, check=True)
        close(
            np.array([line.split() for line in run.stdout.splitlines()], float), want(model, X[:3])
        )

    def test_onnx(self, fitted, tmp_path):
        model, X = fitted
        export(model, tmp_path / "model.onnx")
        run = session((tmp_path / "model.onnx").read_bytes()).run
        for rows in (1, 7, len(X)):
            found = dict(
                zip(["y", "label"], run(None, {"x": codes(model, X[:rows])}), strict=False)
            )
            close(found["y"], want(model, X[:rows]))
            if isinstance(model, KANClassifier):
                np.testing.assert_array_equal(found["label"], model.predict(X[:rows]))

    def test_labels_that_were_not_seen(self, fitted, tmp_path):
        model, X = fitted
        if "kind /*" not in X:
            return
        strange = X.assign(**{"kind /*": "never seen"})
        x = codes(model, strange)
        assert (x[:, X.columns.get_loc("kind /*")] == -1).all()
        export(model, tmp_path / "model.onnx")
        got = session((tmp_path / "model.onnx").read_bytes()).run(["y"], {"x": x})[0]
        close(got, want(model, strange))


def test_codes_and_values_are_inverse():
    column = Column("kind", None, ("a", "b", None))
    values = np.array(["b", None, "a", "?"], object)
    assert column.codes(values).tolist() == [1, 2, 0, -1]
    found = column.values(np.array([1, np.nan, 0, 0.5]))
    assert found[:3].tolist() == ["b", None, "a"]
    assert found[3] not in ("a", "b", None)


def test_what_an_estimator_cannot(fitted, tmp_path):
    model, _ = fitted
    with pytest.raises(ValueError, match=r"`export\(int8=...\)` must be"):
        export(model, tmp_path / "model", to="c", int8="edge")
    assert not list(tmp_path.iterdir())
