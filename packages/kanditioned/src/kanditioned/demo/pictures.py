"""What has been learned, and what smoothing does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..estimators import KANRegressor
from ..plot import DATA, MUTED, SEQUENCE, figure
from .tasks import cars, weather

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FACTORS = (1e-4, 1.0, 1e4)
"""Times the λ that the data choose, drawn beside each other."""
LABELS = ("10⁻⁴ times the learned λ", "the learned λ", "10⁴ times the learned λ")


def curves(max_panels: int = 6) -> Figure:
    """Draw what an additive model has learned of the cars: a curve for each column."""
    x, y = cars()
    drawn: Figure = KANRegressor(interactions=0).fit(x, y).plot(max_panels=max_panels)
    return drawn


def smoothing() -> Figure:
    """Draw the temperature over the year with too little, the learned and too much smoothing."""
    x, y = weather()
    day = x[["day of the year"]]
    learned = float(KANRegressor().fit(day, y).smoothing_[0])
    at = np.linspace(1, 366, 1000)[:, None]
    with figure((6.2, 2.6)) as fig:
        panel = fig.subplots()
        panel.plot(day, y, ".", color=DATA, markersize=2, zorder=0)
        for factor, label, colour in zip(FACTORS, LABELS, SEQUENCE[1:], strict=False):
            model = KANRegressor(smoothing=learned * factor).fit(day.to_numpy(), y)
            is_learned = factor == 1.0
            panel.plot(
                at, model.predict(at), color=SEQUENCE[0] if is_learned else colour, label=label,
                linewidth=2.2 if is_learned else 1, zorder=3 if is_learned else 2,
            )  # fmt: skip
        panel.set(xlabel="day of the year", ylabel="highest temperature / °C", xlim=(1, 366))
        panel.tick_params(color=MUTED)
        panel.legend(loc="upper left")
    return fig
