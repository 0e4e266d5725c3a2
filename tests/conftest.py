"""What every test shares: shape checks at run time, one thread, fixed seeds, a calm hypothesis."""

import os
import random
from collections.abc import Iterator

os.environ.setdefault("MPLBACKEND", "Agg")  # before matplotlib is imported: tests draw to files

from jaxtyping import install_import_hook

# Must come before anything of unrolled is imported: unrolled.shapes looks for jaxtyping, and these rooms are
# then checked against its aliases on every call.
install_import_hook(["unrolled.cells", "unrolled.kernels", "unrolled.nn"], "shape_checker.check")

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)  # small tensors, and as many processes as cores
torch.set_warn_always(True)  # torch warns once a process; a test should fail for its own warnings, in any order

# The same examples on every machine and at every run; no deadline, because the first call of a kernel is slow.
settings.register_profile(
    "unrolled",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("search", parent=settings.get_profile("unrolled"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unrolled"))


@pytest.fixture(autouse=True)
def fixed_seeds() -> Iterator[None]:
    """Every test starts from the same random state, and leaves torch's defaults as it found them."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - scikit-learn draws from this one
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)
