"""Whatever a model is asked, what it does not know is counted once, by every way of asking it."""

import json
import warnings
from functools import cache

import numpy as np
import pytest

import unrolled as ur
from serving.toys import client_of
from unrolled.cli.main import make_app
from unrolled.codecs.registry import codec_from_json
from unrolled.reading_report import Share, Tally, UnrolledWarning, counted
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings
from unrolled.tasks.language.unknown_tokens import UnknownTokens
from unrolled.tasks.shared.reported import reading

pytestmark = pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
QUIET = {"epochs": 1, "progress": False, "baselines": False}
TAGGED = [{"words": ["the", "cat"], "tags": ["D", "N"]}, {"words": ["a", "dog"], "tags": ["D", "N"]}] * 8
DNA = [{"x": "ACGT", "y": "p"}, {"x": "TTGA", "y": "q"}] * 8
SITES = [{"v": [1.0, 2.0, row], "site": "ab"[row % 2], "y": "pq"[row % 2]} for row in range(16)]
SHOP = [{"user": user, "item": "abc"[(user + time) % 3], "time": time} for user in range(12) for time in range(5)]
EVENTS = [{"second": row, "event": "ab"[row % 2]} for row in range(60)]
VALUES = [{"day": row, "kwh": float(row % 7)} for row in range(60)]


@cache
def model(kind):
    small = {"hidden_size": 4}
    fitted = {
        "classifier": lambda: ur.Classifier("x", "y", **small).fit(DNA, **QUIET),
        "lenient": lambda: ur.Classifier("x", ur.Labels("y", unseen="ignore"), **small).fit(DNA, **QUIET),
        "topics": lambda: ur.Classifier("x", ur.MultiLabels("y"), **small).fit(topics("pq"), **QUIET),
        "lenient topics": lambda: ur.Classifier("x", ur.MultiLabels("y", "ignore"), **small).fit(topics("pq"), **QUIET),
        "numbers": lambda: ur.Classifier(ur.Numbers("v", group="site"), "y", **small).fit(SITES, **QUIET),
        "tagger": lambda: ur.Tagger(**small).fit(TAGGED, **QUIET),
        "forward": lambda: ur.Classifier("x", "y", bidirectional=False, pooling="last", **small).fit(DNA, **QUIET),
        "language": lambda: ur.LanguageModel(**small).fit("the cat sat. " * 30, **QUIET),
        "genres": lambda: ur.LanguageModel(given=["genre"], **small).fit(
            [{"text": "the cat sat", "genre": "ab"[row % 2]} for row in range(24)], **QUIET
        ),
        "subwords": lambda: ur.LanguageModel(unit="subwords", **small).fit("the cat sat. " * 30, **QUIET),
        "translator": lambda: ur.Translator(**small).fit(["ab", "ba", "aab", "bba"] * 6, ["ab", "ba"] * 12, **QUIET),
        "words": lambda: ur.Translator(unit="words", **small).fit(["a b", "b a"] * 8, ["le chat", "un"] * 8, **QUIET),
        "forecaster": lambda: ur.Forecaster("kwh", horizon=2, **small).fit(days(VALUES), **QUIET),
        "detector": lambda: ur.Detector("kwh", warm_up=5, **small).fit(days(VALUES), **QUIET),
        "events": lambda: ur.Detector("event", warm_up=5, **small).fit(ur.as_source(EVENTS, time="second"), **QUIET),
        "recommender": lambda: ur.Recommender(time="time", **small).fit(SHOP, **QUIET),
    }
    return fitted[kind]()


def topics(labels):
    return [{"x": "ACGT", "y": [label]} for label in labels] * 8


def days(rows):
    return ur.as_source(rows, time="day")


def later(*names):
    return ur.as_source([{"second": 100 + row, "event": name} for row, name in enumerate(names)], time="second")


