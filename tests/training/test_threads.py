"""Small models train on one thread, large ones on all, and the setting comes back."""

import pytest
import torch
from torch import nn

from unrolled.training.threads import WORTH_THREADS, fitting_threads


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("rows", "threads"), [(1, 1), (WORTH_THREADS // 100, 2)])
def test_threads_follow_the_size_of_a_step(rows, threads):
    with fitting_threads(nn.Linear(10, 10), rows):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_embeddings_are_looked_up_not_multiplied():
    with fitting_threads(nn.Embedding(10_000, 1000), 64):
        assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("two_threads")
def test_the_setting_comes_back_after_an_error():
    with pytest.raises(KeyError), fitting_threads(nn.Linear(2, 2), 1):
        raise KeyError
    assert torch.get_num_threads() == 2
