"""Whether a run has tested enough to say anything: what did not run is no success."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .report import RAN, Result

MIN_RUN = 0.6
"""Default share of the problems offered to a backend that it must take."""


def idle(results: Iterable[Result], *, by_dtype: bool) -> list[str]:
    """Return the backends, or their dtypes, of which no test ran."""
    ran: dict[str, bool] = {}
    for result in results:
        name = f"{result.backend} at {result.dtype}" if by_dtype else result.backend
        ran[name] = ran.get(name, False) or result.outcome in RAN
    return [f"no test of {name} ran" for name, any_ran in ran.items() if not any_ran]


def below(results: Iterable[Result], floor: float) -> list[str]:
    """Return the backends that have taken too small a share of the problems offered to them."""
    taken: dict[str, list[int]] = {}
    for result in results:
        counts = taken.setdefault(f"{result.backend} at {result.dtype}", [0, 0])
        counts[0] += result.ran
        counts[1] += sum(result.refused.values())
    return [
        f"{name} has taken {ran} of {ran + refused} problems, less than --min-run {floor:g}"
        for name, (ran, refused) in taken.items()
        if ran + refused and ran < floor * (ran + refused)
    ]


def missing(collected: Sequence[str], done: Iterable[str]) -> list[str]:
    """Return the tests that were to run and have no result."""
    have = set(done)
    return [nodeid for nodeid in collected if nodeid not in have]
