"""Load damaged and hostile files with a backend, under a limit of memory.

    python packages/kanditioned-spec/tests/fuzz_loading.py jax --count 10000

Every file is loaded, or refused with `CheckpointError`; what is loaded has the bits of the file.
The command fails on any other error, if loading takes more than `--seconds` of processor time, if
loading and computing the control points take more than 200 MB, or if a model that was there before
has changed. JAX builds and compiles at the first use, whose time is printed beside. Linux alone.
"""

from __future__ import annotations

import argparse
import importlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from checkpoint_mutations import DAMAGE, FORGERY

from kanditioned_spec import InputMap, checkpoint
from kanditioned_spec.checkpoint import Checkpoint, CheckpointError, Layer, LayerConfig

MEGABYTES = 200.0
RNG = np.random.default_rng(0)

KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bspline", {}),
    ("prefix_sum", {}),
    ("parallel_scan", {}),
    ("dct", {"transform": "fft"}),
    ("dct", {"transform": "matmul"}),
    ("legendre", {"degree": 1}),
    ("legendre", {}),
    ("demmler_reinsch", {"smoothing": 1e-6, "density": "normal"}),
)
DTYPES = ("float16", "bfloat16", "float32", "float64")


class Load(NamedTuple):
    """How one file fared."""

    loaded: bool
    error: str
    seconds: float
    first_use: float
    megabytes: float


def layer(*arguments: Any, **options: Any) -> Layer:
    config = LayerConfig(*arguments, **options)
    return Layer.of(config, RNG.integers(-8, 8, config.shape) / 8)


def originals(folder: Path) -> Iterator[tuple[bool, bytes]]:
    """Yield whether it is a network's, and the content of a sound file."""
    path = folder / "original"
    for number, (name, options) in enumerate(KINDS):
        dtype = DTYPES[number % len(DTYPES)]
        single = layer(2, 3, 7, 3.0, name, options, dtype, monotone=(1, 0) if number % 2 else ())
        checkpoint.write(path, Checkpoint({"layer": single}))
        yield False, path.read_bytes()
    layers = [layer(3, 4, 5, convex=(0, 1, 0)), layer(4, 3, 6, 4.0, "dct", dtype="bfloat16")]
    residuals = [np.ones((4, 3), np.float32), np.ones((3, 4), np.float16)]
    input_map = InputMap.affine(np.zeros(3), np.ones(3))
    for network in (
        checkpoint.Network(layers),
        checkpoint.Network(layers, "none", 0.5, residuals, input_map=input_map),
    ):
        checkpoint.write_network(path, network)
        yield True, path.read_bytes()


def sound_and_large(rng: random.Random, folder: Path) -> tuple[bool, bytes]:
    """Return a small, sound file that may ask for much: up to 65536 knots, extreme widths."""
    name, options = rng.choice(KINDS)
    count = rng.choice((2, 3, 64, 512, 1024, 1182, 1183, 2048, 2**12, 2**14, 2**16))
    width = rng.choice((4.0, 1e-300, 1e-40, 1e-12, 1e20, 1e300))
    dtype = rng.choice(DTYPES)
    config = LayerConfig(1, 1, count, width, name, options, dtype)
    single = Layer.of(config, np.zeros(config.shape))
    path, network = folder / "original", rng.random() < 0.5
    if network:
        checkpoint.write_network(path, checkpoint.Network([single] * rng.choice((1, 3)), "none"))
    else:
        checkpoint.write(path, Checkpoint({"layer": single}))
    return network, path.read_bytes()


def files(count: int, folder: Path) -> Iterator[tuple[bool, bytes]]:
    """Yield as many mutations; every tenth is a sound file that may ask for much."""
    rng, sound = random.Random(0), list(originals(folder))
    yield from sound
    shares = DAMAGE | FORGERY
    mutators, weights = list(shares), list(shares.values())
    for number in range(count - len(sound)):
        network, content = sound[number % len(sound)]
        if number % 10 == 0:
            yield sound_and_large(rng, folder)
        else:
            yield network, rng.choices(mutators, weights)[0](rng, content)


def resident(field: str) -> float:
    """Return `VmRSS` or `VmHWM` of this process in megabytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def load(path: Path, kind: Any, read_bits: Callable[[Any], bytes]) -> Load:
    """Load one file."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before, started, error, model = resident("VmRSS"), time.process_time(), "", None
    loaded = started
    try:
        model = kind.load(path)
        loaded = time.process_time()
        layers = list(model.layers) if hasattr(model, "layers") else [model]
        for each in layers:
            each.control_points()
    except CheckpointError:
        loaded = time.process_time()
    except BaseException as found:
        error = repr(found)[:300]
    ended, megabytes = time.process_time(), resident("VmHWM") - before
    if model is not None and not error:
        stored = checkpoint.read(path).layers.values()
        if [read_bits(each) for each in layers] != [s.parameters.tobytes() for s in stored]:
            error = "the parameters are not those of the file"
    return Load(model is not None, error, loaded - started, ended - loaded, megabytes)


def backend(name: str) -> tuple[Any, Callable[[Any], bytes]]:
    """Return a backend's package, and what reads the bits of a layer's parameters."""
    module = importlib.import_module(f"kanditioned_{name}")
    if name == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
        return module, lambda each: np.asarray(each.theta).tobytes()
    return module, lambda each: each.to_stored().parameters.tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", choices=("torch", "jax"))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="limit of a file")
    arguments = parser.parse_args()
    module, read_bits = backend(arguments.backend)
    results: list[tuple[int, Load]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "model"
        path.write_bytes(next(originals(folder))[1])
        there, bits = module.KANLayer.load(path), path.read_bytes()
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = used * resource.getpagesize() + 2**31
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number, (network, content) in enumerate(files(arguments.count, folder)):
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            kind = module.KAN if network else module.KANLayer
            results.append((number, load(path, kind, read_bits)))
            if arguments.backend == "jax" and number % 500 == 499:
                importlib.import_module("jax").clear_caches()
        path.unlink()
        there.save(path)
        unchanged = path.read_bytes() == bits
    sys.exit(0 if report(results, unchanged, arguments.seconds) else 1)


def report(results: list[tuple[int, Load]], unchanged: bool, seconds: float) -> bool:
    """Print the figures; return whether all is well."""
    wrong = [(number, one.error) for number, one in results if one.error]
    slow = [number for number, one in results if one.seconds > seconds]
    large = [number for number, one in results if one.megabytes > MEGABYTES]
    print(*wrong[:20], sep="\n")
    print(
        f"{len(results)} files, {sum(one.loaded for _, one in results)} loaded: {len(wrong)} other "
        f"errors, {len(slow)} over {seconds:g} s {slow[:5]}, {len(large)} over {MEGABYTES:g} MB "
        f"{large[:5]}; at most {max(one.seconds for _, one in results):.2f} s (first use "
        f"{max(one.first_use for _, one in results):.2f} s) and "
        f"{max(one.megabytes for _, one in results):.0f} MB; the model that was there is "
        f"{'unchanged' if unchanged else 'CHANGED'}"
    )
    return unchanged and not (wrong or slow or large)


if __name__ == "__main__":
    main()
