"""The project's routine jobs, one session each: `nox -l` lists them, `nox -s tests` runs one."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import tomllib
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
FACE = "./packages/kanditioned[cpu,demo,jax,onnx,plot,sklearn,torch,triton]"
CONFORMANCE = "./conformance"
EVERYTHING = (SPEC, f"{TORCH}[onnx,scipy]", CPU, TRITON, JAX, FACE, CONFORMANCE)
IMPORT_NAMES = (
    "kanditioned",
    "kanditioned_cpu",
    "kanditioned_jax",
    "kanditioned_spec",
    "kanditioned_torch",
)
BACKENDS = (
    "reference",
    "kanditioned.export.backend:c_backend",
    "kanditioned.export.backend:numpy_backend",
    "kanditioned_cpu.backend:backend",
    "kanditioned_jax.backend:dense",
    "kanditioned_jax.backend:lookup",
    "kanditioned_jax.backend:pallas",
    "kanditioned_torch.backend:auto",
    "kanditioned_torch.backend:cpu",
    "kanditioned_torch.backend:dense",
    "kanditioned_torch.backend:embedding",
    "kanditioned_torch.backend:embedding_bag",
    "kanditioned_torch.backend:interleaved",
    "kanditioned_torch.backend:presorted",
    "kanditioned_torch.backend:sorted",
    "kanditioned_torch.backend:sparse_csr",
    "kanditioned_torch.backend:strided",
)
OF_JAX = tuple(name for name in BACKENDS if name.startswith("kanditioned_jax"))
WITH_JAX = ("benchmarks/tests", "packages/kanditioned/tests", "packages/kanditioned-jax/tests")
WITHOUT_JAX = (
    "conformance/tests",
    "packages/kanditioned-cpu/tests",
    "packages/kanditioned-spec/tests",
    "packages/kanditioned-torch/tests",
    "packages/kanditioned-triton/tests",
)
STRANGERS = (
    "efficient-kan @ git+https://github.com/Blealtan/efficient-kan@7b6ce1c87f18c8bc90c208f6b494042344216b11",
    "flashkan==0.2.0",
    "jaxkan==0.3.7",
    "kanx==0.2.1",
    "pykan==0.2.8",
    "pytorch-lattice==0.2.0",
)
"""KAN libraries of others, without what they depend on."""
SCOREBOARD = (
    "strangers.array_libraries:numpy_interp",
    "strangers.array_libraries:scipy_spline",
    "strangers.array_libraries:scipy_basis",
    "strangers.array_libraries:sklearn_transformer",
    "strangers.kan_libraries:pykan_spline",
    "strangers.kan_libraries:efficient_kan_linear",
    "strangers.kan_libraries:kanx_linear",
    "strangers.kan_libraries:flashkan_layer",
    "strangers.kan_libraries:pytorch_lattice",
    "strangers.jaxkan_layer:jaxkan",
    "strangers.exports:onnx_runtime",
    "strangers.exports:torch_export",
    "kanditioned.export.backend:c_backend",
)
"""The rows of the scoreboard: others' implementations, and ours after it was exported."""
DISTRIBUTIONS = (
    "packages/kanditioned-spec",
    "packages/kanditioned-torch",
    "packages/kanditioned-cpu",
    "packages/kanditioned-triton",
    "packages/kanditioned-jax",
    "packages/kanditioned",
    "conformance",
)
"""In the order of their arrows."""
# What is tried where the wheels of one extra are installed and nothing else: `.ci/try_wheels.py`.
TRIALS: dict[str, tuple[tuple[str, ...], ...]] = {
    "": (),
    "plot": (),
    "jax": (("file", "jax"),),
    "torch": (("version1",), ("file", "torch")),
    "cpu,torch": (("version1",), ("file", "torch")),
    "triton": (("file", "torch"),),
    "all": (("version1",), ("file", "torch"), ("file", "jax"), ("blocks", "README.md")),
}
# A process per core: threads of one, XLA's compiler's too, would wait for others'.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "PJRT_NPROC": "1"}


def install(session: nox.Session, *requirements: str) -> None:
    """Install in one call, so that pip resolves our distributions against each other."""
    session.install("--constraint", ".ci/constraints.txt", *requirements)


