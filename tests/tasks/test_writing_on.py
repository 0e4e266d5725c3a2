"""Writing token by token is what `generate` writes, with what was expected and remembered beside it."""

import pytest
import torch

import unrolled as ur
from unrolled.decoding.generate import Sampling
from unrolled.errors import OptionError
from unrolled.tasks.language.live_generation import END, Shown, write_on
from unrolled.tasks.language.text_writer import TextWriter

TEXT = "the cät säß on the mat, the döner. " * 30


@pytest.fixture(scope="module", params=["characters", "words", "subwords"])
def model(request):
    unit = ur.Subwords("text", size=280) if request.param == "subwords" else request.param
    return ur.LanguageModel(unit=unit, hidden_size=8, dropout=0.0).fit(TEXT, epochs=2, baselines=False)


@pytest.mark.parametrize("drawing", [(1.0, 0, 1.0), (0.0, 0, 1.0), (2.0, 3, 1.0), (1.5, 0, 0.9)])
def test_it_is_the_text_of_generate(model, drawing):
    for seed in range(5):
        steps = list(write_on(model, "the c", Sampling(25, *drawing, seed), shown=Shown(candidates=3, units=4)))
        assert "".join(step.text for step in steps if not step.read) == model.generate("the c", 25, *drawing, seed=seed)


def test_what_was_expected_holds_what_was_written_and_the_units_are_the_networks(model):
    steps = list(write_on(model, "the", Sampling(6, temperature=0, seed=0), shown=Shown(candidates=1, units=8)))
    read = [step for step in steps if step.read]
    written = [step for step in steps if not step.read and step.units]
    assert [step.expected[0][1] for step in written] == [1.0] * len(written)
    assert [step.expected[0][1] for step in read] == [1.0] * len(read)
    with torch.no_grad():
        _, state = model.writer().read([{"text": "the"}])
    assert torch.tensor(read[-1].units) == pytest.approx(state[-1].hidden[0], abs=1e-3)


def test_a_text_may_end_and_the_end_has_a_name():
    texts = ["ab"] * 60
    model = ur.LanguageModel(hidden_size=16, dropout=0.0).fit(texts, epochs=40, learning_rate=0.02, baselines=False)
    steps = list(write_on(model, "a", Sampling(50, temperature=0), shown=Shown(candidates=3)))
    assert "".join(step.text for step in steps) == model.generate("a", 50, temperature=0) == "b"
    after = next(write_on(model, "ab", Sampling(1, seed=1), shown=Shown(candidates=3)), None)
    assert after is None or END in dict(after.expected)


def test_a_text_starts_with_given_columns():
    rows = [{"text": word * 4, "kind": word} for word in "ab" for _ in range(30)]
    model = ur.LanguageModel(given="kind", hidden_size=8, dropout=0.0).fit(rows, epochs=3, baselines=False)
    steps = list(write_on(model, "", Sampling(5, seed=1), {"kind": "a"}))
    assert "".join(step.text for step in steps) == model.generate("", 5, seed=1, given={"kind": "a"})
    with pytest.raises(OptionError, match="given"):
        write_on(model, "", Sampling(5))


@pytest.mark.parametrize("wrong", [{"length": -1}, {"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"seed": -1}])
def test_an_illegal_option_is_refused_before_the_first_step(model, wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        write_on(model, "the", Sampling(**wrong))


def test_a_column_that_the_model_does_not_have_and_an_illegal_display_are_refused(model):
    with pytest.raises(OptionError, match="given"):
        write_on(model, "the", given={"x": 1})
    for name in ("candidates", "units"):
        with pytest.raises(OptionError, match=name):
            Shown(**{name: -1})


def test_who_has_enough_stops_asking(model):
    steps = write_on(model, "the", Sampling(10**9, seed=0))
    assert len([next(steps) for _ in range(5)]) == 5


def test_a_step_spells_its_own_token_and_no_older_ones(model, monkeypatch):
    spelt, spell = [], TextWriter.spell
    monkeypatch.setattr(TextWriter, "spell", lambda self, tokens: spelt.append(len(tokens)) or spell(self, tokens))
    steps = list(write_on(model, "the cät säß " * 9, Sampling(60, seed=0)))
    assert len(steps) >= 60
    assert max(spelt[1:], default=1) <= 12  # bytes of a character that is not whole, and wrong ones before it
