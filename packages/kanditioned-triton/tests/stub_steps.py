"""Steps that end well, badly and not at all, with a device that is none."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kanditioned_triton.runner import Check, Context, Row, Step


def environment() -> dict[str, Any] | None:
    """Return the name in STUB_DEVICE, or nothing."""
    name = os.environ.get("STUB_DEVICE", "stub")
    return {"device": name} if name else None


def alive() -> bool:
    """Return whether no check has said that the device is lost."""
    return not os.environ.get("STUB_LOST")


def _well(context: Context) -> Iterator[tuple[str, Check]]:
    yield "one", lambda: {"ms": 1.0}
    yield "two", lambda: {"earlier": len(context.rows)}


def _badly(context: Context) -> Iterator[tuple[str, Check]]:
    yield "raises", lambda: {"ms": 1 / 0}
    yield "after", lambda: {"ms": 2.0, "process": os.getpid()}


def _crash() -> Row:
    print("last words", flush=True)
    os.abort()


def _crashes(context: Context) -> Iterator[tuple[str, Check]]:
    yield "before", lambda: {"ms": 1.0}
    yield "dies", _crash
    yield "after", lambda: {"ms": 2.0}


def _hang(context: Context) -> Row:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(os.environ["STUB_CHILD"]).write_text(str(child.pid), encoding="utf-8")
    time.sleep(600)
    return {}


def _hangs(context: Context) -> Iterator[tuple[str, Check]]:
    yield "forever", functools.partial(_hang, context)


def _slow(context: Context) -> Iterator[tuple[str, Check]]:
    for number in range(1000):
        yield str(number), lambda: {"slept": time.sleep(0.2)}


STEPS = [
    Step(1, "well", 5, _well, lambda: 2),
    Step(2, "badly", 5, _badly),
    Step(3, "crashes", 5, _crashes),
    Step(4, "hangs", 1, _hangs),
    Step(5, "slow", 1, _slow),
    Step(6, "last", 5, _well),
]
