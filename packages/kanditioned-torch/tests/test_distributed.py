"""Two processes arrive at the parameters of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

from kanditioned_torch import KAN

WORKER = Path(__file__).with_name("distributed_worker.py")
pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="PyTorch has no gloo"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run both processes; what they wrote."""
    path = tmp_path_factory.mktemp("distributed")
    commands = ([sys.executable, str(WORKER), str(rank), str(path)] for rank in range(2))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    workers = [subprocess.Popen(command, **pipes) for command in commands]
    try:
        outputs = [worker.communicate(timeout=300)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(outputs)
    return path


@pytest.mark.parametrize("way", ["ddp", "fsdp", "tensor"])
def test_same_parameters_after_ten_steps(folder: Path, way: str) -> None:
    """In float64, so that Adam's division does not magnify the rounding of small gradients."""
    found = torch.load(folder / "found.pt")
    assert found[way].keys() == found["alone"].keys()
    largest = 0.0
    for name, want in found["alone"].items():
        torch.testing.assert_close(found[way][name], want)
        largest = max(largest, float((found[way][name] - want).abs().max()))
    print(f"{way}: largest difference from one process after ten steps {largest:.1e}")


@pytest.mark.filterwarnings("ignore:torch.distributed is .*uninitialized:UserWarning")
def test_saved_sharded_loaded_whole(folder: Path) -> None:
    found = torch.load(folder / "found.pt")["fsdp"]
    model = KAN(
        [3, 7, 5, 1],
        residual=True,
        num_control_points=9,
        parameterization="demmler_reinsch",
        smoothing=1e-2,
        dtype=torch.float64,
    )
    state = model.state_dict()
    dcp.load(state, checkpoint_id=folder / "sharded", no_dist=True)
    model.load_state_dict(state)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, found[name])


@pytest.mark.parametrize("way", ["fsdp", "tensor"])
def test_files_of_spread_networks_are_whole(folder: Path, way: str) -> None:
    found = torch.load(folder / "found.pt")[way]
    for rank in range(2):
        model = KAN.load(folder / f"{way}-{rank}.safetensors")
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter, found[name])


def test_drawn_in_place_after_sharding(folder: Path) -> None:
    torch.manual_seed(0)
    model = KAN([3, 7, 5, 1], num_control_points=9, parameterization="dct")
    found = torch.load(folder / "found.pt")["meta"]
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, found[name])


def test_the_example_runs_under_torchrun(tmp_path: Path) -> None:
    example = Path(__file__).parents[1] / "examples" / "distributed.py"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    options = ["--way=fsdp", "--steps=100", f"--save={tmp_path / 'model.safetensors'}"]
    ran = subprocess.run(
        [*launch, str(example), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout.split("step 100: loss ")[1]) < 0.3
    assert KAN.load(tmp_path / "model.safetensors").widths == (4, 16, 1)
