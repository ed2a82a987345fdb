"""The project's jobs, one session each: `nox -l` lists them, `nox -s tests` runs one.

Every pull request runs `lint` and `tests`; `.github/workflows/` has what runs by night and by week.

Nothing is listed here that is written elsewhere: backends stand in the `pyproject.toml` of their
packages, versions in `.ci/constraints.txt`, other people's libraries in `scoreboard.toml` of
`conformance/adopters/strangers`, and how a release is made in `.ci/release.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "tests"]

SPEC = "./packages/kanditioned-spec[files]"
TORCH = "./packages/kanditioned-torch"
CPU = "./packages/kanditioned-cpu"
TRITON = "./packages/kanditioned-triton"
JAX = "./packages/kanditioned-jax[export,nnx]"
MAIN = "./packages/kanditioned[cpu,demo,jax,onnx,plot,sklearn,torch,triton]"
CONFORMANCE = "./conformance"
EVERYTHING = (SPEC, f"{TORCH}[onnx,scipy]", CPU, TRITON, JAX, MAIN, CONFORMANCE)
LINTERS = ("import-linter", "mypy", "packaging", "pytest", "pyyaml", "ruff")
TEST_TOOLS = ("equinox", "pandas", "polars", "pytest", "pytest-xdist", "statsmodels")
WITH_DOCTESTS = [f"kanditioned{end}" for end in ("", "_cpu", "_jax", "_spec", "_torch")]
WITH_JAX = ["packages/kanditioned-jax/tests", "packages/kanditioned/tests"]
ALL_TESTS = ("conformance/tests", *sorted(map(str, Path().glob("packages/*/tests"))))
COMPILED = "packages/kanditioned-triton/tests/test_ahead_of_time.py"
WITHOUT_JAX = [folder for folder in ALL_TESTS if folder not in WITH_JAX]

# A process per core: threads of one, XLA's compiler's too, would wait for others'. As in CI:
# Hypothesis then draws the same examples everywhere, and has no time limits to miss when busy. And
# bytecode is stored: pytest rewrites itself, its plugins and the tests, which takes 1.2 s for each
# of a hundred processes that tests start (2026-11-28).
ENVIRONMENT = {
    "CI": "true",
    "OMP_NUM_THREADS": "1",
    "PJRT_NPROC": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}


def install(session: nox.Session, *requirements: str) -> None:
    """Install in one call, so that pip resolves our distributions against each other."""
    session.install("--constraint", ".ci/constraints.txt", *requirements)


def pytest(session: nox.Session, *arguments: str, **env: str) -> None:
    """Run pytest in two processes of one thread each, or as many as the arguments say."""
    session.run("pytest", "-n", "2", *arguments, env=ENVIRONMENT | env)


def kit(session: nox.Session, group: str, profile: str, *arguments: str) -> None:
    """Run the conformance kit on a group of backends, as `.ci/kit.py` says."""
    session.run("python", ".ci/kit.py", group, profile, *arguments, env=ENVIRONMENT)


def uv(session: nox.Session, *arguments: str) -> None:
    """Run uv with pip's settings."""
    session.run_install("python", ".ci/uv_like_pip.py", *arguments)


def releases(session: nox.Session) -> list[str]:
    """Install the releases 1.x into a folder each, out of everyone's way; return the folders."""
    folders = [f"{session.create_tmp()}/{version}" for version in ("1.0.3", "1.0.4")]
    for folder in folders:
        package = f"kanditioned=={Path(folder).name}"
        session.run_install("pip", "install", "--quiet", "--no-deps", "--target", folder, package)
    return folders


