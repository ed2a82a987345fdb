"""The same bits with any number of threads, from several threads at once, and after a fork."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import kanditioned_cpu
from kanditioned_spec import reference

# Sizes above the work that one thread does alone, cut by rows, by columns, or by features.
SIZES = [
    (2100, 5, 9, 70),
    (3, 200, 4, 700),
    (5000, 1, 6, 50),
    (700, 2, 40, 130),
    (300, 40, 8, 33),
    (70000, 1, 5, 1),
]


def arrays(size, dtype):
    batch, in_features, count, out_features = size
    rng = np.random.default_rng(sum(size))
    c = (in_features, count, out_features)
    shapes = ((batch, in_features), c, (batch, out_features), (batch, in_features), c)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def everything(x, c, gy, v, V, num_threads=None):
    layer, options = (x, c, 4.0), {"num_threads": num_threads}
    return (
        kanditioned_cpu.forward(*layer, **options),
        kanditioned_cpu.jvp(*layer, v, **options),
        *kanditioned_cpu.vjp(*layer, gy, **options),
        *kanditioned_cpu.vjp_of_vjp(*layer, gy, v, V, **options),
    )


def bits(results):
    return [array.tobytes() for array in results]


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_same_bits_with_any_number_of_threads(size, dtype):
    given = arrays(size, dtype)
    one = everything(*given, num_threads=1)
    for threads in (2, 3, 8):
        assert bits(everything(*given, num_threads=threads)) == bits(one)


def test_one_gradient_alone_has_the_bits_of_both_together():
    x, c, gy, _, _ = arrays(SIZES[0], "float32")
    grad_x, grad_c = kanditioned_cpu.vjp(x, c, 4.0, gy)
    zero_v, zero_V = np.zeros_like(x), np.zeros_like(c)
    by_x, _, _ = kanditioned_cpu.vjp_of_vjp(x, zero_V, 4.0, gy, zero_v, c)
    assert by_x.tobytes() == grad_x.tobytes()
    np.testing.assert_array_equal(grad_c, kanditioned_cpu.vjp(x, zero_V, 4.0, gy)[1])


def test_several_threads_at_once():
    given = [arrays((600 + 10 * n, 9, 7, 40), "float32") for n in range(4)]
    alone = [bits(everything(*each, num_threads=1)) for each in given]
    with ThreadPoolExecutor(4) as executor:
        for _ in range(20):
            together = executor.map(lambda each: bits(everything(*each, num_threads=2)), given)
            assert list(together) == alone


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert kanditioned_cpu.functional.default_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert kanditioned_cpu.functional.default_threads() >= 1


@pytest.mark.parametrize("threads", [0, -1])
def test_a_bad_number_of_threads_is_refused(threads):
    x, c, *_ = arrays((2, 2, 2, 2), "float32")
    with pytest.raises(ValueError, match=r"`forward\(num_threads=...\)` must be an integer >= 1"):
        kanditioned_cpu.forward(x, c, 4.0, num_threads=threads)


@pytest.mark.parametrize("threads", [1025, 100_000, 2**70])
def test_more_threads_than_anyone_has_are_refused(threads):
    x, c, *_ = arrays((2, 2, 2, 2), "float32")
    with pytest.raises(ValueError, match=r"`forward\(num_threads=...\)` must be <= 1024, got"):
        kanditioned_cpu.forward(x, c, 4.0, num_threads=threads)


def test_the_environment_is_bounded_too(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(2**70))
    assert kanditioned_cpu.functional.default_threads() == 1024


COUNT = """
import os
import numpy as np
import kanditioned_cpu
x, c = np.zeros((20000, 64)), np.zeros((64, 4, 64))
kanditioned_cpu.forward(x, c, 4.0, num_threads=1024)
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
def test_no_more_threads_than_processors_are_started():
    command, alone = [sys.executable, "-c", COUNT], {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, env=alone, capture_output=True, timeout=60, check=True)
    assert 1 < int(run.stdout) <= max(4, os.cpu_count() or 1)


# Every amount of memory that is left gives the right result or a MemoryError, never a crash.
STARVED = """
import resource
import sys
import numpy as np
import kanditioned_cpu
rng = np.random.default_rng(0)
x, c = rng.standard_normal((4000, 16)), rng.standard_normal((16, 8, 64))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]), -1))
try:
    y = kanditioned_cpu.forward(x, c, 4.0, num_threads=4)
except MemoryError:
    sys.exit(7)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
sys.exit(0 if (y == kanditioned_cpu.forward(x, c, 4.0, num_threads=1)).all() else 3)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit of memory")
def test_without_memory():
    codes = set()
    for megabytes in (0, 2, 3, 4, 6, 9, 12, 24):
        command = [sys.executable, "-c", STARVED, str(megabytes << 20)]
        codes.add(subprocess.run(command, timeout=60, check=False).returncode)
    assert codes == {0, 7}


FORK = """
import os
import numpy as np
{setup}
rng = np.random.default_rng(0)
x, c = rng.standard_normal((3000, 8)), rng.standard_normal((8, 6, 40))
want = kanditioned_cpu.forward(x, c, 4.0, num_threads=2)
for generation in range(2):
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status))
    same = (kanditioned_cpu.forward(x, c, 4.0, num_threads=2) == want).all()
    if not same:
        os._exit(3)
os._exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize(
    "setup",
    [
        "import kanditioned_cpu",
        "import torch, kanditioned_cpu.torch; torch.ones(2**20).add(1)",
    ],
    ids=["own threads", "PyTorch's threads"],
)
def test_after_a_fork(setup):
    if "torch" in setup:
        pytest.importorskip("torch")
    command = [sys.executable, "-W", "ignore", "-c", FORK.format(setup=setup)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 7


def test_a_shared_sum_is_right_with_many_threads():
    x, c, gy, _, _ = arrays((40000, 1, 3, 4), "float64")
    _, got = kanditioned_cpu.vjp(x, c, 4.0, gy, num_threads=8)
    np.testing.assert_allclose(got, reference.vjp(x, c, 4.0, gy).control_points, rtol=1e-9)
