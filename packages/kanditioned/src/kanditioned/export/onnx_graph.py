"""An ONNX graph of standard operations, opset 18, as it is put together.

The batch is dynamic: the input `x` has shape (N, I).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

OPSET = 18
IR_VERSION = 9
"""The format of files that came with opset 18 to 19: what older runtimes read too."""


def library() -> Any:
    """Import onnx, which this target alone needs.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('ONNX needs onnx. Install it: pip install "kanditioned[onnx]"') from error
    return onnx


class Graph:
    """Nodes as they are added; what they give goes by name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: npt.ArrayLike, dtype: Any = np.float32) -> str:
        """Add a constant."""
        name = f"c{len(self.constants)}"
        array = np.asarray(value, dtype)
        self.constants.append(library().numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(library().helper.make_node(kind, inputs, [name], **attributes))
        return name

    def cast(self, name: str, dtype: str) -> str:
        """Add a conversion."""
        return self.op("Cast", name, to=getattr(library().TensorProto, dtype))

    def interpolate(self, table: npt.ArrayLike, slot: str, fraction: str) -> str:
        """Add low + t (high - low) of neighbouring rows of a table, t in its last dimension."""
        rows = self.constant(table)
        low = self.op("Gather", rows, slot)
        high = self.op("Gather", rows, self.op("Add", slot, self.constant(1, np.int64)))
        t = self.op("Unsqueeze", fraction, self.constant([-1], np.int64))
        return self.op("Add", low, self.op("Mul", t, self.op("Sub", high, low)))

    def sum(self, name: str, axis: int) -> str:
        """Add a sum over one dimension, which goes."""
        return self.op("ReduceSum", name, self.constant([axis], np.int64), keepdims=0)

    def mean(self, name: str) -> str:
        """Add a mean over the features, which stay as one."""
        return self.op("ReduceMean", name, self.constant([-1], np.int64), keepdims=1)

    def write(
        self, inputs: int, outputs: dict[str, tuple[str, str, list[Any]]], notes: str
    ) -> bytes:
        """Return the bytes of the model.

        Args:
            inputs: How many numbers the model takes.
            outputs: By their names: a node, its dtype and its shape.
            notes: What a person should know.
        """
        onnx = library()
        for name, (node, _, _) in outputs.items():
            self.nodes.append(onnx.helper.make_node("Identity", [node], [name]))
        make = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            self.nodes,
            "kanditioned",
            [make("x", onnx.TensorProto.FLOAT, ["N", inputs])],
            [
                make(name, getattr(onnx.TensorProto, dtype), shape)
                for name, (_, dtype, shape) in outputs.items()
            ],
            self.constants,
        )
        opset = onnx.helper.make_opsetid("", OPSET)
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        model.doc_string, model.producer_name = notes, "kanditioned"
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return content