def run_tests(session: nox.Session) -> None:
    """Run every test with what is installed."""
    # The session `kit_in_full` runs every format and more examples at night. XLA compiles every
    # shape that the kit draws: one backend in one format takes 120 s of processor time (lookup,
    # float32, 2026-11-28). Elsewhere float16 differs from bfloat16 in little but its range.
    kit(session, "others", "dev", "-k", "not -float16")
    kit(session, "jax", "dev", "--kan-dtype=float32")
    kit(session, "triton", "dev", "--kan-dtype=float32")
    pytest(session, "--doctest-modules", "--pyargs", *WITH_DOCTESTS)
    paths = os.pathsep.join(releases(session))
    # Tests that fork stay out of the processes that JAX has filled with threads. Many of these
    # tests wait for others' time limits, so that a third process has something to do.
    apart = ("-n", "3", "--dist=worksteal", *WITHOUT_JAX)
    # A file of tests of JAX has one process, in which they share what XLA has compiled. The longest
    # files come first, which are not those with the most tests.
    shared = ("--dist=loadfile", "--no-loadscope-reorder", "benchmarks/tests", *WITH_JAX)
    for arguments in (apart, shared):
        pytest(session, *arguments, *session.posargs, KANDITIONED_1X=paths)


def run_linters(session: nox.Session) -> None:
    """Check style, formatting, types, the direction of imports, and what the metadata declare."""
    session.run("pytest", ".ci/tests/test_metadata.py")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("mypy", "--num-workers", "2")