# one row for each way of asking: model, question, and the tokens and the unknown ones of each column
ASKED = [
    ("classifier", lambda m: m.predict([{"x": "ACgt"}]), {"x": (4, 2)}),
    ("classifier", lambda m: m.predict_proba([{"x": "ACgt"}]), {"x": (4, 2)}),
    ("classifier", lambda m: m.confusion([{"x": "ACgt", "y": "p"}]), {"x": (4, 2)}),
    ("classifier", lambda m: m.evaluate([{"x": "ACgt", "y": "p"}]), {"x": (4, 2)}),
    ("numbers", lambda m: m.predict([{"v": [1.0], "site": "z"}, {"v": [2.0], "site": "a"}]), {"site": (2, 1)}),
    ("tagger", lambda m: m.predict([{"words": ["the", "Zz"]}]), {"words": (2, 1), "words (characters)": (5, 2)}),
    ("language", lambda m: m.generate("thЖ", length=2, seed=0), {"text": (3, 1)}),
    ("language", lambda m: m.generate("", length=2, seed=0), {"text": (0, 0)}),
    ("language", lambda m: m.predict(["thЖ"]), {"text": (3, 1)}),
    ("language", lambda m: m.score_texts(["thЖ"]), {"text": (3, 1)}),
    ("subwords", lambda m: m.predict(["thЖЩ"]), {"text": (4, 2)}),
    ("genres", lambda m: m.generate("", given={"genre": "z"}, length=2, seed=0), {"text": (0, 0), "genre": (1, 1)}),
    ("translator", lambda m: m.n_best(["axx"]), {"source": (3, 2)}),
    ("translator", lambda m: m.align(["axx"]), {"source": (3, 2)}),
    ("translator", lambda m: m.workings(["axx"]), {"source": (3, 2)}),
    ("translator", lambda m: m.inspect(["axx"] * 2, ["az"] * 2), {"source": (6, 4), "target": (4, 2)}),
    ("translator", lambda m: m.score_pairs([{"source": "a", "target": "azz"}]), {"source": (1, 0), "target": (3, 2)}),
    ("events", lambda m: m.detect(later(*"abzz")), {"event": (4, 2)}),
    ("events", lambda m: m.follow(later(*"abzzab"), every=2, updates=1), {"event": (6, 2)}),
    ("recommender", lambda m: m.predict([{"user": 1, "item": "z", "time": 0}]), {"item": (1, 1)}),
]


@pytest.mark.parametrize(("kind", "ask", "wanted"), ASKED)
def test_every_way_of_asking_counts_each_token_once(kind, ask, wanted):
    asked = model(kind)
    asked.report_ = {}
    ask(asked)
    found = {name: (one["tokens"], one["unknown"]) for name, one in asked.report_["columns"].items()}
    assert {name: counts for name, counts in found.items() if counts != (0, 0)} == {
        name: counts for name, counts in wanted.items() if counts != (0, 0)
    }
    assert asked.report_["empty records"] == 0


@pytest.mark.parametrize("kind", ["forecaster", "detector"])
def test_missing_values_of_series_are_counted_and_those_to_come_are_not(kind):
    rows = [{"day": 60 + row, "kwh": None if row in (3, 5) else float(row % 7)} for row in range(20)]
    model(kind).predict(days(rows))
    assert model(kind).report_["missing values"] == 2
    if kind == "forecaster":
        model(kind).predict(days([*rows, {"day": 80, "kwh": None}]))
        assert model(kind).report_["missing values"] == 2


# ---- labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "left_out"),
    [
        ("classifier", [{"x": "ACGT", "y": label} for label in "pzzP"], 0),
        ("lenient", [{"x": "ACGT", "y": label} for label in "pzzP"], 3),
        ("topics", [{"x": "ACGT", "y": ["p", "z"]}, {"x": "ACGT", "y": ["z", "P"]}], 0),
        ("lenient topics", [{"x": "ACGT", "y": ["p", "z"]}, {"x": "ACGT", "y": ["z", "P"]}], 0),
        ("tagger", [{"words": ["the", "cat"], "tags": tags} for tags in (["D", "z"], ["z", "d"])], 0),
    ],
)
def test_labels_that_training_never_saw_are_counted_and_warned_of(kind, data, left_out):
    with pytest.warns(UnrolledWarning, match=r"75\.0% of 4 labels are unknown, such as 'z'"):
        scores = model(kind).evaluate(data)
    assert (scores.report["unseen labels"], scores.report["rows left out"]) == (3, left_out)
    assert scores.report["unknown"] == 0  # labels are no tokens that the model reads
    assert "unseen labels: 3" in str(scores)


def test_known_labels_are_no_news():
    assert model("classifier").evaluate(DNA).report["unseen labels"] == 0


# ---- when it is warned of ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "unknown", "warned"),
    [(1, 1, True), (2, 1, False), (3, 1, False), (2, 2, True), (10, 2, False), (9, 2, True), (0, 0, False)],
)
def test_one_unknown_token_among_known_ones_is_counted_and_not_warned_of(tokens, unknown, warned):
    assert Share("words", tokens, unknown).alarming is warned


