"""What layers and networks share: immutable objects that JAX takes apart and puts together."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import jax


class Pytree:
    """Base of frozen dataclasses that are pytrees, and so are their subclasses.

    A subclass may add methods; attributes of its own are no part of the pytree.
    """

    _children: ClassVar[tuple[str, ...]]
    """Fields that hold arrays."""
    _static: ClassVar[tuple[str, ...]]
    """Fields that are compiled in."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)

        def flatten(node: Pytree) -> tuple[Any, Any]:
            children = ((jax.tree_util.GetAttrKey(n), getattr(node, n)) for n in cls._children)
            return tuple(children), tuple(getattr(node, name) for name in cls._static)

        def unflatten(static: Any, children: Any) -> Pytree:  # which JAX may fill with anything
            return cls._of_fields(*children, *static)

        jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)

    @classmethod
    def _of_fields(cls, *values: Any) -> Self:
        node = object.__new__(cls)
        node._set(*values)
        return node

    def _set(self, *values: Any) -> None:
        for name, value in zip((*self._children, *self._static), values, strict=True):
            object.__setattr__(self, name, value)
