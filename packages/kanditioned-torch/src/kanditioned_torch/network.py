"""A stack of layers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.fx import Proxy

import kanditioned_spec as spec
from kanditioned_spec import checkpoint, validate
from kanditioned_spec.domain import KEEP
from kanditioned_spec.input_map import input_map_of
from kanditioned_spec.network import NORMS, layer_shapes
from kanditioned_spec.refinement import GridChange
from kanditioned_spec.shapes import Signs

from . import selection
from .arguments import check_device, check_dtype, check_tensor
from .arrays import check_names, to_array, to_tensor
from .batches import Data, record_layer_inputs
from .domain import Magnitudes, fit_grid
from .input_map import InputMap
from .layer import KANLayer
from .norms import batch_statistics, make_norm, normalise, set_batch_statistics
from .replace import replace_layers


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
        input_map: What the inputs go through first: an `InputMap`, or the numbers of one as a
            `kanditioned_spec.InputMap`. It is fixed, and saved with the network.
        monotone: +1 for inputs in which all outputs rise, -1 for those in which they fall, as in
            `KANLayer`. The hidden layers are made increasing. It holds in evaluation.
        convex: The same, +1 convex and -1 concave.
        device: Where the parameters are made.
        dtype: Their dtype.
        **layer_options: Passed to every `KANLayer`.

    Raises:
        ValueError: `widths` is too short, `norm` is unknown or does not suit a width, `dropout` is
            out of range, or the network could not keep the shape that is asked for.

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
        input_map: InputMap | spec.InputMap | None = None,
        monotone: Signs = None,
        convex: Signs = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **layer_options: Any,
    ) -> None:
        super().__init__()
        check_device("KAN", device)
        check_dtype("KAN", dtype)
        remedy = "It says whether a linear map stands beside each layer."
        validate.instance("KAN", "residual", residual, bool, "True or False", remedy)
        self.widths = validate.widths("KAN", widths)
        self.norm = validate.norm("KAN", norm, self.widths, NORMS)
        pairs = list(pairwise(self.widths))
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.norms = nn.ModuleList(make_norm(norm, count, **made) for count in self.widths[:-1])
        numbers = input_map_of("KAN", input_map, self.widths[0])
        self.input_map = None if numbers is None else InputMap(numbers, **made)
        shapes = layer_shapes(
            "KAN", self.widths, monotone, convex, norm=norm, residual=residual, input_map=numbers
        )
        self.layers = nn.ModuleList(
            KANLayer(i, o, **made, **each._asdict(), **layer_options)
            for (i, o), each in zip(pairs, shapes, strict=True)
        )
        linear = (nn.Linear(i, o, bias=False, **made) for i, o in pairs)
        self.residuals = nn.ModuleList(linear) if residual else None
        self.dropout = nn.Dropout(validate.dropout("KAN", dropout))

    def forward(self, x: Any) -> Tensor:
        """Evaluate the network at `x` of shape (..., widths[0])."""
        if not isinstance(x, Proxy):  # of `torch.fx`, which knows no shapes
            check_tensor("KAN.forward", "x", x)
            validate.last_dimension("KAN.forward", "x", x.shape, self.widths[0])
        if self.input_map is not None:
            x = self.input_map(x)
        residuals, drops = self.residuals, self.dropout.p > 0
        for index, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            normalised = normalise(norm, self.dropout(x) if drops and index > 0 else x)
            x = layer(normalised)
            if residuals is not None:
                x = x + residuals[index](normalised)
        y: Tensor = x
        return y

    def kan_layers(self) -> Iterator[KANLayer]:
        """Iterate over the layers."""
        for layer in self.layers:
            assert isinstance(layer, KANLayer)
            yield layer

    def penalty(self, scaling: str = "knots") -> Tensor:
        """Return the sum of the layers' smoothness penalties, see `KANLayer.penalty`."""
        return torch.stack([layer.penalty(scaling) for layer in self.kan_layers()]).sum()

    def infeasibility(self) -> Tensor:
        """Return the sum of `KANLayer.infeasibility` over the layers, to add to the loss."""
        return torch.stack([layer.infeasibility() for layer in self.kan_layers()]).sum()

    def change_grid(self, change: GridChange) -> Self:
        """Return the same functions on another grid, see `KANLayer.change_grid`."""
        return replace_layers(self, lambda layer: layer.change_grid(change))

    def refine(self, num_control_points: int) -> Self:
        """Return the same functions on another number of control points, see `KANLayer.refine`."""
        return replace_layers(self, lambda layer: layer.refine(num_control_points))

    def widen(self, intervals: int) -> Self:
        """Return the same functions on wider domains, see `KANLayer.widen`."""
        return replace_layers(self, lambda layer: layer.widen(intervals))

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return the same functions in other coordinates, see `KANLayer.reparameterize`."""
        return replace_layers(self, lambda layer: layer.reparameterize(parameterization, **options))

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
        share = validate.coverage(where, coverage)
        validate.choice(where, "keep", keep, KEEP)
        seen = [Magnitudes(layer.in_features) for layer in self.kan_layers()]
        record_layer_inputs(where, self, data, [each.add for each in seen])
        reaches = {k: each.reach(where, share) for k, each in zip(self.layers, seen, strict=True)}

        def fit(layer: KANLayer) -> KANLayer:
            points = layer.control_points()
            return layer.change_grid(fit_grid(layer.grid, points, reaches[layer], keep))

        return replace_layers(self, fit)

    def plot(self, data: Any = None, **options: Any) -> Any:
        """Draw a diagram, a matplotlib `Figure`, as `kanditioned.plot.plot_network` says."""
        plot = validate.import_optional("KAN.plot()", "kanditioned.plot", "kanditioned[plot]")
        return plot.plot_network(self, data, **options)

    def to_stored(self) -> checkpoint.Network:
        """Return the network as a file holds it.

        Raises:
            ValueError: It has parameters or buffers beyond those of a `KAN`.
        """
        batch, residuals = self.norm == "batch", range(len(self.residuals or ()))
        stored = checkpoint.Network(
            [layer.to_stored() for layer in self.kan_layers()],
            self.norm,
            self.dropout.p,
            [to_array(self.get_parameter(f"residuals.{n}.weight")) for n in residuals],
            [batch_statistics(norm) for norm in self.norms] if batch else [],
            None if self.input_map is None else self.input_map.numbers(),
        )
        names = {f"{name}.theta" for name in stored.checkpoint().layers}
        check_names("KAN.save", self, names | stored.checkpoint().tensors.keys())
        return stored

    @classmethod
    def from_stored(
        cls,
        stored: checkpoint.Network,
        device: torch.device | str | None = None,
        impl: str = "auto",
    ) -> Self:
        """Build the network that a file holds, every array in the file's dtype."""
        network = cls(  # without numbers, and with small layers, replaced by what the file holds
            stored.widths,
            norm=stored.norm,
            residual=bool(stored.residuals),
            dropout=stored.dropout,
            device="meta",
            num_control_points=2,
        )
        layers = [KANLayer.from_stored(layer, device, impl) for layer in stored.layers]
        network.layers = nn.ModuleList(layers)
        made: dict[str, Any] = {"device": device, "dtype": layers[0].theta.dtype}
        if stored.input_map is not None:
            network.input_map = InputMap(stored.input_map, **made)
        for linear, array in zip(network.residuals or (), stored.residuals, strict=True):
            linear.weight = nn.Parameter(to_tensor(array, device))
        for norm, statistics in zip(network.norms, stored.statistics, strict=False):
            set_batch_statistics(norm, statistics, device)
        return network

    def save(self, path: str | bytes | os.PathLike[str]) -> None:
        """Write the network to a file that every backend reads, whole or not at all."""
        checkpoint.write_network(path, self.to_stored())

    @classmethod
    def load(
        cls,
        path: str | bytes | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        impl: str = "auto",
        max_build_bytes: int = checkpoint.MAX_BUILD_BYTES,
    ) -> Self:
        """Build a network from a file, see `KANLayer.load`.

        Raises:
            CheckpointError: The file is damaged, newer than this package, or holds no network.
        """
        check_device("KAN.load", device)
        selection.check("KAN.load", impl)
        stored = checkpoint.read_network(path, max_build_bytes=max_build_bytes)
        with checkpoint.building("KAN.load", path):
            return cls.from_stored(stored, device, impl)
