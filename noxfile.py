"""The project's routine jobs, one session each: `nox -l` lists them, `nox -s tests` runs one."""

from __future__ import annotations

import tempfile

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "tests"]

SPEC = "./packages/kanditioned-spec[files]"
TORCH = "./packages/kanditioned-torch"
CPU = "./packages/kanditioned-cpu"
TRITON = "./packages/kanditioned-triton"
JAX = "./packages/kanditioned-jax[nnx]"
FACE = "./packages/kanditioned[cpu,jax,plot,sklearn,torch,triton]"
CONFORMANCE = "./conformance"
EVERYTHING = (SPEC, TORCH, CPU, TRITON, JAX, FACE, CONFORMANCE)
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
    "kanditioned_torch.backend:cpu",
    "kanditioned_torch.backend:dense",
    "kanditioned_torch.backend:embedding",
    "kanditioned_torch.backend:embedding_bag",
    "kanditioned_torch.backend:sorted",
    "kanditioned_torch.backend:sparse_csr",
    "kanditioned_torch.backend:strided",
)
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # a process per core; threads of one would wait for others'


def install(session: nox.Session, *requirements: str) -> None:
    """Install in one call, so that pip resolves our distributions against each other."""
    session.install("--constraint", ".ci/constraints.txt", *requirements)


def kit(*backends: str) -> list[str]:
    """Return pytest's arguments for the conformance kit on some backends."""
    named = [argument for name in backends for argument in ("--kan-backend", name)]
    return ["--kan-profile", "ci", *named, "--pyargs", "kanditioned_conformance.chapters"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: each package's own, its doctests, and the conformance kit per backend."""
    install(session, *EVERYTHING, "pytest", "pytest-xdist", "pandas", "equinox", "scipy")
    with tempfile.TemporaryDirectory() as released:
        # The 1.x package that the drop-in is compared with, out of everyone's way.
        session.run(
            *("pip", "install", "--quiet", "--no-deps", "--target", released, "kanditioned==1.0.3")
        )
        session.run(
            *("pytest", "-n", "2", "packages", "conformance/tests", *session.posargs),
            env=ONE_THREAD | {"KANDITIONED_1X": released},
        )
    session.run("pytest", "-n", "2", *kit(*BACKENDS), env=ONE_THREAD)
    # The interpreter is chosen when Triton is imported, hence a process of its own.
    session.run(
        *("pytest", "-n", "2", *kit("kanditioned_torch.backend:triton")),
        env=ONE_THREAD | {"TRITON_INTERPRET": "1"},
    )
    session.run("pytest", "-n", "2", "--doctest-modules", "--pyargs", *IMPORT_NAMES)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and types."""
    install(session, *EVERYTHING, "ruff", "mypy")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job of the README: train KANs on real data and draw what they learned."""
    install(session, SPEC, TORCH, "./packages/kanditioned[torch,plot,sklearn]")
    session.run("python", "-m", "kanditioned.demo", *session.posargs)


@nox.session
def conditions(session: nox.Session) -> None:
    """Print the condition numbers of every parameterization."""
    install(session, SPEC)
    session.run("python", "-m", "kanditioned_spec", *session.posargs)