def kit(*backends: str, profile: str = "ci") -> list[str]:
    """Return pytest's arguments for the conformance kit on some backends."""
    named = [argument for name in backends for argument in ("--kan-backend", name)]
    return ["--kan-profile", profile, *named, "--pyargs", "kanditioned_conformance.chapters"]


def released(session: nox.Session, version: str, folder: Path) -> str:
    """Install a release of the 1.x package into a folder, out of everyone's way."""
    target = str(folder / version)
    package = f"kanditioned=={version}"
    session.run("pip", "install", "--quiet", "--no-deps", "--target", target, package)
    return target


def compiled_once(session: nox.Session) -> dict[str, str]:
    """Return variables with which XLA compiles a function once for all processes and backends.

    Of the kit on one JAX backend, maps, penalties and shapes are half; all three have the same.
    """
    return {
        "JAX_COMPILATION_CACHE_DIR": str(Path(session.create_tmp()).resolve() / "xla"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def version() -> str:
    """Return the version of all distributions."""
    text = Path(".bumpversion.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["tool"]["bumpversion"]["current_version"])


def uv(session: nox.Session, *arguments: str) -> None:
    """Run uv, which does not read pip's settings, with those of its own that mean the same."""
    index = os.environ.get("PIP_EXTRA_INDEX_URL", "")
    # On the command line, since `--find-links` there makes uv forget the same setting elsewhere.
    links = [f"--find-links={link}" for link in os.environ.get("PIP_FIND_LINKS", "").split()]
    env = {"UV_INDEX_STRATEGY": "unsafe-best-match", **({"UV_INDEX": index} if index else {})}
    session.run("uv", *arguments, *(links if arguments[:2] == ("pip", "install") else ()), env=env)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: each package's own, its doctests, and the conformance kit per backend."""
    tools = ("equinox", "pandas", "polars", "pytest", "pytest-xdist", "statsmodels")
    install(session, *EVERYTHING, *tools)
    # XLA compiles every shape that the kit draws: one backend in one format takes 90 to 110 s of
    # processor time (lookup, float32, 2026-11-28). So the formats but float32 are the job of the
    # session `kit_of_jax`, at night.
    others = [name for name in BACKENDS if name not in OF_JAX]
    session.run("pytest", "-n", "2", *kit(*others), env=ONE_THREAD)
    drawn_less = kit(*OF_JAX, profile="dev")
    session.run(
        *("pytest", "-n", "2", "--kan-dtype", "float32", *drawn_less),
        env=ONE_THREAD | compiled_once(session),
    )
    # The interpreter is chosen when Triton is imported, hence a process of its own.
    interpreted = kit("kanditioned_torch.backend:triton", profile="dev")
    session.run(
        *("pytest", "-n", "2", "--kan-dtype", "float32", *interpreted),
        env=ONE_THREAD | {"TRITON_INTERPRET": "1"},
    )
    session.run("pytest", "-n", "2", "--doctest-modules", "--pyargs", *IMPORT_NAMES)
    folder = Path(session.create_tmp())
    releases = [released(session, version, folder) for version in ("1.0.3", "1.0.4")]
    # Tests that fork stay out of the processes that JAX has filled with threads. A file of tests of
    # JAX has one process, in which they share what XLA has compiled.
    for paths, distribution in ((WITHOUT_JAX, "load"), (WITH_JAX, "loadfile")):
        session.run(
            *("pytest", "-n", "2", "--dist", distribution, *paths, *session.posargs),
            env=ONE_THREAD | {"KANDITIONED_1X": os.pathsep.join(releases)},
        )


@nox.session
def kit_of_jax(session: nox.Session) -> None:
    """Run the conformance kit on JAX's backends, in every format and with CI's examples."""
    install(session, *EVERYTHING, "pytest", "pytest-xdist")
    session.run("pytest", "-n", "2", *kit(*OF_JAX), env=ONE_THREAD | compiled_once(session))


@nox.session
def conformance(session: nox.Session) -> None:
    """Prove the kit: its README's adapter, planted faults, vectors, and releases that fail it."""
    install(session, SPEC, CONFORMANCE)  # and no more: an adapter's author has nothing else of ours
    session.run("pytest", "conformance/tests/test_readme.py", env=ONE_THREAD)
    session.run("python", "-m", "kanditioned_conformance.faults")
    session.run("python", "conformance/vectors/check.py", "kanditioned_spec.backend:backend")
    install(session, "matplotlib", "torch")
    folder = Path(session.create_tmp())
    both = ("embedding", "embedding_bag")
    for version, names in (("1.0.3", both), ("1.0.4", (*both, "sparse_matmul_csr"))):
        release = released(session, version, folder)
        for name in names:
            session.run(
                *("kanditioned-conformance", "--backend", f"kanditioned_1x:{name}"),
                *("--profile", "ci", "--xfails", f"conformance/adopters/{name}.xfails"),
                env=ONE_THREAD | {"PYTHONPATH": os.pathsep.join([release, "conformance/adopters"])},
            )


@nox.session
def strangers(session: nox.Session) -> None:
    """Run the kit on implementations that others wrote; show each reason; write the scoreboard."""
    tools = ("pytest", "onnxruntime", "onnxscript", "scikit-learn", "scipy")
    install(session, SPEC, f"{TORCH}[onnx]", JAX, FACE, CONFORMANCE, *tools)
    folder = Path(session.create_tmp())
    session.run("pip", "install", "--quiet", "--no-deps", "--target", str(folder), *STRANGERS)
    adopters = Path("conformance/adopters")
    env = ONE_THREAD | {"PYTHONPATH": os.pathsep.join([str(adopters), str(folder)])}
    session.run("pytest", str(adopters / "tests/test_reasons.py"), env=env)
    reports = []
    for backend in SCOREBOARD:
        name = backend.rpartition(":")[2]
        xfails = adopters / "strangers" / f"{name}.xfails"
        reports.append(str(folder / f"{name}.json"))
        session.run(
            *("kanditioned-conformance", "--backend", backend, "--profile", "ci", "--spec", "2.0"),
            *("--report", reports[-1], *(("--xfails", str(xfails)) if xfails.exists() else ())),
            env=env,
        )
    page = "docs/pages/backends/scoreboard.md"
    session.run("python", "-m", "kanditioned_conformance.scoreboard", page, *reports)


@nox.session
def ports(session: nox.Session) -> None:
    """Check the tinygrad port, which the porting guide was written with; needs clang."""
    install(session, SPEC, CONFORMANCE, "tinygrad")
    session.run(
        *("kanditioned-conformance", "--backend", "kanditioned_tinygrad.backend:backend"),
        *("--dtype", "float32"),
        env={"DEV": "CPU", "PYTHONPATH": "conformance/adopters"},
    )


@nox.session
@nox.parametrize("version", ["3.6.0", "3.9.0"])
def triton(session: nox.Session, version: str) -> None:
    """Compile the table for every GPU by other releases of Triton than the pinned one."""
    install(session, SPEC, TORCH, TRITON, "pytest", "pytest-xdist")
    session.run("pip", "install", "--quiet", f"triton=={version}")
    compiled = "packages/kanditioned-triton/tests/test_ahead_of_time.py"
    env = ONE_THREAD | {"KANDITIONED_ALL_GPUS": "1"}
    session.run("pytest", "-n", "2", compiled, *session.posargs, env=env)


@nox.session
@nox.parametrize("sanitizer", ["address", "undefined", "thread"])
def sanitizers(session: nox.Session, sanitizer: str) -> None:
    """Run the native library's tests in a build that stops at the first fault; needs g++.

    Out of bounds, after free, undefined arithmetic, or a race between threads.
    """
    install(session, SPEC, CONFORMANCE, "pytest")
    flags = f"-fsanitize={sanitizer} -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
    building = {"CXX": "g++", "CXXFLAGS": flags, "LDFLAGS": flags}
    session.run("pip", "install", "--quiet", "--force-reinstall", "--no-deps", CPU, env=building)
    library = {"address": "libasan.so", "undefined": "libubsan.so", "thread": "libtsan.so"}
    name = f"-print-file-name={library[sanitizer]}"
    preloaded = session.run("g++", name, silent=True, external=True)
    # What Python keeps to its end is no leak. A limit of memory leaves no room for shadow memory,
    # and the sanitizer of threads has one of its own, so that two tests cannot be.
    options = {
        "ASAN_OPTIONS": "detect_leaks=0",
        "TSAN_OPTIONS": "die_after_fork=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    session.run(
        *(
            "pytest",
            "packages/kanditioned-cpu/tests",
            "-k",
            "not (without_memory or no_more_threads)",
        ),
        *session.posargs,
        env=ONE_THREAD | options | {"LD_PRELOAD": str(preloaded).strip()},
    )


@nox.session
@nox.parametrize("backend", ["torch", "jax"])
def fuzz(session: nox.Session, backend: str) -> None:
    """Load 10,000 damaged and hostile files with a backend, under a limit of memory; Linux."""
    install(session, SPEC, TORCH if backend == "torch" else JAX, "pytest")
    script = "packages/kanditioned-spec/tests/fuzz_loading.py"
    session.run("python", script, backend, *session.posargs, env=ONE_THREAD)


@nox.session
def docs(session: nox.Session) -> None:
    """Run every block of the site's pages, then build the site strictly into build/docs."""
    tools = ("mkdocs", "mkdocs-material", "mkdocstrings-python", "latex2mathml", "ruff", "pytest")
    install(session, *EVERYTHING, *tools)
    session.run("pytest", "docs/tests", *session.posargs, env=ONE_THREAD)
    session.run(
        *("mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml"),
        env={"NO_MKDOCS_2_WARNING": "1"},
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, types, the direction of imports, and what the metadata declare."""
    tools = ("import-linter", "mypy", "packaging", "pytest", "pyyaml", "ruff")
    install(session, *EVERYTHING, *tools)
    session.run("pytest", ".ci/tests/test_metadata.py")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


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
def conditions(session: nox.Session) -> None:
    """Print the condition numbers of every parameterization."""
    install(session, SPEC)
    session.run("python", "-m", "kanditioned_spec", *session.posargs)


@nox.session(name="version")
def set_version(session: nox.Session) -> None:
    """Write a version wherever it stands: `nox -s version -- 2.1.0`."""
    install(session, "bump-my-version")
    (new,) = session.posargs
    session.run("bump-my-version", "replace", "--no-configured-files", "--new-version", new)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that the metadata admit."""
    session.install("uv")
    ours = [argument for path in EVERYTHING for argument in ("--editable", path)]
    uv(session, "pip", "install", "--resolution", "lowest-direct", *ours)
    tools = ("beartype", "equinox", "jaxtyping", "pandas", "pytest-xdist>=3.6", "setuptools")
    uv(session, "pip", "install", *tools)
    folder = Path(session.create_tmp())
    releases = [released(session, version, folder) for version in ("1.0.3", "1.0.4")]
    # Of that PyTorch itself when it exports, of that Flax with a newer JAX, of that Matplotlib with
    # a newer pyparsing, and of that Triton's interpreter. Tests that run pytest pass them on.
    warnings = (
        "ignore:The given buffer is not writable:UserWarning",
        "ignore:jax.core.Effect is deprecated:DeprecationWarning",
        "ignore::DeprecationWarning:matplotlib._fontconfig_pattern",
        "ignore::DeprecationWarning:matplotlib._mathtext",
        "ignore::DeprecationWarning:pyparsing.util",
        "ignore:Conversion of an array with ndim > 0 to a scalar:DeprecationWarning",
    )
    quiet = shlex.join(argument for warning in warnings for argument in ("-W", warning))
    env = ONE_THREAD | {"KANDITIONED_1X": os.pathsep.join(releases), "PYTEST_ADDOPTS": quiet}
    declared = [path for path in WITH_JAX if path != "benchmarks/tests"]
    for paths in (WITHOUT_JAX, declared):
        session.run("pytest", "-n", "2", *paths, *session.posargs, env=env)


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests with the newest versions of everything, and say which these are.

    On Linux, PyTorch's newest is gigabytes of CUDA unless `PIP_EXTRA_INDEX_URL` names its index
    for CPUs, as in CI, or a file of constraints, `PIP_CONSTRAINT`, holds it back.
    """
    tools = ("equinox", "pandas", "polars", "pytest", "pytest-xdist", "statsmodels")
    session.install("--upgrade", "--upgrade-strategy", "eager", *EVERYTHING, *tools)
    session.run("pip", "list")
    session.run("pytest", "-n", "2", *kit(*BACKENDS, profile="dev"), env=ONE_THREAD)
    for paths in (WITHOUT_JAX, WITH_JAX):
        session.run("pytest", "-n", "2", *paths, *session.posargs, env=ONE_THREAD)


@nox.session
def audit(session: nox.Session) -> None:
    """Look up known vulnerabilities of what CI installs, and look for weak spots in workflows."""
    install(session, "pip-audit", "zizmor")
    session.run("zizmor", "--offline", ".github")
    session.run("pip-audit", "--strict", "--disable-pip", "--no-deps", "-r", ".ci/constraints.txt")


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
    """Build all distributions into dist/, check them and try their wheels: `-- --dry-run`.

    Without `--dry-run` the version must be a final one that the changelog describes. The native
    wheels that cibuildwheel has made are taken from a folder, `--cpu-wheels FOLDER`; else one for
    this machine is made.
    """
    parser = argparse.ArgumentParser(prog="nox -s release --")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--cpu-wheels", type=Path)
    arguments = parser.parse_args(session.posargs)
    if not arguments.dry_run and not is_described(version()):
        session.error(f"docs/changelog.md has no section for {version()}, or it is no final one.")
    session.install("--require-hashes", "-r", ".ci/release.txt")
    dist = Path("dist").resolve()
    shutil.rmtree(dist, ignore_errors=True)
    build(session, dist, arguments.cpu_wheels)
    files = [str(path) for path in sorted(dist.iterdir()) if path.suffix in (".whl", ".gz")]
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", *(path for path in files if path.endswith(".whl")))
    session.run("pytest", ".ci/tests", env={"KANDITIONED_DIST": str(dist)})
    for extra, trials in TRIALS.items():
        try_wheels(session, dist, extra, trials)


def is_described(version: str) -> bool:
    """Return whether a version is a final one with its section in the changelog."""
    changelog = Path("docs/changelog.md").read_text(encoding="utf-8")
    is_final = re.fullmatch(r"\d+\.\d+\.\d+", version) is not None
    return is_final and f"\n## {version} " in changelog


def build(session: nox.Session, dist: Path, cpu_wheels: Path | None) -> None:
    """Build sdists, and from them wheels; the native one is made one for many Linux systems."""
    for folder in DISTRIBUTIONS:
        is_native = folder.endswith("-cpu")
        only = ("--sdist",) if is_native and cpu_wheels else ()
        known = ("--build-constraints", ".ci/release.txt", "--require-hashes")
        uv(session, "build", "--quiet", "--out-dir", str(dist), *known, *only, folder)
    for wheel in cpu_wheels.glob("*.whl") if cpu_wheels else ():
        shutil.copy(wheel, dist)
    for wheel in dist.glob("*-linux_*.whl"):
        session.run("auditwheel", "repair", "--wheel-dir", str(dist), str(wheel))
        wheel.unlink()


def try_wheels(
    session: nox.Session, dist: Path, extra: str, trials: tuple[tuple[str, ...], ...]
) -> None:
    """Install the wheels of an extra alone, where there is no compiler, and use them."""
    folder = Path(session.create_tmp()) / (extra.replace(",", "-") or "base")
    uv(session, "venv", "--quiet", "--clear", "--python", session.bin + "/python", str(folder))
    names = [f"kanditioned[{extra}]=={version()}", f"kanditioned-conformance=={version()}"]
    where = ("--python", str(folder), "--find-links", str(dist), "-c", ".ci/constraints.txt")
    uv(session, "pip", "install", "--quiet", "--no-build", *where, *names)
    env = {"PATH": str(folder / "bin"), "OMP_NUM_THREADS": "1"}
    session.run(str(folder / "bin/kanditioned"), "backends", env=env, external=True)
    for trial in trials:
        python = str(folder / "bin/python")
        session.run(python, ".ci/try_wheels.py", *trial, env=env, external=True)
    if extra == "all":
        kit = ("--backend", "torch", "--backend", "cpu", "--profile", "dev", "-k", "gradients")
        session.run(str(folder / "bin/kanditioned-conformance"), *kit, env=env, external=True)
