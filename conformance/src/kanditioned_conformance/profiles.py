"""How much a run tries: the examples per test, and whether shapes are drawn or taken from a table.

Hypothesis binds settings when a test is defined, so a profile is loaded before the chapters are
imported.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, settings


@dataclass(frozen=True)
class Profile:
    """How much a run tries.

    Attributes:
        name: The name that selects it.
        examples: Random examples per test, beyond the table of `shapes`.
        any_shape: Whether their shapes are drawn, or taken from that table.
        derandomize: Whether they are the same ones every time and everywhere.
    """

    name: str
    examples: int
    any_shape: bool = False
    derandomize: bool = False

    @property
    def settings_name(self) -> str:
        """Its name among Hypothesis' profiles."""
        return f"kanditioned-{self.name}"


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("dev", 4),
        Profile("ci", 12, derandomize=True),
        Profile("nightly", 500, any_shape=True),
    )
}


def load(profile: Profile, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    """Make a profile the current one.

    Args:
        profile: The profile.
        phases: Of Hypothesis: the explicit examples, random ones, shrinking.
    """
    settings.register_profile(
        profile.settings_name,
        max_examples=profile.examples,
        phases=phases,
        deadline=None,  # the first example may import a framework and compile
        derandomize=profile.derandomize,
        report_multiple_bugs=False,  # the smallest is enough, and is printed as one message
        suppress_health_check=[
            HealthCheck.filter_too_much,  # a backend may refuse every problem: a skip
            HealthCheck.too_slow,  # likewise the backend's affair
            HealthCheck.differing_executors,  # one test, many backends, no state between them
        ],
    )
    settings.load_profile(profile.settings_name)


def draws_any_shape() -> bool:
    """Whether the current profile draws shapes."""
    names = {profile.settings_name for profile in PROFILES.values() if profile.any_shape}
    return settings.get_current_profile_name() in names


def draws_the_same() -> bool:
    """Whether the current profile draws the same examples every time and everywhere."""
    same: bool = settings().derandomize
    return same
