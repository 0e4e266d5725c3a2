"""Training anew on all rows after the held-out ones have said how long to train."""

import random

import pytest

import unrolled as ur
from training.toy import same, shorten, weights
from unrolled.artifacts import CARD
from unrolled.errors import OptionError
from unrolled.tasks.shared import refit
from unrolled.training import until_done
from unrolled.training.callbacks import Callback


def shortest(patch):
    shorten(patch)
    patch.setattr(until_done, "MOST_UPDATES", 40)


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    shortest(monkeypatch)


def texts(count=100):
    draw = random.Random(0)
    kinds = [row % 2 for row in range(count)]
    return [{"text": "".join(draw.choices("abc" if kind else "cde", k=4)), "y": kind} for kind in kinds]


def classifier():
    return ur.Classifier("text", hidden_size=4)


@pytest.fixture(scope="module")
def refitted():
    with pytest.MonkeyPatch.context() as patch:
        shortest(patch)
        return classifier().fit(texts())


def test_small_data_are_learnt_from_as_a_whole_and_the_scores_stay_honest(refitted):
    history = refitted.history_
    assert history.refitted == 100
    assert refitted.summary_["records"] == 100
    assert history.ending.endswith("then trained anew on all 100 records")
    assert refitted.scores_.n == 10
    assert refit.NOTE in str(refitted.scores_)
    kept = classifier().fit(texts(), refit=False)
    assert kept.history_.refitted == 0
    assert kept.summary_["records"] == 90
    assert kept.scores_.model == refitted.scores_.model
    assert not same(weights(kept.network_), weights(refitted.network_))


def test_it_survives_a_save(refitted, tmp_path):
    refitted.save(tmp_path / "m")
    again = ur.load(tmp_path / "m")
    assert again.history_ == refitted.history_
    assert "trained anew on all 100 records" in (tmp_path / "m" / CARD).read_text()


def test_the_same_seed_gives_the_same_weights(refitted):
    assert same(weights(classifier().fit(texts()).network_), weights(refitted.network_))


def test_large_data_are_trained_once_unless_asked(monkeypatch):
    monkeypatch.setattr(refit, "MOST_STEPS", 300)
    assert classifier().fit(texts()).history_.refitted == 0
    assert classifier().fit(texts(), refit=True).history_.refitted == 100


def test_what_only_held_out_rows_hold_is_known_and_learnt_afterwards():
    """Every user ends with an item of their own: some of these are only in held-out rows."""
    log = [{"user": u, "item": item} for u in range(80) for item in ("first", "second", "first", f"own of {u}")]
    model = ur.Recommender(user="user", item="item", hidden_size=4, embedding_size=4)
    model.fit(ur.as_source(log), batch_size=64)
    assert len(model.classes_) == 83  # one is the unknown item
    assert model.catalogue_.counts_.min() == 1
    assert model.history_.refitted == len(log)
    assert refit.NOTE in model.scores_.notes


def test_a_refit_that_is_stopped_leaves_the_model_before():
    class StopSecond(Callback):
        runs = 0

        def on_train_start(self, trainer):
            self.runs += 1
            if self.runs == 2:
                trainer.stop()

    stopped = classifier().fit(texts(), callbacks=[StopSecond()])
    kept = classifier().fit(texts(), refit=False)
    assert stopped.history_.refitted == 0
    assert stopped.summary_ == kept.summary_
    assert same(weights(stopped.network_), weights(kept.network_))


def test_a_run_that_was_stopped_is_not_repeated():
    class Stop(Callback):
        def on_update(self, trainer):
            trainer.stop()

    assert classifier().fit(texts(), callbacks=[Stop()]).history_.refitted == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 1}, "refit: expected None or False with epochs or minutes"),
        ({"validation": 0.0}, "received refit=True with validation=0"),
        ({"validation_data": texts(20)}, "received refit=True with validation_data"),
        ({"warm_start": True}, "received refit=True with warm_start=True"),
    ],
)
def test_a_refit_without_rows_to_add_is_refused(options, words):
    with pytest.raises(OptionError) as caught:
        classifier().fit(texts(), refit=True, **options)
    assert words in str(caught.value)
