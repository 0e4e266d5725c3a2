"""Whatever happens to the folder of a model: one ArtifactError when it is loaded, or the answers that it always gave.

Real models of every task. By accident: bits, blocks and whole files are lost; nothing of that may be answered from. On
purpose: a stranger changes a value and makes all digests right; then no library's fault may reach a user, neither when
the folder is loaded nor when the model is asked, and nobody's memory is taken.
"""

import collections
import json
import random
import shutil
import sys
import warnings
from pathlib import Path

import pytest

from folders.damage import by_accident, on_purpose
from folders.tiny_tasks import MAKERS, answers, tiny
from unrolled.artifacts import seal
from unrolled.errors import ArtifactError, UnrolledError
from unrolled.generations import MODEL
from unrolled.tasks.registry import TASKS, load

every = pytest.mark.parametrize("name", MAKERS)
MOST = 400  # MB that all damaged folders of a task may take at once, beside what the sound one took


def peak() -> float:
    """MB that this process took at most; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


@pytest.fixture
def sound(name, tmp_path) -> Path:
    return tiny(name).model.save(tmp_path / "sound")


def outcomes(name, sound, harm, count):
    """What became of so many damaged copies, counted; a raw fault ends the test with the damage in its message."""
    truth = answers(load(sound), tiny(name))
    before, tally = peak(), collections.Counter()
    for number in range(count):
        folder = sound.parent / f"damaged{number}"
        shutil.copytree(sound, folder)
        what = harm(folder, random.Random(f"{name} {number}"))
        try:
            model = load(folder)
        except ArtifactError as fault:
            tally["more than a line"] += "\n" in str(fault)
            tally["refused"] += 1
        except Exception as fault:
            raise AssertionError(f"{name} {number}, {what}: {type(fault).__name__} at load") from fault
        else:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of numbers that are far too large
                    said = answers(model, tiny(name))
                tally["the same" if said == truth else "differs"] += 1
            except UnrolledError:
                tally["refused when asked"] += 1
            except Exception as fault:
                raise AssertionError(f"{name} {number}, {what}: {type(fault).__name__} when asked") from fault
        shutil.rmtree(folder)
    assert peak() - before < MOST
    return tally


def test_every_task_is_among_them():
    assert {name.partition(",")[0] for name in MAKERS} == set(TASKS)


@every
def test_an_accident_is_refused_or_harmless(name, sound):
    tally = outcomes(name, sound, by_accident, 6)
    assert tally["refused"] + tally["the same"] == 6


@every
def test_a_value_that_a_stranger_changed_raises_no_fault_of_a_library(name, sound):
    assert sum(outcomes(name, sound, on_purpose, 6).values()) == 6


@pytest.mark.slow
@every
def test_accidents_of_many_kinds_are_refused_or_harmless(name, sound):
    tally = outcomes(name, sound, by_accident, 120)
    print(f"\n{name}, by accident: {dict(tally)}")
    assert tally["refused"] + tally["the same"] == 120


@pytest.mark.slow
@every
def test_many_values_that_a_stranger_changed_raise_no_fault_of_a_library(name, sound):
    tally = outcomes(name, sound, on_purpose, 120)
    print(f"\n{name}, on purpose: {dict(tally)}")
    assert sum(tally.values()) == 120


def refuse_huge(sound, part):
    """Every whole number in a part of `model.json` becomes far too large, one after the other."""
    record = json.loads((sound / MODEL).read_text())
    before, tried = peak(), 0
    for holder, key in numbers_in(record[part]):
        held = holder[key]
        for huge in (2**31, 2**62, 10**400):
            holder[key] = huge
            (sound / MODEL).write_text(json.dumps(seal(record)))
            try:
                load(sound)
            except ArtifactError:
                tried += 1
        holder[key] = held
    assert peak() - before < MOST
    return tried


def numbers_in(values):
    keys = values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    for key in list(keys):
        if type(values[key]) is int:
            yield values, key
        else:
            yield from numbers_in(values[key])


@every
def test_a_size_that_is_far_too_large_takes_no_memory(name, sound):
    assert refuse_huge(sound, "parameters") >= 4  # sizes of layers, at least


@pytest.mark.slow
@every
def test_no_learnt_number_that_is_far_too_large_takes_memory(name, sound):
    refuse_huge(sound, "learnt")


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("Translator", ("nearest_source", "sources", 0), 3),
        ("Translator", ("nearest_source", "answers"), ["a"]),
        ("Classifier, characters", ("character_ngrams", "vocabulary", 0), [0]),
        ("Recommender", ("item_neighbours", "name"), []),
    ],
)
def test_a_baseline_whose_values_are_of_another_form_is_refused_at_load(name, place, value, sound):
    record = json.loads((sound / MODEL).read_text())
    holder = record["baselines"]
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    (sound / MODEL).write_text(json.dumps(seal(record)))
    with pytest.raises(ArtifactError, match=place[1]):
        load(sound)
