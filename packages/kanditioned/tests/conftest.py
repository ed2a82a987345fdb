"""Settings of the face's tests."""

from __future__ import annotations

import torch

torch.set_num_threads(1)  # beside other work, spinning threads are many times slower
