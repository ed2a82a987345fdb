"""The project's routine jobs, one session each: `nox -l` lists them, `nox -s tests` runs one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "tests"]

SPEC, TORCH = "./packages/kanditioned-spec", "./packages/kanditioned-torch"
FACE, CONFORMANCE = "./packages/kanditioned", "./conformance"
IMPORT_NAMES = ("kanditioned_spec", "kanditioned_torch", "kanditioned")

BACKENDS = (
    "reference",
    "kanditioned_torch.backend:auto",
    "kanditioned_torch.backend:embedding",
    "kanditioned_torch.backend:embedding_bag",
    "kanditioned_torch.backend:sparse_csr",
    "kanditioned_torch.backend:strided",
    "kanditioned_torch.backend:sorted",
    "kanditioned_torch.backend:dense",
)


def install(session: nox.Session, *requirements: str) -> None:
    """Install in one call, so that pip resolves our distributions against each other."""
    session.install("--constraint", ".ci/constraints.txt", *requirements)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: each package's own, its doctests, and the conformance kit per backend."""
    install(session, SPEC, TORCH, f"{FACE}[torch,plot]", CONFORMANCE, "pytest", "hypothesis")
    backends = [argument for name in BACKENDS for argument in ("--backend", name)]
    paths = [*map(str, sorted(Path("packages").glob("*/tests"))), "conformance/tests"]
    modules = ["--pyargs", "kanditioned_conformance.chapters", *IMPORT_NAMES]
    session.run(
        "pytest", "--doctest-modules", "--profile", "ci", *backends,
        *(session.posargs or [*paths, *modules]),
    )  # fmt: skip


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and types."""
    install(session, SPEC, TORCH, f"{FACE}[torch,plot]", CONFORMANCE, "ruff", "mypy")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job of the README: train a KAN on real data and plot its functions."""
    install(session, SPEC, TORCH, f"{FACE}[torch,plot]", "scikit-learn")
    session.run("python", "-m", "kanditioned.demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the CPU implementations side by side; arguments after `--` go to the script."""
    install(session, SPEC, TORCH, CONFORMANCE)
    session.run("python", "benchmarks/compare_cpu.py", *session.posargs)


@nox.session
def conditions(session: nox.Session) -> None:
    """Print the condition numbers of every parameterization."""
    install(session, SPEC)
    session.run("python", "-m", "kanditioned_spec", *session.posargs)
