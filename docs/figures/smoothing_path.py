"""What the weight of the penalty does to an additive model of the diabetes data."""

from __future__ import annotations

import torch
from style import save

from kanditioned.demo.pictures import smoothing_path

if __name__ == "__main__":
    torch.set_num_threads(1)
    save(smoothing_path(iter)[0], "smoothing-path")