@nox.session
def ci(session: nox.Session) -> None:
    """Do what `lint` and `tests` do, in one environment, which takes two minutes to install."""
    install(session, *EVERYTHING, *LINTERS, *TEST_TOOLS)
    run_linters(session)
    run_tests(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, types, the direction of imports, and what the metadata declare."""
    install(session, *EVERYTHING, *LINTERS)
    run_linters(session)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: each package's own, its doctests, and the conformance kit per backend."""
    install(session, *EVERYTHING, *TEST_TOOLS)
    run_tests(session)


@nox.session
def kit_in_full(session: nox.Session) -> None:
    """Run the conformance kit in every format and with CI's examples, but on Triton."""
    install(session, *EVERYTHING, "pytest", "pytest-xdist")
    kit(session, "others", "ci")
    kit(session, "jax", "ci")


@nox.session
def conformance(session: nox.Session) -> None:
    """Prove the kit: its README's adapter, planted faults, vectors, and releases that fail it."""
    install(session, SPEC, CONFORMANCE)  # and no more: an adapter's author has nothing else of ours
    session.run("pytest", "conformance/tests/test_readme.py", env=ENVIRONMENT)
    session.run("python", "-m", "kanditioned_conformance.faults")
    session.run("python", "conformance/vectors/check.py", "kanditioned_spec.backend:backend")
    install(session, "matplotlib", "torch")
    session.run("python", ".ci/adopters.py", "released", *releases(session), env=ENVIRONMENT)


@nox.session
def strangers(session: nox.Session) -> None:
    """Run the kit on implementations that others wrote; show each reason; write the scoreboard."""
    install(session, *EVERYTHING, "pytest")
    session.run("python", ".ci/adopters.py", "strangers", session.create_tmp(), env=ENVIRONMENT)


@nox.session
def ports(session: nox.Session) -> None:
    """Check the tinygrad port, which the porting guide was written with; needs clang."""
    install(session, SPEC, CONFORMANCE, "tinygrad")
    backend = ("--backend", "kanditioned_tinygrad.backend:backend", "--dtype", "float32")
    env = {"DEV": "CPU", "PYTHONPATH": "conformance/adopters"}
    session.run("kanditioned-conformance", *backend, env=env)


@nox.session
@nox.parametrize("version", ["3.6.0", "3.9.0"])
def triton(session: nox.Session, version: str) -> None:
    """Compile the table for every GPU by other releases of Triton than the pinned one."""
    install(session, SPEC, TORCH, TRITON, "pytest", "pytest-xdist")
    session.run_install("pip", "install", "--quiet", f"triton=={version}")
    pytest(session, COMPILED, *session.posargs, KANDITIONED_ALL_GPUS="1")


@nox.session
@nox.parametrize("sanitizer", ["address", "undefined", "thread"])
def sanitizers(session: nox.Session, sanitizer: str) -> None:
    """Run the native library's tests in a build that stops at the first fault; needs g++.

    Out of bounds, after free, undefined arithmetic, or a race between threads.
    """
    install(session, SPEC, CONFORMANCE, "pytest")
    session.run("python", ".ci/sanitizers.py", sanitizer, *session.posargs, env=ENVIRONMENT)


@nox.session
@nox.parametrize("backend", ["torch", "jax"])
def fuzz(session: nox.Session, backend: str) -> None:
    """Load 10,000 damaged and hostile files with a backend, under a limit of memory; Linux."""
    install(session, SPEC, TORCH if backend == "torch" else JAX, "pytest")
    arguments = ("packages/kanditioned-spec/tests/fuzz_loading.py", backend, *session.posargs)
    session.run("python", *arguments, env=ENVIRONMENT)


@nox.session
def docs(session: nox.Session) -> None:
    """Run every block of the site's pages, then build the site strictly into build/docs."""
    tools = ("mkdocs", "mkdocs-material", "mkdocstrings-python", "latex2mathml", "ruff", "pytest")
    install(session, *EVERYTHING, *tools)
    session.run("pytest", "docs/tests", *session.posargs, env=ENVIRONMENT)
    build = ("mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml")
    session.run(*build, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job of the README: train KANs on real data and draw what they learned."""
    install(session, SPEC, TORCH, "./packages/kanditioned[demo,torch]")
    session.run("python", "-m", "kanditioned.demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure: `nox -s bench -- compare`; see benchmarks/README.md. By default `run`."""
    install(session, *EVERYTHING, "pandas", "psutil")
    session.run("python", "-m", "benchmarks", "install")
    session.run("python", "-m", "benchmarks", *(session.posargs or ["run"]))


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that the metadata admit.

    The session `triton` has the lowest Triton too, and compiles its kernels for more GPUs.
    """
    session.install("uv")
    ours = [argument for path in EVERYTHING for argument in ("--editable", path)]
    chosen = ("--resolution", "lowest-direct", *ours)
    tools = ("beartype", "equinox", "jaxtyping", "pandas", "pytest-xdist>=3.6", "setuptools")
    for requirements in (chosen, tools):
        uv(session, "pip", "install", *requirements)
    # In a variable, since tests that run pytest pass it on.
    lines = Path(".ci/lowest_warnings.txt").read_text(encoding="utf-8").splitlines()
    quiet = " ".join(f"-W '{line}'" for line in lines if not line.startswith("#"))
    env = {"KANDITIONED_1X": os.pathsep.join(releases(session)), "PYTEST_ADDOPTS": quiet}
    for folders in (WITHOUT_JAX, WITH_JAX):  # the benchmarks declare nothing
        pytest(session, *folders, f"--ignore={COMPILED}", *session.posargs, **env)


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests with the newest versions of everything, and say which these are.

    On Linux, PyTorch's newest is gigabytes of CUDA unless `PIP_EXTRA_INDEX_URL` names its index
    for CPUs, as in CI, or a file of constraints, `PIP_CONSTRAINT`, holds it back.
    """
    session.install("--upgrade", "--upgrade-strategy", "eager", *EVERYTHING, *TEST_TOOLS)
    session.run("pip", "list")
    run_tests(session)


@nox.session
def audit(session: nox.Session) -> None:
    """Look up known vulnerabilities of what CI installs, and look for weak spots in workflows."""
    install(session, "pip-audit", "zizmor")
    session.run("zizmor", "--offline", ".github")
    session.run("pip-audit", "--strict", "--disable-pip", "--no-deps", "-r", ".ci/constraints.txt")


@nox.session(name="version")
def set_version(session: nox.Session) -> None:
    """Write a version wherever it stands: `nox -s version -- 2.1.0`."""
    install(session, "bump-my-version")
    (new,) = session.posargs
    session.run("bump-my-version", "replace", "--no-configured-files", "--new-version", new)


@nox.session
def lock(session: nox.Session) -> None:
    """Write `.ci/release.txt`: what releases are made with, by hash."""
    install(session, "uv")
    what = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-annotate")
    files = (".ci/release.in", "--constraints=.ci/constraints.txt", "--output-file=.ci/release.txt")
    said = "--custom-compile-command=nox -s lock"
    uv(session, "pip", "compile", "--quiet", "--upgrade", *what, *files, said)


@nox.session
def release(session: nox.Session) -> None:
    """Build all distributions into dist/, check them and try their wheels: `-- --dry-run`."""
    session.install("--require-hashes", "-r", ".ci/release.txt")
    session.run("python", ".ci/release.py", *session.posargs)
