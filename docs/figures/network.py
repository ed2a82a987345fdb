"""The network of the demo that learns a temperature from hour and day, as a diagram."""

from __future__ import annotations

import torch
from style import save

from kanditioned.demo.recipe import network

if __name__ == "__main__":
    torch.set_num_threads(1)
    save(network()[0], "network")
