"""Temporary files beside the file that they are to become, and what a killed process left of them.

Who writes one holds a lock on it, which ends with the process. So one that can be locked is stale,
and the next to write in its folder removes it. Where there are no such locks, nothing is removed.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

PREFIX, SUFFIX = ".kanditioned-", ".tmp"
"""Around random letters: names as short for a file whose own name is as long as can be."""


@contextlib.contextmanager
def temporary_beside(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file in the folder of `target`; it is removed at the end if it still exists."""
    remove_stale(target.parent)
    path, file = _create(target)
    try:
        with file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def remove_stale(folder: Path) -> None:
    """Remove temporary files that nobody is writing any more."""
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if _lock(file, wait=False):
                path.unlink(missing_ok=True)


def _create(target: Path) -> tuple[Path, BinaryIO]:
    while True:
        path = target.with_name(f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}")
        file = path.open("xb")
        _lock(file, wait=True)
        if path.exists():
            return path, file
        file.close()  # somebody took it for stale before it was locked


def _lock(file: BinaryIO, *, wait: bool) -> bool:
    """Lock a file and return whether that was possible."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def replace(path: Path, file: BinaryIO, target: Path) -> None:
    """Put a temporary file in the place of `target`, still locked where that is possible."""
    if sys.platform == "win32":  # an open file cannot be renamed there
        file.close()
    path.replace(target)
