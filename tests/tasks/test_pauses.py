"""Answers are the same with and without pauses, a pause may end the work, and nothing is left behind by that."""

import threading
from typing import Any

import pytest

import unrolled as ur
from folders.tiny_tasks import MAKERS, tiny
from unrolled.nn import stretches
from unrolled.pauses import has_pauses, pause, pausing


class Enough(BaseException):
    """Raised at a pause."""


class Pauses:
    """Counts pauses, and ends the work at one of them."""

    def __init__(self, most: float = float("inf")) -> None:
        self.count, self.most = 0, most

    def __call__(self) -> None:
        self.count += 1
        if self.count > self.most:
            raise Enough


def close(one: Any, other: Any) -> bool:
    """Whether two answers are equal but for rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    return one == pytest.approx(other, rel=1e-4, abs=1e-5, nan_ok=True) if isinstance(one, float) else one == other


def told(name: str) -> Any:
    question = tiny(name)
    found = question.ask(question.model, question.data)
    return [part.tolist() for part in found] if name.startswith("SequenceModel") else found


@pytest.mark.parametrize("name", MAKERS)
def test_answers_do_not_depend_on_pauses_and_a_pause_may_end_every_question(name, monkeypatch):
    whole = told(name)
    monkeypatch.setattr(stretches, "WORK", 1)  # one step between two pauses
    every = Pauses()
    with pausing(every):
        assert close(told(name), whole)
    assert every.count > 1
    for most in (0, every.count - 1):
        with pytest.raises(Enough), pausing(Pauses(most)):
            told(name)
    monkeypatch.undo()
    assert close(told(name), whole)


@pytest.mark.parametrize("name", ["Classifier", "Tagger", "LanguageModel", "Translator"])
def test_an_inspection_does_not_depend_on_pauses(name):
    model, data, _ = tiny(name)
    whole = model.inspect(data)
    every = Pauses()
    with pausing(every):
        found = model.inspect(data)
    assert every.count > 4
    assert found.gradient_flow.verdict == whole.gradient_flow.verdict
    assert (found.saliency is None) == (whole.saliency is None)
    if found.saliency is not None:
        assert close(list(found.saliency.occlusion), list(whole.saliency.occlusion))


def test_every_task_has_a_question_here():
    from unrolled.tasks.registry import TASKS

    assert {name.partition(",")[0] for name in MAKERS} >= set(TASKS)


def test_a_larger_question_has_more_pauses():
    model = ur.Classifier(hidden_size=2).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
    counts = []
    for rows in (256, 2560):
        every = Pauses()
        with pausing(every):
            model.predict(["ab"] * rows)
        counts.append(every.count)
    assert counts[1] - counts[0] >= 9  # batches of at most 256 sequences


def test_a_long_sequence_has_pauses_inside():
    model = ur.Classifier(hidden_size=64).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
    counts = []
    for length in (100, 20_000):
        every = Pauses()
        with pausing(every):
            model.predict(["ab" * (length // 2)])
        counts.append(every.count)
    cell = model.network_.layers.recurrent.layers[0].forward_cell
    work = 20_000 * sum(weight.numel() for weight in cell.weights)
    assert counts[1] - counts[0] >= work // stretches.WORK > 1


def test_pauses_belong_to_one_thread():
    seen = []
    with pausing(lambda: seen.append("here")):
        other = threading.Thread(target=lambda: (pause(), seen.append(has_pauses())))
        other.start()
        other.join()
        pause()
    assert seen == [False, "here"]
    assert not has_pauses()


def test_an_inspection_does_not_change_what_another_thread_is_answered(monkeypatch):
    model = ur.Classifier(hidden_size=4).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
    whole, found = model.predict_proba(["abba", "baab"]), []

    def ask() -> None:
        found.append(model.predict_proba(["abba", "baab"]))

    def elsewhere() -> None:
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join()

    forward = type(model.network_).forward

    def watched(network: Any, *arguments: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            elsewhere()
        return forward(network, *arguments)

    monkeypatch.setattr(type(model.network_), "forward", watched)
    model.inspect(["abba"], ["x"])
    assert len(found) > 3
    assert all((shares == whole).all() for shares in found)
