"""Six failures: each is caught with one sentence, and its healthy twin is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from failures.__main__ import FAILURES

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_caught_and_its_healthy_twin_is_not(name):
    finding = FAILURES[name](broken=True)
    assert finding is not None
    assert str(finding).count(". ") == 0  # one sentence
    assert len(str(finding)) > 60
    assert FAILURES[name](broken=False) is None


def test_the_gradient_failures_name_the_pace_they_were_made_with():
    assert "halves every 1.9 steps" in str(FAILURES["vanishing"]())
    assert "doubles every 1.7 steps" in str(FAILURES["exploding"]())


def test_the_failures_run_as_a_program():
    words = [sys.executable, "-m", "failures"]
    done = subprocess.run(words, cwd=EXAMPLES, capture_output=True, text=True, env=dict(os.environ), check=True)
    assert all(name in done.stdout for name in FAILURES)
    assert "None" not in done.stdout
