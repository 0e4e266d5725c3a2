"""An empty source has an empty answer, whatever else is asked in the same call."""

import pytest

import unrolled as ur
from unrolled.errors import DataError

QUIET = {"epochs": 1, "progress": False, "baselines": False}
SOURCES, TARGETS = ["ab", "ba", "aab", "bba"] * 8, ["ba", "ab", "baa", "abb"] * 8


@pytest.fixture(scope="module", params=["characters", "words"])
def translator(request):
    return ur.Translator(unit=request.param, hidden_size=8).fit(SOURCES, TARGETS, **QUIET)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_an_empty_text_is_translated_to_an_empty_one(translator, beam_size):
    alone = translator.predict([""], beam_size=beam_size)
    beside = translator.predict(["ab", "", "ba"], beam_size=beam_size)
    assert alone == [""]
    assert beside[1] == ""
    assert beside[::2] == translator.predict(["ab", "ba"], beam_size=beam_size)


@pytest.mark.parametrize("blank", [" ", "   ", "\t\n", "\u3000"])
def test_a_text_of_nothing_but_white_space_is_an_empty_one(blank):
    spaced = [" ".join(text) for text in SOURCES]
    model = ur.Translator(unit="characters", hidden_size=8).fit(spaced, spaced, **QUIET)
    assert model.predict([blank, "a b"])[0] == ""
    assert model.report_["empty records"] == 1


def test_a_missing_text_is_an_empty_one(translator):
    assert translator.predict([{"source": None}, {"source": ""}]) == ["", ""]


def test_of_several_answers_the_empty_one_is_certain(translator):
    (only,), others = translator.n_best(["", "ab"], count=2)
    assert (only.text, only.log_probability, only.finished) == ("", 0.0, True)
    assert len(others) == 2


def test_an_answer_that_is_begun_stays_as_it_was_begun(translator):
    assert translator.predict([""], prefix="ba") == ["ba"]


def test_an_empty_source_has_no_alignment_and_is_counted(translator):
    (working,) = translator.workings([""])
    assert working.answer == ""
    assert working.alignment.weights.shape == (0, 0)
    translator.predict(["", "ab"])
    assert translator.report_["empty records"] == 1


def test_lists_of_words_and_of_places_may_be_empty():
    data = [{"source": ["a", "b"], "target": ["b", "a"]}, {"source": ["c"], "target": ["c"]}] * 8
    model = ur.Translator(hidden_size=8).fit(data, **QUIET)
    assert model.predict([{"source": []}, {"source": ["a"]}])[0] == []
    data = [{"picture": [[0.1, 0.2], [0.3, 0.4]], "caption": "a b"}, {"picture": [[0.3, 0.2]], "caption": "b"}] * 8
    assert ur.Captioner(hidden_size=8).fit(data, **QUIET).predict([{"picture": []}]) == [""]


def test_a_sequence_without_steps_has_no_tags():
    model = ur.Tagger(hidden_size=4).fit([{"words": ["the", "cat"], "tags": ["D", "N"]}] * 16, **QUIET)
    assert model.predict([{"words": []}]) == [[]]
    assert [len(tags) for tags in model.predict([{"words": []}, {"words": ["the"]}])] == [0, 1]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"wrds": ["a"], "n": 1}, "column 'words': expected in the data, received the columns 'wrds', 'n'.*'wrds'"),
        ({"n": 1}, "column 'words': expected in the data, received the columns 'n'(, 'tags')?$"),
    ],
)
def test_an_error_says_which_column_the_model_needs_and_which_ones_came(record, message):
    model = ur.Tagger(hidden_size=4).fit([{"words": ["the", "cat"], "tags": ["D", "N"]}] * 16, **QUIET)
    for ask in (model.predict, model.evaluate):
        with pytest.raises(DataError, match=message):
            ask([{**record, "tags": ["D"]}] if ask == model.evaluate else [record])


@pytest.mark.parametrize(
    ("task", "argument", "data"),
    [
        (ur.Classifier(), "target", [{"review": "a", "stars": row % 2} for row in range(8)]),
        (ur.Tagger(), "target", [{"w": ["a"], "t": ["b"]}] * 8),
        (ur.Tagger(), "words", [{"tokens": ["a"], "tags": ["b"]}] * 8),
        (ur.LanguageModel(), "text", [{"verse": "a"}] * 8),
        (ur.SequenceModel(), "frames", [{"roll": [[1.0]]}] * 8),
        (ur.Translator(), "target", [{"de": "a", "en": "b"}] * 8),
        (ur.Translator(), "source", [{"de": "a", "target": "b"}] * 8),
        (ur.Forecaster(), "target", {"day": [1, 2, 3], "kwh": [1.0, 2.0, 3.0], "site": ["a", "b", "c"]}),
        (ur.Detector("load"), "target", {"day": [1, 2, 3], "kwh": [1.0, 2.0, 3.0]}),
    ],
)
def test_a_default_name_that_the_data_lack_is_answered_with_the_argument_that_names_it(task, argument, data):
    with pytest.raises(DataError, match=rf"expected in the data, received the columns .*; name it with {argument}=$"):
        task.fit(data, epochs=1, progress=False)


def test_an_answer_to_nothing_is_given_where_it_was_learnt(tmp_path):
    data = ["", "a", "b"] * 40, ["x", "", "y"] * 40
    model = ur.Translator(hidden_size=32, dropout=0.0, training={"batch_size": 16, "learning_rate": 0.03})
    model.fit(*data, epochs=20, progress=False, baselines=False)
    loaded = ur.load(model.save(tmp_path / "model"))
    assert model.predict(["", "a"]) == loaded.predict(["", "a"]) == ["x", ""]
