"""The project's routine jobs, one session each: `nox -l` lists them, `nox -s tests` runs one."""

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
FACE = "./packages/kanditioned[cpu,jax,plot,sklearn,torch,triton]"
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
WITH_JAX = ("benchmarks/tests", "packages/kanditioned/tests", "packages/kanditioned-jax/tests")
WITHOUT_JAX = (
    "conformance/tests",
    "packages/kanditioned-cpu/tests",
    "packages/kanditioned-spec/tests",
    "packages/kanditioned-torch/tests",
    "packages/kanditioned-triton/tests",
)
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


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: each package's own, its doctests, and the conformance kit per backend."""
    install(session, *EVERYTHING, "pytest", "pytest-xdist", "pandas", "equinox", "statsmodels")
    session.run("pytest", "-n", "2", *kit(*BACKENDS), env=ONE_THREAD)
    # The interpreter is chosen when Triton is imported, hence a process of its own.
    interpreted = kit("kanditioned_torch.backend:triton", profile="dev")
    session.run(
        *("pytest", "-n", "2", "--kan-dtype", "float32", *interpreted),
        env=ONE_THREAD | {"TRITON_INTERPRET": "1"},
    )
    session.run("pytest", "-n", "2", "--doctest-modules", "--pyargs", *IMPORT_NAMES)
    folder = Path(session.create_tmp())
    releases = [released(session, version, folder) for version in ("1.0.3", "1.0.4")]
    # Tests that fork stay out of the processes that JAX has filled with threads.
    for paths in (WITHOUT_JAX, WITH_JAX):
        session.run(
            *("pytest", "-n", "2", *paths, *session.posargs),
            env=ONE_THREAD | {"KANDITIONED_1X": os.pathsep.join(releases)},
        )


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
    """Compile every tile size of the table by other releases of Triton than the pinned one."""
    install(session, SPEC, TORCH, TRITON, "pytest", "pytest-xdist")
    session.run("pip", "install", "--quiet", f"triton=={version}")
    compiled = "packages/kanditioned-triton/tests/test_ahead_of_time.py"
    session.run("pytest", "-n", "2", compiled, *session.posargs, env=ONE_THREAD)


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
    """Check style, formatting, types and the direction of imports."""
    install(session, *EVERYTHING, "ruff", "mypy", "import-linter")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job of the README: train KANs on real data and draw what they learned."""
    install(session, SPEC, TORCH, "./packages/kanditioned[torch,plot,sklearn]")
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
