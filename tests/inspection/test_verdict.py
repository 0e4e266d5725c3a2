"""The verdict names what is broken, and is silent where nothing is."""

import pytest

from inspection.broken import BROKEN, HEALTHY
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.verdict import CAUSES, CHECKS


@pytest.mark.parametrize("cause", BROKEN)
def test_the_verdict_names_the_cause_and_a_remedy(cause):
    case = BROKEN[cause]()
    flow = gradient_flow(case.model, case.batch, **case.options)
    assert flow.findings[0].cause == cause
    assert flow.verdict == flow.findings[0].sentence
    assert ":" in flow.verdict or ";" in flow.verdict  # what is wrong, and what to do
    assert "\n" not in flow.verdict


@pytest.mark.parametrize("name", HEALTHY)
def test_the_verdict_is_silent_on_a_healthy_model(name):
    case = HEALTHY[name]()
    flow = gradient_flow(case.model, case.batch, **case.options)
    assert flow.findings == ()
    assert flow.verdict.startswith("healthy")


def test_every_cause_has_a_broken_model_and_a_check():
    assert set(BROKEN) == set(CAUSES)
    assert len(CHECKS) == len(CAUSES) - 1  # tiny weights are one of two ways to vanish
