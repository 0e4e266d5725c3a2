"""Which kernels the default run compiles: those of all cells for this processor, of three cells for all machines."""

from pathlib import Path

import pytest

from unrolled.kernels.cpu.machine import host

ON_ALL_MACHINES = ("lstm", "gru", "elman")


@pytest.hookimpl(tryfirst=True)  # before slow tests are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the other cells on narrower machines as slow: every pair compiles kernels of its own."""
    for item in items:
        if Path(__file__).parent not in item.path.parents or not hasattr(item, "callspec"):
            continue
        machine, name = (item.callspec.params.get(key) for key in ("machine", "name"))
        if machine and name and machine != host() and name not in ON_ALL_MACHINES:
            item.add_marker(pytest.mark.slow)
