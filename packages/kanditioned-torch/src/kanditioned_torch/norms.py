"""What stands before each layer of a network (see `kanditioned_spec.network`)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn.modules.batchnorm import _BatchNorm

from kanditioned_spec import validate
from kanditioned_spec.checkpoint import BatchStatistics
from kanditioned_spec.network import EPSILON

from .arrays import to_array, to_tensor


def make_norm(norm: str, features: int, **made: Any) -> nn.Module:
    """Return a normalisation without scale or shift, of a name in `NORMS`."""
    if norm == "none":
        return nn.Identity()
    if norm == "batch":
        return nn.BatchNorm1d(features, eps=EPSILON, affine=False, **made)
    return nn.LayerNorm(features, eps=EPSILON, elementwise_affine=False, **made)


def normalise(norm: nn.Module, x: Tensor) -> Tensor:
    """Normalise `x` (..., I). PyTorch's batch normalisation takes matrices alone.

    Raises:
        ValueError: A batch of one is to be normalised by its own statistics.
    """
    if not isinstance(norm, _BatchNorm):
        y: Tensor = norm(x)
        return y
    symbolic = isinstance(x, Proxy)  # of `torch.fx`, which knows no shapes
    rows = x if not symbolic and x.ndim == 2 else x.reshape(-1, norm.num_features)
    if norm.training and not symbolic and rows.shape[0] == 1:
        remedy = "Pass larger batches, call eval(), or take another norm."
        constraint = 'a batch of more than one for norm="batch" in training mode'
        raise ValueError(validate.message("KAN.forward", "x", constraint, "one", remedy))
    normalised: Tensor = norm(rows)
    return normalised.reshape(x.shape)


def batch_statistics(norm: nn.Module) -> BatchStatistics:
    """Return what a file holds of a batch normalisation."""
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    count = int(norm.num_batches_tracked)
    return BatchStatistics(to_array(norm.running_mean), to_array(norm.running_var), count)


def set_batch_statistics(norm: nn.Module, statistics: BatchStatistics, device: Any) -> None:
    """Give a batch normalisation what a file holds, in the file's dtype."""
    norm.running_mean = to_tensor(statistics.mean, device)
    norm.running_var = to_tensor(statistics.variance, device)
    norm.num_batches_tracked = norm.running_mean.new_tensor(statistics.count).long()
