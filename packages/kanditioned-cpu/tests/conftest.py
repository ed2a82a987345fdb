from collections.abc import Iterator

import pytest

import kanditioned_cpu


@pytest.fixture(params=kanditioned_cpu.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this machine in turn."""
    before = kanditioned_cpu.instruction_set()
    kanditioned_cpu.use_instruction_set(request.param)
    yield request.param
    kanditioned_cpu.use_instruction_set(before)
