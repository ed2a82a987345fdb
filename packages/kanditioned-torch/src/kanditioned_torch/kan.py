"""A stack of layers."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from kanditioned_spec import validate
from kanditioned_spec.domain import KEEP, checked_coverage

from .checkpoint import load_network, save_network
from .domain import Magnitudes
from .edges import Moments
from .layer import KANLayer
from .observation import Data, observe
from .pruning import Pruned, checked_tolerance, pruned
from .refinement import fitted

NORMS = ("layer", "batch", "none")


class KAN(nn.Module):
    """A Kolmogorov-Arnold network: normalisation, then a `KANLayer`, for each pair of widths.

    Normalisation keeps the inputs of every layer on its domain. It has no scale or shift of its
    own, since the splines that follow can represent any.

    Args:
        widths: Number of features before, between and after the layers, at least two numbers.
        norm: What stands before each layer: `"layer"` (needs three features or more: of two it
            would leave only the order), `"batch"` or `"none"`.
        residual: Add a bias-free `nn.Linear` of the normalised input to each layer.
        dropout: Probability of dropping each hidden feature in training, in [0, 1).
        device: Where the parameters are made.
        dtype: Their dtype.
        **layer_options: Passed to every `KANLayer`.

    Raises:
        ValueError: `widths` is too short, `norm` is unknown or does not suit a width, or
            `dropout` is out of range.

    Shape:
        Input (..., widths[0]), output (..., widths[-1]).

    Example:
        >>> import torch
        >>> KAN([4, 8, 1], num_control_points=16)(torch.randn(5, 4)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        norm: str = "layer",
        residual: bool = False,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **layer_options: Any,
    ) -> None:
        super().__init__()
        self.widths = _checked_widths(widths)
        self.norm = validate.choice("KAN", "norm", norm, NORMS)
        pairs = list(zip(self.widths, self.widths[1:], strict=False))
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.norms = nn.ModuleList(_norm(norm, count, **made) for count in self.widths[:-1])
        self.layers = nn.ModuleList(KANLayer(i, o, **made, **layer_options) for i, o in pairs)
        self.residuals = (
            nn.ModuleList(nn.Linear(i, o, bias=False, **made) for i, o in pairs)
            if residual
            else None
        )
        self.dropout = nn.Dropout(_checked_dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the network at `x` of shape (..., widths[0])."""
        for index, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            normalised = norm(x if index == 0 else self.dropout(x))
            x = layer(normalised)
            if self.residuals is not None:
                x = x + self.residuals[index](normalised)
        return x

    def penalty(self, scaling: str = "knots") -> Tensor:
        """Return the sum of the layers' smoothness penalties, see `KANLayer.penalty`."""
        return torch.stack([layer.penalty(scaling) for layer in self.kan_layers()]).sum()

    def refine(self, num_control_points: int) -> Self:
        """Return the same functions on another number of control points, see `KANLayer.refine`."""
        return self._rebuilt(lambda layer: layer.refine(num_control_points))

    def widen(self, intervals: int) -> Self:
        """Return the same functions on wider domains, see `KANLayer.widen`."""
        return self._rebuilt(lambda layer: layer.widen(intervals))

    def fit_domain(self, data: Data, *, coverage: float = 0.99, keep: str = "spacing") -> Self:
        """Return the same functions with the domain of each layer fitted to what reaches it.

        One pass over the data with the network as it is: in training mode batch normalisation
        uses the batch's statistics, in eval mode the running ones. See `KANLayer.fit_domain`.

        Args:
            data: Inputs (..., widths[0]) of the network, or an iterable of batches of them.
            coverage: Share of the inputs of every feature to have in the domain, in (0, 1].
            keep: `"spacing"` or `"num_control_points"`.
        """
        where = "KAN.fit_domain"
        share = checked_coverage(where, coverage)
        validate.choice(where, "keep", keep, KEEP)
        magnitudes = [Magnitudes(layer.in_features) for layer in self.kan_layers()]
        observe(where, self, data, [found.add for found in magnitudes])
        reaches = iter([found.reach(where, share) for found in magnitudes])
        return self._rebuilt(lambda layer: fitted(layer, next(reaches), keep))

    def plot(self, data: Any = None, **options: Any) -> Any:
        """Draw the network as a diagram, as `kanditioned.plot.plot_network` says.

        Returns:
            A matplotlib `Figure`; no window is opened.

        Raises:
            ImportError: The face is not installed: `pip install "kanditioned[plot]"`.
        """
        from kanditioned.plot import plot_network

        return plot_network(self, data, **options)

    def importance(self, data: Data | None = None) -> list[Tensor]:
        """Return how much each edge of each layer contributes, see `KANLayer.importance`.

        Args:
            data: Inputs (..., widths[0]) of the network, or an iterable of batches of them; each
                layer is judged by what reaches it. By default the inputs of every layer are spread
                evenly over its domain.
        """
        if data is None:
            return [layer.importance() for layer in self.kan_layers()]
        moments = [Moments.of(layer) for layer in self.kan_layers()]
        observe("KAN.importance", self, data, [found.add for found in moments])
        return [
            found.spread(layer.control_points()).std
            for found, layer in zip(moments, self.kan_layers(), strict=True)
        ]

    def prune(self, x: Tensor, tolerance: float) -> Pruned:
        """Return a smaller network whose outputs at `x` differ by `tolerance` at most.

        Edges whose outputs vary least become constants, as many as the tolerance allows. Hidden
        features that no edge, residual branch or normalisation uses any more are removed, and the
        layers get smaller: with `norm="layer"` there are none, since each takes part in the mean
        and the variance. Constants are not frozen, so training on moves them.

        Args:
            x: Inputs (..., widths[0]) that stand for all that will come, for example the
                validation set. The statement holds for these, in eval mode.
            tolerance: Largest |y' - y|, in units of the outputs, >= 0.

        Returns:
            The network, which edges of this one are left, and the largest |y' - y| at `x`.

        Raises:
            ValueError: There are no inputs, or the tolerance is negative.
        """
        bound = checked_tolerance("KAN.prune", tolerance)
        if x.numel() == 0:
            got, remedy = f"shape {tuple(x.shape)}", "The error is measured on them."
            raise ValueError(validate.message("KAN.prune", "x", "at least one input", got, remedy))
        found = pruned(self, x, bound)
        found.network.train(self.training)
        return found

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return the same functions in other coordinates, see `KANLayer.reparameterize`."""
        return self._rebuilt(lambda layer: layer.reparameterize(parameterization, **options))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file that every backend reads, whole or not at all."""
        save_network(path, self)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        impl: str = "auto",
    ) -> Self:
        """Build a network from a file.

        Raises:
            CheckpointError: The file is damaged, newer than this package, or holds no network.
        """
        network = load_network(cls, path, device, impl)
        assert isinstance(network, cls)
        return network

    def _rebuilt(self, rebuild: Callable[[KANLayer], KANLayer]) -> Self:
        network = copy.deepcopy(self)
        network.layers = nn.ModuleList(rebuild(layer) for layer in network.kan_layers())
        return network

    def kan_layers(self) -> Iterator[KANLayer]:
        """Iterate over the layers."""
        for layer in self.layers:
            assert isinstance(layer, KANLayer)
            yield layer


