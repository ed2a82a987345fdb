"""The temperature over the year with too little, the learned and too much smoothing."""

from __future__ import annotations

from style import save

from kanditioned.demo.pictures import smoothing

if __name__ == "__main__":
    save(smoothing(), "learned-smoothing")
