"""Exported programs compute what the model computes."""

import re
import runpy
import shutil
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from kanditioned.command import main
from kanditioned.export import c, export, program_of
from kanditioned.export import onnx as onnx_target
from kanditioned.export.program import Program, Stage
from kanditioned_spec.input_map import InputMap
from kanditioned_torch import KAN, KANLayer

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)] or ["cc"]
STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")


def randomised(model):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model.eval()


def with_statistics():
    torch.manual_seed(1)
    model = KAN([4, 8, 3], norm="batch", num_control_points=5)
    model(torch.randn(64, 4, generator=torch.Generator().manual_seed(0)) * 3 + 1)
    return randomised(model)


def pruned(dtype=torch.float32):
    layer = randomised(KANLayer(6, 7, num_control_points=9, dtype=dtype))
    flat = torch.rand(6, 7, generator=torch.Generator().manual_seed(0)) < 0.7
    flat[2] = True
    with torch.no_grad():
        layer.theta.copy_(torch.where(flat[:, None], layer.theta[:, :1], layer.theta))
    return layer


MODELS = {
    "layer": lambda: randomised(KANLayer(3, 5, num_control_points=6, spline_width=3.0)),
    "dct": lambda: randomised(KANLayer(3, 2, num_control_points=6, parameterization="dct")),
    "network": lambda: randomised(KAN([21, 16, 8, 4], num_control_points=8)),
    "residual": lambda: randomised(KAN([4, 8, 3], residual=True, num_control_points=4)),
    "batch": with_statistics,
    "none": lambda: randomised(KAN([1, 5, 1], norm="none", num_control_points=4)),
    "lines": lambda: randomised(KAN([3, 5, 2], residual=True, num_control_points=2)),
    "pruned": pruned,
    "constant": lambda: KANLayer(2, 3, init="zero"),
    "float64": lambda: pruned(torch.float64),
}


def compiled(folder, name, compiler, *options):
    source, program = f"{folder}/{name}.c", f"{folder}/{name}"
    command = [compiler, *STRICT, *options, source, "-o", program, "-lm"]
    subprocess.run([*command, f"-D{name.upper()}_TEST"], check=True)
    return program


def outputs(program, x):
    text = "\n".join(" ".join(map(repr, row)) for row in x.tolist())
    run = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    return np.array([line.split() for line in run.stdout.splitlines()], np.float64)


@pytest.mark.parametrize("name", MODELS)
class TestTargets:
    @pytest.mark.parametrize("compiler", COMPILERS)
    def test_c(self, name, compiler, tmp_path):
        model = MODELS[name]()
        export(model, tmp_path / "model.c", align=32)
        x, want, bound = program_of("test", model).vectors(40, seed=1)
        got = outputs(compiled(tmp_path, "model", compiler), x)
        assert (abs(got - want) <= bound).all()

    def test_numpy(self, name, tmp_path):
        model = MODELS[name]()
        export(model, tmp_path / "model.py")
        program = program_of("test", model)
        x, _, _ = program.vectors(40, seed=1)
        got = runpy.run_path(str(tmp_path / "model.py"))["forward"](x)
        np.testing.assert_allclose(got, program.forward(x), rtol=1e-12, atol=1e-10)

    def test_description(self, name):
        """The program that others are compared with is the model."""
        model = MODELS[name]().double()
        program = program_of("test", model)
        x, want, _ = program.vectors(10)
        with torch.no_grad():
            got = model(torch.as_tensor(x).double()).numpy()
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", ["edge", "output"])
@pytest.mark.parametrize("options", [(), ("-march=native",), ("-O3", "-march=native")])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_int8_has_the_bits_of_the_spec(compiler, options, scale, tmp_path):
    model = randomised(KAN([69, 64, 37, 24, 3], norm="none", residual=True, num_control_points=6))
    export(model, tmp_path / "model.c", int8=scale)
    program = program_of("test", model, scale)
    x, want, bound = program.vectors(200, seed=1)
    x[0], x[1], x[2, 3] = np.inf, -np.inf, np.nan
    want = program.forward(x)
    got = outputs(compiled(tmp_path, "model", compiler, *options), x)
    assert not bound.any()
    np.testing.assert_array_equal(got.astype(np.float32), want)


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_int8_behind_a_norm(norm, tmp_path):
    model = with_statistics() if norm == "batch" else MODELS["network"]()
    x = np.random.default_rng(0).standard_normal((50, model.widths[0]))
    export(model, tmp_path / "model.c", int8="edge", data=x)
    program = program_of("test", model, "edge", x)
    x, want, bound = program.vectors(40, seed=1)
    got = outputs(compiled(tmp_path, "model", COMPILERS[0]), x)
    assert (abs(got - want) <= bound).all()


def mapped():
    inner = np.sort(np.random.default_rng(0).uniform(size=(3, 6)), 1)
    points = 1.7e9 + 1e4 * inner
    images = np.sort(np.random.default_rng(1).uniform(-2, 2, (3, 6)), 1)
    stage = program_of("test", MODELS["layer"]()).stages[0]
    return Program((stage,), "a test", InputMap(points, images))