# ---- likelihoods ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "usual", "strange"), [("translator", "ab", "жы"), ("words", "le chat", "жы щъ")])
def test_an_answer_of_unknown_pieces_is_less_likely_than_a_known_one(kind, usual, strange):
    asked = model(kind)
    known, unknown = asked.score_pairs([{"source": "a b", "target": text} for text in (usual, strange)])
    assert np.isfinite([known, unknown]).all()
    codec = asked.target_.codec
    records = [{codec.columns[0]: strange}]
    spelling = UnknownTokens(codec).nats(records, codec.encode(records))[0]
    assert unknown < -spelling < known


# ---- streams ----------------------------------------------------------------------------------------


STREAMED = [
    ("language", ["th", "Ж", "e", "ЖЖ"], 3),
    ("forward", [{"x": "AC"}, {"x": "gt"}, {"x": "A"}], 2),
    ("events", [{"second": 100 + row, "event": "abz"[row % 3]} for row in range(6)], 2),
    ("recommender", [{"item": item, "time": time} for time, item in enumerate("azbz")], 2),
]


@pytest.mark.parametrize(("kind", "events", "unknown"), STREAMED)
def test_sessions_count_unknown_tokens_and_name_them(kind, events, unknown):
    with ur.Sessions(model(kind).stream()) as sessions:
        for event in events:
            sessions.step("ada", event)
        assert sessions.statistics["unknown_tokens"] == unknown
        assert f"{unknown} unknown" in sessions.unknown[0]
        sessions.swap(model(kind).stream())
        sessions.step("bob", events[0])
        assert sessions.statistics["unknown_tokens"] == unknown


@pytest.mark.parametrize(("kind", "events", "unknown"), STREAMED)
def test_a_stream_is_counted_by_who_asks(kind, events, unknown):
    stream, state = model(kind).stream(), None
    with reading(model(kind)) as tally:
        for event in events:
            _, state = stream.step(event, state)
    assert tally.report()["unknown"] == unknown


# ---- command line and HTTP --------------------------------------------------------------------------


def call(*words):
    app = make_app([str(word) for word in words])
    app([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return model("language").save(tmp_path_factory.mktemp("models") / "language")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("ЖЩ", "warning: column 'text': 100.0% of 2 characters are unknown, such as 'Ж', 'Щ'; answers and scores may "
               "say little\n"),
        ("theЖ", "note: column 'text': 25.0% of 4 characters are unknown, such as 'Ж'\n"),
        ("the", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_generate_says_on_standard_error_what_is_unknown_in_a_prompt(folder, capsys, prompt, said):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call("generate", folder, "--prompt", prompt, "--length", 3, "--seed", 0)
    shown = capsys.readouterr()
    assert shown.err == said
    assert shown.out.startswith(prompt)


def test_a_stream_of_lines_ends_with_what_was_unknown(folder, tmp_path, capsys):
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps({"user": "ada", "text": text}) + "\n" for text in ("th", "ЖЩ")))
    call("stream", folder, path, "--key", "user")
    assert capsys.readouterr().err == "note: column 'text': 2 unknown characters, such as 'Ж', 'Щ'\n"


def test_http_tells_what_is_unknown_in_a_prompt_and_counts_it_in_streams():
    asked = model("language")
    with client_of(Service(Settings("m", timeout=60), asked, ur.Sessions(asked.stream()))) as client:
        said = client.post("/v1/generate", json={"prompt": "theЖ", "length": 2, "seed": 0, "units": 2}).text
        done = json.loads(said.split("event: done")[1].split("data: ")[1].splitlines()[0])
        assert (done["stopped"], done["report"]["tokens"], done["report"]["unknown"]) == ("end", 4, 1)
        client.post("/v1/step", json={"key": "ada", "event": "tЖ"})
        assert "unrolled_unknown_tokens_total 1.0" in client.get("/metrics").text


def test_subwords_of_older_models_are_read_and_tell_nothing_unknown():
    codec = ur.Subwords("x", size=300).fit([{"x": "the cat sat"}])
    saved = codec.to_json()
    del saved["learnt"]["characters_"]
    older = codec_from_json({**saved, "version": 1})
    with counted(Tally(None, [older])) as tally:
        assert older.encode([{"x": "Ж"}]).values.tolist() == codec.encode([{"x": "Ж"}]).values.tolist()
    assert (tally.report()["tokens"], tally.report()["unknown"]) == (1, 0)
