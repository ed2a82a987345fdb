"""What a kanditioned KAN layer computes.

The modules are the dictionary that every backend shares: `grid` (where x falls), `input_map` (what
may stand before a layer), `reference` (forward and derivatives), `network` (a stack of layers),
`tensor_product` (a function of two inputs), `parameterizations`, `shapes` (monotone and convex
edges), `penalty`, `initializers`, `refinement`, `domain` (how wide it must be for data), `edges`
(what each edge contributes), `numerics` (error bounds), `validate` (argument checks), `protocol`
and `registry` (what a backend is and how it is found), `strict` (a backend for the tests of its
callers), `checkpoint` (the files of layers and networks), `conditioning` (condition numbers),
`costs` (how long an implementation takes, for `impl="auto"`).
"""

from __future__ import annotations

from . import checkpoint, initializers, numerics, penalty, reference, refinement, registry
from .grid import Grid
from .input_map import InputMap
from .parameterizations import PARAMETERIZATIONS, Parameterization, parameterization
from .protocol import SPEC_VERSION, Backend, BackendInfo, Problem
from .refinement import ResampleWarning
from .registry import BackendNotInstalledError
from .shapes import Shapes
from .tensor_product import TensorProduct

__all__ = [
    "PARAMETERIZATIONS",
    "SPEC_VERSION",
    "Backend",
    "BackendInfo",
    "BackendNotInstalledError",
    "Grid",
    "InputMap",
    "Parameterization",
    "Problem",
    "ResampleWarning",
    "Shapes",
    "TensorProduct",
    "checkpoint",
    "initializers",
    "numerics",
    "parameterization",
    "penalty",
    "reference",
    "refinement",
    "registry",
]
