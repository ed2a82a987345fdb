"""Expected failures and expected skips: files that the maintainer of a backend keeps.

One test per line, with the reason after `#`; the address is what the summary prints::

    # kanditioned 1.0.4
    non_finite::TestNaN::test_value               # NaN is an index error
    dtypes::TestPositions::test_value[bfloat16]   # positions are computed in bfloat16

An address without a dtype is about all dtypes, one without parameters about all of them. What is
listed must fail: an entry that passes, is skipped or matches no test is an error, so that the file
never claims more than is so. A file of expected skips has the same form: what is listed must be
skipped, and what is skipped must be listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kanditioned_spec.numerics import FORMATS

from .report import Result


@dataclass(frozen=True)
class Entry:
    """One line of the file.

    Attributes:
        address: Chapter, class and test, perhaps with parameters and dtype.
        reason: Why it fails.
    """

    address: str
    reason: str

    def matches(self, chapter: str, test: str, parameters: str, dtype: str) -> bool:
        """Whether this entry is about a test."""
        named, _, bracket = self.address.partition("[")
        all_of_it = (f"{parameters},{dtype}", f"{dtype},{parameters}")  # commas in parameters too
        in_brackets = bracket.removesuffix("]")
        return named == f"{chapter}::{test}" and in_brackets in ("", parameters, dtype, *all_of_it)

    def stale(self, results: Iterable[Result], *, skipped: bool = False) -> str:
        """Return why this entry is not so, or nothing.

        Args:
            results: All results.
            skipped: Whether it is an expected skip. Otherwise it is an expected failure; one that
                passes is a failure of its test, and not reported here.
        """
        mine = [r for r in results if self.matches(r.chapter, r.test, r.parameters, r.dtype)]
        if not mine:
            return "no test that ran has this address"
        if skipped:
            ran = [result for result in mine if result.outcome != "skipped"]
            return f"{ran[0].address} {ran[0].outcome}" if ran else ""
        if all(result.outcome == "skipped" for result in mine):
            return f"{mine[0].address} is skipped: {mine[0].reason}"
        return ""

    def in_scope(self, dtypes: Iterable[str]) -> bool:
        """Whether a run over these dtypes can meet it."""
        named = FORMATS.keys() & set(re.split(r"[\[\],]", self.address))
        return not named or bool(named & set(dtypes))


def read(path: Path) -> list[Entry]:
    """Read a file of expected failures or skips.

    Raises:
        ValueError: A line has no reason, or is no address.
        OSError: The file cannot be read.
    """
    entries = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        address, _, reason = (part.strip() for part in line.partition("#"))
        if not address:
            continue
        if not reason or not re.fullmatch(r"\w+::\w+::\w+(\[[^\[\]]+\])?", address):
            raise ValueError(
                f"{path}:{number}: must be `chapter::Class::test[parameter,dtype]  # reason`, "
                f"got {line!r}. The summary of a run prints addresses."
            )
        entries.append(Entry(address, reason))
    return entries
