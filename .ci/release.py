"""Build all distributions into dist/, check them, and try their wheels: `nox -s release`.

Without `--dry-run` the version must be a final one that the changelog describes. The native wheels
that cibuildwheel has made are taken from a folder, `--cpu-wheels FOLDER`; else one for this machine
is made. What this runs is installed from `.ci/release.txt`.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
DISTRIBUTIONS = (
    "packages/kanditioned-spec",
    "packages/kanditioned-torch",
    "packages/kanditioned-cpu",
    "packages/kanditioned-triton",
    "packages/kanditioned-jax",
    "packages/kanditioned",
    "conformance",
)
"""Each one after those that it requires."""
TRIALS: dict[str, tuple[tuple[str, ...], ...]] = {
    "": (),
    "plot": (),
    "jax": (("file", "jax"),),
    "torch": (("version1",), ("file", "torch")),
    "cpu,torch": (("version1",), ("file", "torch")),
    "triton": (("file", "torch"),),
    "all": (("version1",), ("file", "torch"), ("file", "jax"), ("blocks", "README.md")),
}
"""By extra: what `try_wheels.py` does where the wheels of that extra alone are installed."""


def main() -> None:
    """Make the release, or end with what is wrong with it."""
    parser = argparse.ArgumentParser(prog="nox -s release --", description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--cpu-wheels", type=Path)
    arguments = parser.parse_args()
    if not arguments.dry_run and not is_described(version()):
        sys.exit(f"docs/changelog.md has no section for {version()}, or it is no final one.")
    shutil.rmtree(DIST, ignore_errors=True)
    build(arguments.cpu_wheels)
    check()
    for extra, trials in TRIALS.items():
        with tempfile.TemporaryDirectory() as folder:
            try_wheels(extra, trials, Path(folder))


def version() -> str:
    """Return the version of all distributions."""
    text = (ROOT / ".bumpversion.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["tool"]["bumpversion"]["current_version"])


def is_described(version: str) -> bool:
    """Return whether a version is a final one with its section in the changelog."""
    changelog = (ROOT / "docs/changelog.md").read_text(encoding="utf-8")
    is_final = re.fullmatch(r"\d+\.\d+\.\d+", version) is not None
    return is_final and f"\n## {version} " in changelog


def build(cpu_wheels: Path | None) -> None:
    """Build sdists, and from them wheels; the native one is made one for many Linux systems."""
    for folder in DISTRIBUTIONS:
        is_native = folder.endswith("-cpu")
        only = ("--sdist",) if is_native and cpu_wheels else ()
        known = ("--build-constraints", ".ci/release.txt", "--require-hashes")
        uv("build", "--quiet", "--out-dir", str(DIST), *known, *only, folder)
    for wheel in cpu_wheels.glob("*.whl") if cpu_wheels else ():
        shutil.copy(wheel, DIST)
    for wheel in DIST.glob("*-linux_*.whl"):
        run("auditwheel", "repair", "--wheel-dir", str(DIST), str(wheel))
        wheel.unlink()


def check() -> None:
    """Check what was built: metadata, contents, and all of `.ci/tests`."""
    wheels, sdists = (sorted(map(str, DIST.glob(f"*{end}"))) for end in (".whl", ".tar.gz"))
    run("twine", "check", "--strict", *wheels, *sdists)
    run("check-wheel-contents", *wheels)
    run("pytest", ".ci/tests", KANDITIONED_DIST=str(DIST))


def try_wheels(extra: str, trials: tuple[tuple[str, ...], ...], folder: Path) -> None:
    """Install the wheels of an extra alone, where there is no compiler, and use them."""
    uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    names = (f"kanditioned[{extra}]=={version()}", f"kanditioned-conformance=={version()}")
    where = ("--python", str(folder), "--find-links", str(DIST), "-c", ".ci/constraints.txt")
    uv("pip", "install", "--quiet", "--no-build", *where, *names)
    alone = {"PATH": str(folder / "bin"), "OMP_NUM_THREADS": "1"}
    run("kanditioned", "backends", **alone)
    for trial in trials:
        run("python", ".ci/try_wheels.py", *trial, **alone)
    if extra == "all":
        kit = ("--backend", "torch", "--backend", "cpu", "--profile", "dev", "-k", "gradients")
        run("kanditioned-conformance", *kit, **alone)


def uv(*arguments: str) -> None:
    """Run uv with pip's settings."""
    run(sys.executable, ".ci/uv_like_pip.py", *arguments)


def run(program: str, *arguments: str, **env: str) -> None:
    """Run a program in the root of the repository, or end with its status."""
    environment = os.environ | env
    found = shutil.which(program, path=environment["PATH"]) or program
    print(">", shlex.join((program, *arguments)), flush=True)
    status = subprocess.run([found, *arguments], cwd=ROOT, env=environment, check=False).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