class _FeatureBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of the last dimension, with any leading shape."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.reshape(-1, x.shape[-1])).reshape(x.shape)


def _norm(norm: str, features: int, **made: Any) -> nn.Module:
    if norm == "none":
        return nn.Identity()
    if norm == "batch":
        return _FeatureBatchNorm(features, affine=False, **made)
    if features < 3:
        raise ValueError(
            validate.message(
                "KAN",
                "norm",
                '"batch" or "none" before a layer of one or two features',
                f'"layer" with {features}',
                "Normalising over so few features leaves at most their order.",
            )
        )
    return nn.LayerNorm(features, elementwise_affine=False, **made)


def _checked_widths(widths: object) -> tuple[int, ...]:
    if not isinstance(widths, (list, tuple)) or len(widths) < 2:
        raise ValueError(
            validate.message(
                "KAN",
                "widths",
                "a list or tuple of at least two numbers of features",
                repr(widths),
                "For example [4, 16, 1]: four inputs, sixteen hidden features, one output.",
            )
        )
    return tuple(validate.feature_count("KAN", "widths", width) for width in widths)


def _checked_dropout(dropout: float) -> float:
    constraint, remedy = "a number in [0, 1)", "It is the share of hidden features to drop."
    probability = validate.finite_real("KAN", "dropout", dropout, constraint, remedy, zero=True)
    if probability >= 1:
        raise ValueError(validate.message("KAN", "dropout", constraint, probability, remedy))
    return probability
