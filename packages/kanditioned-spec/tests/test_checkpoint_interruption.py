"""Killing a process while it saves leaves the old file or the new one, never half of either."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kanditioned_spec.checkpoint import Checkpoint, Layer, LayerConfig, read, temporary, write

CONTENT = Checkpoint({"layer": Layer.of(LayerConfig(1, 1, 2), [[[0.0], [1.0]]])})
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")

SCRIPT = """
import os, random, signal, stat, sys, time
from pathlib import Path
import numpy as np
from kanditioned_spec.checkpoint import Checkpoint, Layer, LayerConfig, files, read, write

path, config = Path(sys.argv[1]), LayerConfig(64, 64, 32)

def save(number):
    write(path, Checkpoint({"layer": Layer(config, np.full(config.shape, number, np.float32))}))

def number_in_file():
    (number,) = set(read(path).only_layer().parameters.ravel().tolist())
    return int(number)

def in_child(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(1)
    return child

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
"""

AT_EVERY_STEP = """
opened = Path.open

def writing_half(self, mode):
    file = opened(self, mode)
    if mode == "xb":
        file.write(b"half")
        file.flush()
        die()
    return file

def after_replacing(descriptor):
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        die()

steps = [
    (files, "encode", die, 0),
    (Path, "open", die, 0),
    (Path, "open", writing_half, 0),
    (files.shutil, "copymode", die, 0),
    (os, "fsync", die, 0),
    (Path, "replace", die, 0),
    (os, "fsync", after_replacing, 1),
]
save(0)
for owner, name, function, want in steps:
    def work():
        setattr(owner, name, function)
        save(1)
    _, status = os.waitpid(in_child(work), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, (name, status)
    assert number_in_file() == want, name
print(len(steps), "steps")
"""

AT_ANY_TIME = """
random.seed(0)
last, seen, kills, unfinished = 0, set(), 0, 0
save(last)
started = time.monotonic()
save(last)
duration = time.monotonic() - started
while kills < 60:
    def work():
        for number in range(last + 1, last + 1000):
            save(number)
    child = in_child(work)
    time.sleep(random.uniform(0, 3 * duration))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
    found = number_in_file()
    assert last <= found < last + 1000
    seen.add(found - last)
    duration *= 1.2 if found == last else 1 / 1.2  # about as long as a save takes here and now
    last = found
    left = len(list(path.parent.glob(".kanditioned-*.tmp")))
    assert left <= 1, left  # every save removes what is left of the one before
    unfinished += left
assert unfinished > 0 and len(seen) > 1, (unfinished, seen)
save(last)
assert [each.name for each in path.parent.iterdir()] == [path.name]
print(kills, "kills,", unfinished, "of them while a temporary file was being written")
"""


@pytest.mark.parametrize("part", [AT_EVERY_STEP, AT_ANY_TIME], ids=["every step", "any time"])
def test_a_killed_save_leaves_a_whole_file(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + part, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    with capsys.disabled():
        print(f"\n  killed while saving: {done.stdout.strip()}")


def test_what_somebody_is_writing_is_left_alone(tmp_path: Path) -> None:
    with temporary.temporary_beside(tmp_path / "a") as (path, file):
        file.write(b"half")
        write(tmp_path / "b", CONTENT)
        assert path.exists()
        temporary.replace(path, file, tmp_path / "a")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "b"]


def test_pipes_and_devices_are_left_alone(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=r"`checkpoint\.write\(path=\.\.\.\)` must be a regular"):
        write(pipe, CONTENT)
    assert pipe.is_fifo()
    with pytest.raises(ValueError, match="which is a device"):
        write("/dev/null", CONTENT)


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    for function in (lambda path: write(path, CONTENT), read):
        with pytest.raises(OSError, match="symbolic links") as caught:
            function(tmp_path / "one")
        assert caught.value.errno == errno.ELOOP
    (tmp_path / "three").symlink_to("new")
    write(tmp_path / "three", CONTENT)
    assert (tmp_path / "three").is_symlink()
    assert (tmp_path / "new").is_file()


@pytest.mark.parametrize("length", [240, 255])
def test_names_as_long_as_can_be(tmp_path: Path, length: int) -> None:
    write(tmp_path / ("n" * length), CONTENT)
    assert read(tmp_path / ("n" * length)).only_layer().config == CONTENT.only_layer().config


def test_paths_of_bytes(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "å")
    write(path, CONTENT)
    assert read(path).only_layer().config == CONTENT.only_layer().config
