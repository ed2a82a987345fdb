"""Runs steps with time boxes in a process of its own, and stores each row at once.

The parent never touches the GPU. A step that passes its box, or dies, ends that process, never the
run: what it was doing is a row, and a fresh process goes on.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Check = Callable[[], Row]
GRACE_S = 10.0
"""How long a check may go on after the box of its step, and how long a process may take to start
in proportion: imports and a context on the GPU take up to `START_S`."""
START_S = 90.0
UNDONE = {"error", "cut", "withheld"}
"""A row with one of these is made again."""
IDENTITY = ("device", "python", "torch", "cuda", "triton")
"""What must be the same for rows of an earlier run to count."""


@dataclass
class Context:
    """What a step knows.

    Attributes:
        deadline: When its box ends, as `time.time` counts.
        rows: Of this run and earlier ones, those of the step included.
    """

    deadline: float
    rows: list[Row] = field(default_factory=list)

    def remaining(self) -> float:
        """Return the seconds left of the box."""
        return self.deadline - time.time()


@dataclass(frozen=True)
class Step:
    """A step.

    Attributes:
        number: Its place in the order.
        name: Unique.
        seconds: Its box. What earlier steps left over is added.
        checks: Yields a name, unique in the step, and what makes the row of that name.
        variants: How many checks it has, for the plan.
    """

    number: float
    name: str
    seconds: float
    checks: Callable[[Context], Iterator[tuple[str, Check]]]
    variants: Callable[[], int] = lambda: 1


def load(modules: Iterable[str]) -> list[Step]:
    """Return the `STEPS` of modules in their order."""
    steps = [step for name in modules for step in importlib.import_module(name).STEPS]
    return sorted(steps, key=lambda step: step.number)


def read(files: Iterable[Path]) -> list[Row]:
    """Return the rows of files of an earlier run; a line that was cut short is left out."""
    rows = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
    return rows


class Run:
    """One run of steps.

    Args:
        modules: Where `STEPS` are; the first has `environment()` and `alive()` as well.
        output: File that rows are appended to.
        earlier: Rows of earlier runs.
        budget: Seconds in all.
    """

    def __init__(self, modules: list[str], output: Path, earlier: list[Row], budget: float) -> None:
        self.modules, self.output, self.rows = modules, output, list(earlier)
        self.end = time.time() + budget
        self.done = {
            (row["step"], row["name"])
            for row in earlier
            if "name" in row and not (UNDONE & row.keys()) and not row.get("failed")
        }
        self.failed = 0
        self._log = tempfile.NamedTemporaryFile(suffix=".log")  # noqa: SIM115
        self._process: Any = None
        self._connection: Connection | None = None
        self._told = False

    def __call__(self, steps: list[Step]) -> int:
        """Run steps; return 0 if no row failed, 1 if one did, 2 if there is no device for them.

        Raises:
            ValueError: An earlier row is of another device or version.
        """
        try:
            if not self._start():
                return 2
            for place, step in enumerate(steps):
                later = sum(s.seconds for s in steps[place + 1 :])
                left = self.end - time.time()
                scale = min(1.0, left / max(1e-9, later + step.seconds))
                self._step(step, time.time() + left - scale * later)
        finally:
            self._stop()
        return 1 if self.failed else 0

    def _step(self, step: Step, deadline: float) -> None:
        """Run a step, in as many processes as it ends."""
        began = time.time()
        while time.time() < deadline:
            if self._process is None and not self._start():
                return self._put(step.name, "start", {"error": f"no process: {self._tail()}"})
            assert self._connection is not None
            self._connection.send((step.name, Context(deadline, self.rows), self.done))
            now, ended = "start", False
            while not ended:
                try:
                    if not self._connection.poll(max(0.0, deadline + GRACE_S - time.time())):
                        self._stop()
                        return self._put(step.name, now, {"error": f"timed out: {self._tail()}"})
                    kind, name, row = self._connection.recv()
                except (EOFError, ConnectionError):
                    self._stop()
                    if now:
                        self._put(step.name, now, {"error": f"crashed: {self._tail()}"})
                    break
                if kind == "begin":
                    now = name
                elif kind == "row":
                    self._put(step.name, name, row)
                    now = ""
                else:
                    ended = True
            if ended:
                print(f"== {step.name}: {time.time() - began:.1f} s", flush=True)
                return None
            if now == "start":  # it dies before its first check: no use in trying again
                return None
        return self._put(step.name, "box", {"cut": "no time left"})

    def _put(self, step: str, name: str, row: Row) -> None:
        row = {"step": step, "name": name, **row}
        self.rows.append(row)
        self.done.add((step, name))
        self.failed += "error" in row or bool(row.get("failed"))
        self._append(row)

    def _append(self, row: Row) -> None:
        with self.output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row)[:400], flush=True)

    def _start(self) -> bool:
        """Start a process; return whether it has a device."""
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, self.modules, self._log.name)
        self._process = context.Process(target=serve, args=arguments)
        self._process.start()
        theirs.close()
        try:
            if not self._connection.poll(START_S):
                raise EOFError
            environment = self._connection.recv()
        except (EOFError, ConnectionError):
            print(self._tail(), flush=True)
            self._stop()
            return False
        if environment is None:
            self._stop()
            return False
        if not self._told:
            self._check(environment)
            self._append({"environment": environment})
            self._told = True
        return True

    def _check(self, here: Row) -> None:
        for row in self.rows:
            before = row.get("environment")
            if before and before.get("commit") != here.get("commit"):
                print(f"earlier rows are of commit {before.get('commit')}", flush=True)
            if before and [before.get(n) for n in IDENTITY] != [here.get(n) for n in IDENTITY]:
                raise ValueError(f"earlier rows are of {before}, this is {here}: name other files")

    def _stop(self) -> None:
        """End the process and everything that it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.join(5)
        self._process = None

    def _tail(self) -> str:
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")[-1500:]


def serve(connection: Connection, modules: list[str], log: str) -> None:
    """Make rows for a parent until it goes."""
    os.setsid()
    with Path(log).open("wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    host = importlib.import_module(modules[0])
    steps = {step.name: step for step in load(modules)}
    connection.send(host.environment())
    while True:
        try:
            name, context, done = connection.recv()
        except EOFError:
            return
        try:
            for check, call in steps[name].checks(context):
                if (name, check) in done:
                    continue
                if context.remaining() <= 0:
                    connection.send(("row", check, {"cut": "no time left for this and the next"}))
                    break
                connection.send(("begin", check, None))
                row = record(call)
                context.rows.append({"step": name, "name": check, **row})
                connection.send(("row", check, row))
                if "error" in row and not host.alive():
                    os._exit(1)
        except Exception:  # of the step itself, not of one of its checks
            connection.send(("row", "step", {"error": traceback.format_exc()[-1500:]}))
        connection.send(("end", name, None))


def record(call: Check) -> Row:
    """Return the row that a check makes, or the error that it ended with, and how long it took."""
    began = time.time()
    try:
        row = call()
    except Exception:  # a check that breaks is a result, and the others are wanted
        row = {"error": traceback.format_exc().replace(f"{Path.cwd()}/", "")[-1500:]}
    return {**row, "s": round(time.time() - began, 2)}
