"""A time limit for every test: a hanging backend is a result, not the end of a run."""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

DEFAULT = 300.0
"""Seconds for a test; the first of a compiled backend may take a minute or two."""
GRACE = 5.0
"""Seconds after which a test that does not answer to the limit takes its process with it."""


class TimeLimitExceeded(BaseException):
    """A test has taken too long. No `Exception`, so that an adapter cannot catch it by accident."""


@contextmanager
def limit_time(seconds: float, trace: TextIO | None) -> Iterator[None]:
    """End what takes longer than a limit.

    Python code is interrupted by an exception. Compiled code that does not return to Python in time
    cannot be: the process is ended, with its stack written to `trace`, for the command to go on.

    Args:
        seconds: The limit; 0 for none.
        trace: Where to write the stack of a process that must be ended; None to let it hang.

    Raises:
        TimeLimitExceeded: The limit is exceeded.
    """
    if not seconds:
        yield
        return
    by_signal = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    if trace:
        faulthandler.dump_traceback_later(seconds + GRACE * by_signal, exit=True, file=trace)
    if by_signal:
        before = signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        if by_signal:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        if trace:
            faulthandler.cancel_dump_traceback_later()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise TimeLimitExceeded
