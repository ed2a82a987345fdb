"""The picture of the README and of the landing page: three curves that describe cars."""

from __future__ import annotations

from pathlib import Path

from style import save

from kanditioned.demo.pictures import curves
from kanditioned.plot import save as write

FILE = Path(__file__).parents[1] / "images" / "overview.svg"

if __name__ == "__main__":
    picture = curves(3)
    picture.suptitle("What changes how far a car of the 1970s goes on a gallon")
    write(picture, FILE)
    save(picture, "cars")
