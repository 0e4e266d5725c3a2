"""The monitor: looks at chosen updates, warns once, writes to TensorBoard, and changes nothing."""

import warnings

import pytest
import torch

from inspection.broken import next_step
from training.toy import Dealt, same, train
from unrolled.errors import OptionError
from unrolled.inspection.monitor import GradientFlowMonitor, GradientFlowWarning


def run(cell: str = "gru", monitor: GradientFlowMonitor | None = None, **options):
    model, batch = next_step(cell, 20)
    callbacks = [] if monitor is None else [monitor]
    return train(model, Dealt(batch, 3), callbacks=callbacks, **{"epochs": 3, "learning_rate": 0.001, **options})


def test_it_looks_at_the_chosen_updates_and_changes_nothing():
    monitor = GradientFlowMonitor(every=2)
    _, watched = run(monitor=monitor)
    _, alone = run()
    assert [update for update, _ in monitor.flows] == [1, 3, 5]
    assert same(watched, alone)
    assert all(flow.findings == () for _, flow in monitor.flows)


def test_it_measures_the_update_that_was_made():
    monitor = GradientFlowMonitor(every=1, alarm=False)
    run(monitor=monitor, epochs=1, optimizer="sgd", learning_rate=0.1, max_grad_norm=1e-3, weight_decay=0.0,
        schedule="constant", warmup=0.0)  # fmt: skip
    updates = monitor.flows[0][1].layers[0].updates
    assert set(updates) == {"weight_ih", "weight_hh"}
    assert 0 < max(updates.values()) < 0.1 * 1e-3  # clipped, as the step was


def test_it_warns_once_of_each_cause_and_layer():
    monitor = GradientFlowMonitor(every=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(monitor=monitor, learning_rate=1.0, schedule="constant", warmup=0.0)
    sentences = [str(w.message) for w in caught if issubclass(w.category, GradientFlowWarning)]
    assert sum("divide learning_rate" in text for text in sentences) == 1
    assert len(monitor.flows) == 6


def test_without_alarm_it_only_records():
    monitor = GradientFlowMonitor(every=1, alarm=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(monitor=monitor, learning_rate=1.0, schedule="constant", warmup=0.0)
    assert any(flow.findings for _, flow in monitor.flows)


def test_it_writes_to_tensorboard_where_that_is_on(tmp_path):
    pytest.importorskip("tensorboard")
    monitor = GradientFlowMonitor(every=2, detail=True)
    run(monitor=monitor, tensorboard=str(tmp_path))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    points = events.Scalars("gradient_flow/layer 1/rate")
    assert [point.step for point in points] == [1, 3, 5]
    rates = [flow.layers[0].decay.rate for _, flow in monitor.flows]
    assert [point.value for point in points] == pytest.approx(rates, rel=1e-6)
    assert {"c", "dead_units", "flat/update", "update/weight_hh"} <= {
        tag.removeprefix("gradient_flow/layer 1/") for tag in events.Tags()["scalars"]
    }


def test_a_state_that_is_carried_is_carried_for_the_look_too():
    torch.manual_seed(0)
    model, batch = next_step("lstm", 12)
    monitor = GradientFlowMonitor(every=1)
    train(model, Dealt(batch, 3, bptt=6), callbacks=[monitor], epochs=1, learning_rate=0.001)
    assert len(monitor.flows) == 4


def test_a_pause_below_one_update_is_refused():
    with pytest.raises(OptionError, match="every"):
        GradientFlowMonitor(every=0)
