"""Base adapters: a backend from one differentiable function of PyTorch or of JAX.

Nothing is imported here: `kanditioned_conformance.adapters.torch` needs PyTorch,
`kanditioned_conformance.adapters.jax` needs JAX.
"""
