"""The vectors: the committed ones are those of the spec, and the checker tells right from wrong."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from kanditioned_conformance import vectors
from kanditioned_conformance.session import CHAPTERS
from kanditioned_conformance.vectors.operations import of_operations

FOLDER = Path(__file__).parents[1] / "vectors"
WRITTEN = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".json", ".safetensors"))
read_tensors = runpy.run_path(str(FOLDER / "check.py"))["read_tensors"]
FLIPPED = """
from kanditioned_spec.backend import ReferenceBackend

class Flipped(ReferenceBackend):
    def vjp(self, *arguments):
        gx, gc = super().vjp(*arguments)
        return -gx, gc

    def forward_int8(self, *arguments):
        return super().forward_int8(*arguments) * (1 + 2**-23)

    penalty = property()

backend = Flipped()
"""


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    vectors.write(folder)
    return folder


def test_the_same_files_are_written(again: Path) -> None:
    assert sorted(path.name for path in again.iterdir()) == WRITTEN


@pytest.mark.parametrize("name", WRITTEN)
def test_the_same_bytes_are_written(name: str, again: Path) -> None:
    assert (again / name).read_bytes() == (FOLDER / name).read_bytes()


def test_no_tensor_stands_for_two() -> None:
    for vector in of_operations():
        names = [name for name, _, _ in vector.tensors()]
        assert len(set(names)) == len(names)


def test_they_cover_every_chapter_and_stay_small(again: Path) -> None:
    covered = {
        each["chapter"] for each in json.loads((again / "manifest.json").read_text())["vectors"]
    }
    assert covered == {name.removeprefix("test_") for name in CHAPTERS} | {"int8", "networks"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "check.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_reference_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "kanditioned_spec.backend:backend")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed, 0 skipped" in done.stdout


@pytest.mark.parametrize(
    "backend", ["kanditioned_torch.backend:auto", "kanditioned_jax.backend:lookup"]
)
def test_backends_pass_the_files(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend.partition(".")[0])
    chapters = ("--chapter", "networks", "--chapter", "checkpoints")
    done = run(tmp_path, backend, *chapters)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed, 0 skipped" in done.stdout


def test_a_flipped_sign_fails_and_what_is_lacking_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "port.py").write_text(FLIPPED)
    done = run(tmp_path, "port:backend")
    assert done.returncode == 1
    assert "failed gradients-off_knots-float32" in done.stdout
    assert "failed int8-6" in done.stdout
    assert "values" not in done.stdout
    assert "20 skipped" in done.stdout


def test_it_can_be_narrowed_to_a_step(tmp_path: Path) -> None:
    (tmp_path / "port.py").write_text(FLIPPED)
    values = run(tmp_path, "port:backend", "--chapter", "values", "--dtype", "float32")
    assert values.returncode == 0
    assert re.fullmatch(r"[1-9]\d* passed, 0 failed, 0 skipped\n", values.stdout)
    gradients = run(tmp_path, "port:backend", "--chapter", "gradients", "--dtype", "float16")
    assert gradients.returncode == 1
    assert set(re.findall(r"^failed (\w+)-.*-(\w+)$", gradients.stdout, re.MULTILINE)) == {
        ("gradients", "float16")
    }


@pytest.mark.parametrize("option", ["--chapter", "--dtype"])
def test_an_unknown_step_is_refused(option: str, tmp_path: Path) -> None:
    done = run(tmp_path, "kanditioned_spec.backend:backend", option, "abacus")
    assert done.returncode == 1
    assert done.stderr.startswith("no vector is of abacus; there are ")


def test_a_step_without_vectors_is_refused(tmp_path: Path) -> None:
    step = ("--chapter", "initializers", "--dtype", "float16")
    done = run(tmp_path, "kanditioned_spec.backend:backend", *step)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "no vector of these chapters is in these dtypes\n"


def test_the_checker_needs_numpy_alone() -> None:
    text = (FOLDER / "check.py").read_text()
    imported = {
        line.split()[1] for line in text.splitlines() if line.startswith(("import", "from"))
    }
    assert imported - set(sys.stdlib_module_names) == {"numpy"}


def answers(folder: Path, **given: object) -> subprocess.CompletedProcess[str]:
    (folder / "results.json").write_text(json.dumps(given))
    return run(folder, "--results", "results.json", "--verdict", "verdict.json")


def test_results_of_other_languages_are_judged(tmp_path: Path) -> None:
    """A file of results has a verdict; what is not in it is skipped."""
    manifest = json.loads((FOLDER / "manifest.json").read_text())["vectors"]
    tensors = read_tensors(FOLDER / "extrapolation.safetensors")
    given = {}
    for vector in manifest:
        if vector["error"]:
            given[vector["name"]] = {"error": vector["error"]}
        elif vector["chapter"] == "extrapolation":
            wanted = [tensors[f"{vector['name']}.{name}"] for name in vector["results"]]
            outputs = [{"shape": w.shape, "values": [str(v) for v in w.flat]} for w in wanted]
            given[vector["name"]] = {"outputs": outputs, "again": outputs}
    done = answers(tmp_path, **given)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert (verdict["passed"], verdict["failed"]) == (len(given), 0)
    assert verdict["skipped"] == len(manifest) - len(given)


def test_a_verdict_names_the_worst_entry(tmp_path: Path) -> None:
    name = "position-knots-float32"
    tensors = read_tensors(FOLDER / "position.safetensors")
    want, bound = tensors[f"{name}.y"], tensors[f"{name}.y.bound"]
    values = want.copy()
    values[1, 0] += 3 * bound[1, 0]
    given = {"outputs": [{"shape": want.shape, "values": values.ravel().tolist()}]}
    done = answers(tmp_path, **{name: given})
    assert done.returncode == 1
    fault = f"y at [1, 0] got {values[1, 0]}, want {want[1, 0]}, bound {bound[1, 0]:.3g}; 1 of 10"
    assert f"failed {name}\n  {fault}" in done.stdout


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"no_such": {"error": "ValueError"}}, "no vector is named no_such"),
        ({"refused-0": {}}, "must have `outputs` or `error`"),
        ({"refused-0": {"outputs": [{"shape": [2], "values": [1]}]}}, "must be a list of tensors"),
    ],
)
def test_a_file_of_results_that_says_nothing_is_refused(
    given: dict[str, object], message: str, tmp_path: Path
) -> None:
    done = answers(tmp_path, **given)
    assert done.returncode == 1
    assert message in done.stderr


def test_an_operation_that_raises_is_a_failure_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "port.py").write_text(FLIPPED.replace("gx, gc = ", "raise OSError('no')  # "))
    done = run(tmp_path, "port:backend", "--chapter", "gradients", "--chapter", "values")
    assert done.returncode == 1
    assert "raised OSError: no, want a result" in done.stdout
    assert re.search(r"\n[1-9]\d* passed, [1-9]\d* failed", done.stdout)
