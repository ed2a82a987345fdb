"""The picture of the README and of the landing page: three curves that describe cars."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from style import save

from kanditioned.demo.pictures import curves
from kanditioned.plot import save as write

FILE = Path(__file__).parents[1] / "images" / "overview.svg"


def overview(path: Path) -> Figure:
    """Draw the picture into a file."""
    picture = curves(3)
    picture.suptitle("What changes how far a car of the 1970s goes on a gallon")
    write(picture, path)
    return picture


if __name__ == "__main__":
    save(overview(FILE), "cars")
