"""Run the native library's tests in a build that stops at the first fault: `sanitizers.py NAME`.

`address`, `undefined` or `thread` name the sanitizer of g++; more arguments are pytest's.
"""

from __future__ import annotations

import os
import subprocess
import sys

LIBRARIES = {"address": "libasan.so", "undefined": "libubsan.so", "thread": "libtsan.so"}
CPU = "./packages/kanditioned-cpu"
# What Python keeps to its end is no leak. A limit of memory leaves no room for shadow memory, and
# the sanitizer of threads has one of its own, so that two tests cannot be.
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0",
    "TSAN_OPTIONS": "die_after_fork=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
LEFT_OUT = "without_memory or no_more_threads"


def main(sanitizer: str, *arguments: str) -> None:
    """Build with a sanitizer, and run the tests with its library loaded first."""
    flags = f"-fsanitize={sanitizer} -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
    building = {"CXX": "g++", "CXXFLAGS": flags, "LDFLAGS": flags}
    run("pip", "install", "--quiet", "--force-reinstall", "--no-deps", CPU, **building)
    name = f"-print-file-name={LIBRARIES[sanitizer]}"
    library = subprocess.check_output(["g++", name], text=True).strip()
    tests = (f"{CPU}/tests", "-k", f"not ({LEFT_OUT})", *arguments)
    run("pytest", *tests, LD_PRELOAD=library, **OPTIONS)


def run(module: str, *arguments: str, **env: str) -> None:
    """Run a module of this interpreter's environment."""
    subprocess.run([sys.executable, "-m", module, *arguments], env=os.environ | env, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
