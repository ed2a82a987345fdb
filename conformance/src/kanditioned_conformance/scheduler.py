"""How pytest-xdist hands out tests: those of one backend at one dtype go to one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from .session import Session


class ByBackend(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps what is compiled in one process; goes on after a process has died.

    Args:
        config: pytest's.
        log: pytest-xdist's.
        session: The run, which knows what a test is about.
        by_chapter: Whether only tests of the same chapter have to stay together.
    """

    def __init__(self, config: Any, log: Any, session: Session, *, by_chapter: bool) -> None:
        super().__init__(config, log)
        self._session = session
        self._by_chapter = by_chapter

    def remove_node(self, node: Any) -> str | None:
        """Give the tests of a process that died to another one, but for the test that it was in.

        pytest-xdist would hand out that one again, and with it units in which nothing is left.
        """
        workload = self.assigned_work[node]
        pending = [
            (unit, nodeid)
            for unit in workload.values()
            for nodeid, done in unit.items()
            if not done
        ]
        running: str | None = None
        if pending:
            unit, running = pending[0]
            unit[running] = True
        for scope in [scope for scope, unit in workload.items() if all(unit.values())]:
            del workload[scope]
        super().remove_node(node)
        return running

    def _split_scope(self, nodeid: str) -> str:
        place = self._session.place(nodeid)
        if not place:
            return nodeid
        subject = place.backend_under_test.id
        return f"{subject} {place.chapter}" if self._by_chapter else subject
