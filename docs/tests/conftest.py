"""The pages run on one thread: threads that wait by spinning slow down all else on the machine."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
