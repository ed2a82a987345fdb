"""What a run has done so far, on disk: a process that dies loses the test it was in, no other.

The command keeps a folder for the processes of one run. A process appends a line when a test
begins and when its result is in; the command reads them when the process has died, adds what became
of the test that was running, and starts another process for the tests that are left.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .report import Result

LOG, DONE, TRACE = "log.jsonl", "done.jsonl", "hung.txt"


@dataclass(frozen=True)
class Lost:
    """The test that a process was in when it died.

    Attributes:
        nodeid: Its name in pytest.
        seconds: How long it had been running.
    """

    nodeid: str
    seconds: float


@dataclass(frozen=True)
class Journal:
    """The folder of one run.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def trace(self) -> Path:
        """The file for the stack of a process that was ended because it hung."""
        return self.folder / TRACE

    def begin(self, nodeid: str) -> None:
        """Note that a test begins."""
        self._append({"begun": nodeid, "time": time.time()})

    def keep(self, nodeid: str, result: Result) -> None:
        """Note the result of a test."""
        self._append({"done": nodeid, "result": asdict(result)})

    def end(self) -> None:
        """Note that a process has come to its own end."""
        self._append({"ended": True})

    def earlier(self) -> tuple[dict[str, Result], dict[str, str], bool]:
        """Return what earlier processes have left.

        Returns:
            Results by test; how the tests that were lost ended; whether to run no more tests.
        """
        lines = _lines(self.folder / DONE)
        results = {line["done"]: Result(**line["result"]) for line in lines if "done" in line}
        lost = {line["lost"]: line["how"] for line in lines if "lost" in line}
        return results, lost, any("stop" in line for line in lines)

    def has_ended(self) -> bool:
        """Whether the latest process has come to its own end."""
        return any("ended" in line for line in _lines(self.folder / LOG))

    def lost(self) -> Lost | None:
        """Return the test that the latest process was in, if it was in one."""
        begun: dict[str, float] = {}
        for line in _lines(self.folder / LOG):
            if "begun" in line:
                begun[line["begun"]] = line["time"]
            elif "done" in line:
                begun.pop(line["done"], None)
        for nodeid, began in begun.items():
            return Lost(nodeid, time.time() - began)
        return None

    def close(self, lost: Lost, how: str, *, stop: bool) -> None:
        """Hand over to another process.

        Args:
            lost: The test that was lost.
            how: How it ended.
            stop: Whether the other process is to run no more tests, only to report.
        """
        log = self.folder / LOG
        kept = [line for line in _lines(log) if "done" in line]
        closing = [{"lost": lost.nodeid, "how": how}, *([{"stop": True}] if stop else [])]
        with (self.folder / DONE).open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in [*kept, *closing])
        log.unlink()

    def _append(self, line: dict[str, Any]) -> None:
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")


def _lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a file; the last may be half-written."""
    if not path.exists():
        return []
    whole = [line for line in path.read_text("utf-8").splitlines(True) if line.endswith("\n")]
    return [json.loads(line) for line in whole]
