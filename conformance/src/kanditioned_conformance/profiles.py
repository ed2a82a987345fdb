"""How many examples a run tries.

Hypothesis binds settings when a test is defined, so a profile is loaded before the chapters are
imported.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

COUNTS = {"dev": 25, "ci": 100, "nightly": 2000}


def register() -> None:
    """Make the profiles known to Hypothesis, as `kanditioned-dev` and so on."""
    for name, count in COUNTS.items():
        settings.register_profile(
            f"kanditioned-{name}",
            max_examples=count,
            deadline=None,  # the first example may import a framework and compile
            derandomize=name == "ci",
            print_blob=True,
            suppress_health_check=[
                HealthCheck.filter_too_much,  # a backend may refuse every problem: a skip
                HealthCheck.too_slow,  # likewise the backend's affair
                HealthCheck.differing_executors,  # one test, many subjects, no state between them
            ],
        )


def load(name: str) -> None:
    """Make a profile the current one."""
    register()
    settings.load_profile(f"kanditioned-{name}")