def test_an_input_map(tmp_path):
    program = mapped()
    header, source = c.render(program, c.Options("mapped"), "0")
    (tmp_path / "mapped.h").write_text(header)
    (tmp_path / "mapped.c").write_text(source)
    x, want, bound = program.vectors(40, seed=1)
    x[0, 1], want[0] = np.nan, np.nan
    got = outputs(compiled(tmp_path, "mapped", COMPILERS[0]), x)
    assert np.isnan(got[0]).all()
    assert (abs(got - want)[1:] <= bound[1:]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_inputs_of_a_pruned_layer(value, tmp_path):
    """NaN and infinity reach outputs whose edges are not in the tables."""
    model = pruned()
    export(model, tmp_path / "model.c")
    x = np.zeros((6, 6), np.float32)
    np.fill_diagonal(x, value)
    got = outputs(compiled(tmp_path, "model", COMPILERS[0]), x)
    with torch.no_grad():
        np.testing.assert_array_equal(got, np.where(np.isfinite(got), 0, model(torch.tensor(x))))


def test_the_self_test_finds_one_wrong_number(tmp_path):
    export(MODELS["layer"](), tmp_path / "model.c")
    source = (tmp_path / "model.c").read_text()
    table = source.index("points_0")
    found = re.compile(r"(\d)\.(\d)").search(source, table)
    (tmp_path / "model.c").write_text(
        f"{source[: found.start()]}9{found[1]}.{found[2]}{source[found.end() :]}"
    )
    run = subprocess.run([compiled(tmp_path, "model", COMPILERS[0])], capture_output=True)
    assert (run.returncode, run.stderr) == (1, b"the self-test failed\n")


def test_the_bound_is_tight_enough_to_notice_half_precision():
    program = program_of("test", MODELS["network"]())
    _, want, bound = program.vectors(20)
    stages = tuple(
        Stage(s.control_points.astype(np.float16).astype(np.float32), s.spline_width, s.norm)
        for s in program.stages
    )
    _, coarse, _ = Program(stages, "half").vectors(20)
    assert (abs(coarse - want) > bound).any()


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="no compiler for Cortex-M")
@pytest.mark.parametrize("int8", [None, "edge", "output"])
def test_cortex_m(int8, tmp_path):
    export(MODELS["network"](), tmp_path / "model.c", int8=int8)
    target = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
    subprocess.run(
        ["arm-none-eabi-gcc", *STRICT, *target, "-c", "model.c"], cwd=tmp_path, check=True
    )


def session(content):
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", MODELS)
def test_onnx_of_networks(name, tmp_path):
    model = MODELS[name]()
    export(model, tmp_path / "model.onnx")
    x, expected, bound = program_of("test", model).vectors(40, seed=1)
    content = (tmp_path / "model.onnx").read_bytes()
    assert onnx.load_from_string(content).opset_import[0].version == 18
    run = session(content).run
    assert (abs(run(None, {"x": x})[0] - expected) <= bound).all()
    x[3, 0] = np.nan
    is_nan = np.isnan(run(None, {"x": x})[0])
    assert is_nan[3].all()
    assert is_nan.sum() == is_nan[3].size


def test_onnx_of_an_input_map():
    program = mapped()
    x, expected, bound = program.vectors(40, seed=1)
    got = session(onnx_target.render(program)).run(None, {"x": x})[0]
    assert (abs(got - expected) <= bound).all()


class TestArguments:
    def test_names(self, tmp_path):
        files = export(KANLayer(2, 1), tmp_path / "a.c", prefix="filter")
        assert [path.name for path in files] == ["filter.h", "a.c"]
        assert "void filter_forward(" in files[0].read_text()
        assert '#include "filter.h"' in files[1].read_text()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.c", "filter.h"]

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"to": "rust"}, ValueError, "`export(to=...)` must be one of"),
            ({"prefix": "a-b"}, ValueError, "`export(prefix=...)` must be a name in C"),
            ({"align": 12}, ValueError, "`export(align=...)` must be a power of two"),
            ({"align": 1.5}, TypeError, "`export(align=...)` must be an integer"),
            ({"int8": "row"}, ValueError, "`export(int8=...)` must be one of"),
            ({"int8": "edge", "to": "numpy"}, ValueError, "`export(int8=...)` must be None"),
            ({"model": 3}, TypeError, "`export(model=...)` must be a file, a layer or a network"),
        ],
    )
    def test_refused(self, arguments, error, message, tmp_path):
        given = {"model": KANLayer(2, 1), "path": tmp_path / "a.c", **arguments}
        with pytest.raises(error) as caught:
            export(given.pop("model"), given.pop("path"), **given)
        assert str(caught.value).startswith(message)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("value", [float("nan"), 1e300])
    def test_parameters_that_float32_does_not_hold(self, value, tmp_path):
        layer = KANLayer(2, 1, dtype=torch.float64)
        with torch.no_grad():
            layer.theta[0, 0, 0] = value
        with pytest.raises(ValueError, match="parameters that float32 holds"):
            export(layer, tmp_path / "a.c")


class TestCommand:
    def test_it_writes(self, tmp_path, capsys):
        KAN([3, 4, 1]).save(tmp_path / "net.safetensors")
        assert main(["export", str(tmp_path / "net.safetensors"), "--to", "c"]) == 0
        assert "net.h" in capsys.readouterr().out
        assert (tmp_path / "net.c").exists()

    def test_int8(self, tmp_path):
        KAN([3, 4, 1]).save(tmp_path / "net.safetensors")
        np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((20, 3)))
        given = ["--to", "c", "--int8", "edge", "--data", str(tmp_path / "x.npy")]
        assert main(["export", str(tmp_path / "net.safetensors"), *given]) == 0
        assert "int8_t points_0[3]" in (tmp_path / "net.c").read_text()

    def test_it_says_what_is_wrong(self, tmp_path, capsys):
        (tmp_path / "a").write_text("no model")
        assert main(["export", str(tmp_path / "a"), "--to", "c"]) == 1
        assert "must be a whole kanditioned checkpoint" in capsys.readouterr().err
