"""Law 1 over every task and cell: a stream's answers are those of whole sequences, however the events arrive.

One event after the other, many streams interleaved, a history at once, states as bytes and back, a saved model.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import unrolled as ur
from exported import Onnx, padded
from unrolled.cells.registry import CELLS
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.errors import ArtifactError, DataError, InputError, OptionError, UnsupportedError
from unrolled.nn.pooling import POOLINGS
from unrolled.ragged import Ragged
from unrolled.tasks.registry import TASKS

pytestmark = pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")  # some items are unknown
TOLERANCE = 2e-5
SMALL = {"epochs": 1, "validation": 0.0, "baselines": False, "device": "cpu"}


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# ---- cases: a model, streams of events, and what whole sequences say after each event -----------------


class Case:
    """One kind of stream.

    Args:
        make: a fitted model with a cell.
        streams: some sequences of events.
        whole: what the model says after each event of a sequence, from whole sequences; None says nothing.
        numbers: what an answer says, in numbers.
        options: of the stream.
    """

    def __init__(
        self,
        make: Callable[[str], Any],
        streams: list[list[Any]],
        whole: Callable[[Any, list[Any]], list[Any]],
        numbers: Callable[[Any], Any],
        options: dict[str, Any] | None = None,
    ) -> None:
        self.make, self.streams, self.whole, self.numbers = make, streams, whole, numbers
        self.options = options or {}


def frames(seed: int) -> list[list[float]]:
    return draw(seed).normal(size=(4 + seed % 5, 3)).round(3).tolist()


def roll(seed: int) -> list[list[int]]:
    return (draw(seed).random((4 + seed % 5, 3)) < 0.4).astype(int).tolist()


def sequence_model(data: Callable[[int], Any], **options: Any) -> Callable[[str], Any]:
    def make(cell: str) -> Any:
        records = [{"frames": data(seed)} for seed in range(20)]
        return ur.SequenceModel(hidden_size=6, cell=cell, **options).fit(records, **SMALL)

    return make


def predicted(model: Any, events: list[Any]) -> list[Any]:
    """One answer after each step, which `predict` gives for a whole sequence."""
    return list(model.predict([{"frames": events}])[0])


TEXT = "the cat sat on the mat. Straße 3.50, don't! 日本 " * 8


def language_model(**options: Any) -> Callable[[str], Any]:
    def make(cell: str) -> Any:
        texts = [{"text": TEXT[start : start + 90], "kind": "ab"[start % 2]} for start in range(0, 300, 7)]
        return ur.LanguageModel(hidden_size=6, cell=cell, **options).fit(texts, batch_size=4, **SMALL)

    return make


def likely(model: Any, record: dict[str, Any]) -> np.ndarray:
    """The probabilities of what follows a text, the likeliest first."""
    with torch.no_grad():
        raw, _ = model.writer().read([record])
    return raw.softmax(1)[0].sort(descending=True).values.numpy()[:5]


def texts_so_far(model: Any, events: list[Any]) -> list[Any]:
    return [likely(model, {"text": "".join(events[: place + 1])}) for place in range(len(events))]


def started_texts(model: Any, events: list[Any]) -> list[Any]:
    texts = ["".join(event["text"] for event in events[: place + 1]) for place in range(len(events))]
    return [likely(model, {"text": text, "kind": events[0]["kind"]}) for text in texts]


def shares(answer: dict[str, Any]) -> list[float]:
    return [each["probability"] for each in answer["likely"]]


def classifier(**options: Any) -> Callable[[str], Any]:
    def make(cell: str) -> Any:
        records = [
            {
                "load": draw(seed).normal(size=5).tolist(),
                "site": "ns"[seed % 2],
                "name": TEXT[seed : seed + 9],
                "y": seed % 3,
            }
            for seed in range(24)
        ]
        options_ = {"inputs": [Numbers("load"), "site"], **options}
        return ur.Classifier(hidden_size=6, cell=cell, bidirectional=False, **options_).fit(records, **SMALL)

    return make


def classified(model: Any, events: list[Any]) -> list[Any]:
    """What is said of each beginning of a record."""
    grown = [
        {"load": [e["load"] for e in events[: place + 1]], "site": events[0]["site"]} for place in range(len(events))
    ]
    return list(model.predict_proba(grown))


def tagger(cell: str) -> Any:
    records = [{"words": TEXT.split()[seed : seed + 6], "tags": ["N", "V", "N", "V", "X", "N"]} for seed in range(24)]
    return ur.Tagger(hidden_size=6, cell=cell, bidirectional=False).fit(records, **SMALL)


DAY = ["home", "work", "gym"]
VISITS = [
    {"user": u, "place": f"{DAY[(t * (1 + u % 2)) % 3]} {u % 2}",
     "time": 1.7e9 + 86_400 * u + 26_000 * t + 900 * (t % 3),
     "latitude": 50 + (t % 3) / 10, "longitude": 8 + u / 10 if t % 4 else None, "minutes": float(t % 5)}
    for u in range(8) for t in range(14)
]  # fmt: skip


def places(cell: str) -> Any:
    options = {"latitude": "latitude", "longitude": "longitude", "features": ["minutes"]}
    return ur.NextPlace(hidden_size=6, embedding_size=4, cell=cell, **options).fit(VISITS, **SMALL)


def recommender(cell: str) -> Any:
    model = ur.Recommender(hidden_size=6, embedding_size=4, cell=cell, item="place", own_history=True)
    return model.fit([{"user": visit["user"], "place": visit["place"]} for visit in VISITS], **SMALL)


def ranked(model: Any, events: list[Any]) -> list[Any]:
    """Scores of the best after each beginning of a user's history."""
    return [model.predict(events[: place + 1], k=3)["score"].to_numpy() for place in range(len(events))]


def ranked_unseen(model: Any, events: list[Any]) -> list[Any]:
    rows = [[{"user": 0, "place": event} for event in events[: place + 1]] for place in range(len(events))]
    return [model.predict(some, k=2, exclude_seen=True)["score"].to_numpy() for some in rows]


def series(seed: int, steps: int = 40) -> list[dict[str, Any]]:
    values = np.sin(np.arange(steps) / 2 + seed) + draw(seed).normal(size=steps) / 9
    return [
        {"site": f"s{seed}", "day": str(np.datetime64("2024-01-01") + step),
         "y": None if step % 11 == 7 else float(value),
         "wind": float(np.cos(step))}
        for step, value in enumerate(values)
    ]  # fmt: skip


def table(rows: list[dict[str, Any]]) -> Any:
    return ur.Table(pl.DataFrame(rows), time="day", group="site")


def detector(cell: str) -> Any:
    rows = [row for seed in range(3) for row in series(seed, 120)]
    return ur.Detector(target=["y", "wind"], hidden_size=6, cell=cell, warm_up=5).fit(
        table(rows), epochs=1, baselines=False
    )


def detected(model: Any, events: list[Any]) -> list[Any]:
    return [[row["score"]] for row in model.detect(table(events)).iter_rows(named=True)]


def forecaster(**options: Any) -> Callable[[str], Any]:
    def make(cell: str) -> Any:
        rows = [row for seed in range(3) for row in series(seed, 60)]
        model = ur.Forecaster(
            horizon=3, context_length=6, season=1, past_covariates=["wind"], hidden_size=6, cell=cell, **options
        )
        return model.fit(table(rows), epochs=1, validation=0.0, baselines=False)

    return make


def later(seed: int) -> list[dict[str, Any]]:
    """Steps that follow those that were learnt from."""
    return series(seed, 75)[60:]


def forecast(model: Any, events: list[Any]) -> list[Any]:
    found = [model.predict(table(events[: place + 1])) for place in range(len(events))]
    return [one.select(pl.exclude("day", "site")).to_numpy().T.reshape(-1) for one in found]


def forecast_numbers(answer: dict[str, Any]) -> Any:
    return np.concatenate([values for name, values in answer.items() if name not in ("day", "site")])


CUTS = [["th", "e", " c", "at s", "at", " on", "."], ["Stra", "ße 3", ".5", "0, do", "n'", "t", "! "], list("日本 the")]
ROWS = [[{"load": float(v), "site": "ns"[seed % 2]} for v in draw(seed).normal(size=4 + seed)] for seed in range(3)]
CASES = {
    "SequenceModel": Case(
        sequence_model(frames), [frames(1), frames(33), frames(7)], predicted, lambda answer: answer["next"]
    ),
    "SequenceModel, binary": Case(sequence_model(roll), [roll(1), roll(33)], predicted, lambda answer: answer["next"]),
    "SequenceModel, mixture": Case(
        sequence_model(frames, output="mixture", components=2),
        [frames(1), frames(33)],
        predicted,
        lambda answer: answer["next"],
    ),
    "LanguageModel": Case(language_model(), [list(TEXT[:9]), *CUTS], texts_so_far, shares),
    "LanguageModel, given": Case(
        language_model(given=["kind"]),
        [[{"text": piece, "kind": "ab"[row % 2]} for piece in cuts] for row, cuts in enumerate(CUTS)],
        started_texts,
        shares,
    ),
    "Classifier": Case(classifier(), ROWS, classified, lambda answer: list(answer["probabilities"].values())),
    "Tagger": Case(
        tagger,
        [["the", "cat", "Straße", "nowhere"], ["on", "3.50,"]],
        lambda model, events: list(model.predict_proba([{"words": events}])[0]),
        lambda answer: answer["probabilities"][-1],
    ),
    "Recommender": Case(
        recommender, [["home 0", "work 0", "home 0", "nowhere", "gym 1"], ["gym 1", "gym 1"]],
        lambda model, events: ranked(model, [{"user": 1, "place": event} for event in events]),
        lambda answer: answer["scores"], {"k": 3},
    ),
    "Recommender, unseen": Case(
        recommender, [["home 0", "work 0", "home 0", "gym 1"]], ranked_unseen, lambda answer: answer["scores"],
        {"k": 2, "exclude_seen": True},
    ),
    "NextPlace": Case(
        places, [VISITS[:9], VISITS[20:26]], ranked, lambda answer: answer["scores"], {"k": 3}
    ),
    "Detector": Case(detector, [series(7, 20), series(8, 12)], detected, lambda answer: [answer["score"]]),
    "Forecaster": Case(forecaster(), [later(0)[:9], later(1)[:5]], forecast, forecast_numbers),
    "Forecaster, quantiles": Case(
        forecaster(quantiles=[0.1, 0.5, 0.9]), [later(2)[:5]], forecast, forecast_numbers
    ),
}  # fmt: skip
WHOLE_READERS = {"Translator", "Captioner"}
every = pytest.mark.parametrize("name", CASES)


@cache
def fitted(name: str, cell: str = "lstm") -> Any:
    return CASES[name].make(cell)


def assert_close(case: Case, answers: list[Any], truth: list[Any], tolerance: float = TOLERANCE) -> None:
    assert len(answers) == len(truth)
    for answer, wanted in zip(answers, truth, strict=True):
        if wanted is not None:
            said = np.array(case.numbers(answer), dtype=np.float64)
            np.testing.assert_allclose(said, np.array(wanted, dtype=np.float64), rtol=tolerance, atol=tolerance)


def walk(stream: Any, events: list[Any]) -> list[Any]:
    state, answers = None, []
    for event in events:
        answer, state = stream.step(event, state)
        answers.append(answer)
    return answers


def test_every_task_is_under_this_law():
    assert {name.partition(",")[0] for name in CASES} | WHOLE_READERS == set(TASKS)


def is_quick(name, cell):
    return name == "SequenceModel" or cell in ("lstm", "gru")


@pytest.mark.parametrize(
    ("name", "cell"),
    [  # one task with every cell, every task with two, and all the others in slow tests
        pytest.param(name, cell, marks=[pytest.mark.slow] if not is_quick(name, cell) else [])
        for name in CASES
        for cell in (*CELLS, "conv")
    ],
)
def test_single_steps_say_what_whole_sequences_say(name, cell):
    case, model = CASES[name], fitted(name, cell)
    stream = model.stream(**case.options)
    for events in case.streams:
        assert_close(case, walk(stream, events), case.whole(model, events))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_answers_so_far(pooling):
    model = classifier(pooling=pooling)("gru")
    for events in ROWS:
        assert_close(CASES["Classifier"], walk(model.stream(), events), classified(model, events))


@pytest.mark.parametrize(
    "layers",
    [{"learn_initial_state": True}, {"zoneout": 0.2}, {"layer_norm": True, "residual": True}],
    ids="+".join,
)
def test_every_option_of_a_stack_can_be_stepped(layers):
    case = CASES["SequenceModel"]
    model = sequence_model(frames, num_layers=2, layers=layers)("lstm")
    for events in case.streams:
        assert_close(case, walk(model.stream(), events), predicted(model, events))


@every
def test_interleaved_streams_do_not_mix(name):
    case, model = CASES[name], fitted(name)
    stream, rng = model.stream(**case.options), draw(1)
    streams = [case.streams[row % len(case.streams)] for row in range(7)]
    states: list[Any] = [None] * len(streams)
    answers: list[list[Any]] = [[] for _ in streams]
    while waiting := [row for row, events in enumerate(streams) if len(answers[row]) < len(events)]:
        chosen = [row for row in waiting if rng.random() < 0.6] or waiting[:1]
        rng.shuffle(chosen)
        said, after = stream.step_many(
            [streams[row][len(answers[row])] for row in chosen], [states[row] for row in chosen]
        )
        for row, answer, state in zip(chosen, said, after, strict=True):
            answers[row].append(answer)
            states[row] = state
    for events, own in zip(streams, answers, strict=True):
        assert_close(case, own, case.whole(model, events))


@every
def test_a_history_fed_at_once_leaves_the_state_of_single_steps(name):
    case, stream = CASES[name], fitted(name).stream(**CASES[name].options)
    for events in case.streams:
        for cut in (0, 1, len(events) - 1):
            fed = stream.feed(events[:cut])
            answers = [stream.step(events[cut], fed)[0]]
            assert_close(case, answers, case.whole(fitted(name), events)[cut : cut + 1])
        walked = None
        for event in events:
            _, walked = stream.step(event, walked)
        whole = stream.feed(events[1:], stream.feed(events[:1]))
        np.testing.assert_allclose(whole.network, walked.network, rtol=TOLERANCE, atol=TOLERANCE)


@every
def test_states_survive_as_bytes_and_in_a_saved_model(name, tmp_path):
    case, model = CASES[name], fitted(name)
    other = ur.load(model.save(tmp_path / "model"))
    streams = [made.stream(**case.options) for made in (model, other)]
    assert streams[0].fingerprint == streams[1].fingerprint
    for events in case.streams:
        data, answers = streams[0].pack(streams[0].initial_state()), []
        for place, event in enumerate(events):
            stream = streams[place % 2]
            answer, state = stream.step(event, stream.unpack(data))
            data = stream.pack(state)
            answers.append(answer)
        assert_close(case, answers, case.whole(model, events))


@every
def test_a_step_does_not_change_the_state_it_is_given(name):
    case = CASES[name]
    stream, events = fitted(name).stream(**case.options), case.streams[0]
    _, state = stream.step(events[0])
    before = stream.pack(state)
    first, _ = stream.step(events[1], state)
    again, _ = stream.step(events[1], state)
    stream.step_many([events[1]] * 3, [state] * 3)
    assert stream.pack(state) == before
    assert first == again


@every
def test_answers_are_plain_values(name):
    case = CASES[name]
    for answer in walk(fitted(name).stream(**case.options), case.streams[0]):
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer


@pytest.mark.parametrize(("precision", "tolerance"), [("float16", 5e-3), ("bfloat16", 5e-2)])
@every
def test_states_of_half_the_bytes_stay_near(name, precision, tolerance):
    case, model = CASES[name], fitted(name)
    stream = model.stream(**case.options)
    events, state, answers = case.streams[0], stream.initial_state(), []
    for event in events:
        answer, state = stream.step(event, stream.unpack(stream.pack(state, precision)))
        answers.append(answer)
    if len(state.network):
        assert len(stream.pack(state, precision)) == len(stream.pack(state)) - 2 * len(state.network)
    if name != "Detector":  # its score is a logarithm of how rare the step is: it magnifies
        assert_close(case, answers, case.whole(model, events), tolerance)


@every
def test_an_event_that_cannot_be_read_costs_nobody_else_his_answer(name):
    case, model = CASES[name], fitted(name)
    stream, events = model.stream(**case.options), case.streams[0]
    bad = {"no such column": object()}
    _, state = stream.step(events[0])
    said, after = stream.step_many([events[0], bad, events[1]], [None, state, state], errors="return")
    assert isinstance(said[1], InputError)
    assert after[1] is state
    assert_close(case, [said[0], said[2]], case.whole(model, events)[:2])
    with pytest.raises(InputError):
        stream.step_many([events[0], bad], [None, state])
    with pytest.raises(InputError):
        stream.step(bad, state)
    assert_close(case, [stream.step(events[1], state)[0]], case.whole(model, events)[1:2])


# a detector and a forecaster keep more than a network's state; a tagger reads characters by a net that is not exported
CARRIED = [name for name in CASES if name.partition(",")[0] not in ("Detector", "Forecaster", "Tagger")]


@pytest.mark.parametrize("cell", ["lstm", "gru_layer_norm"])  # a runtime's own cell, and a loop
@pytest.mark.parametrize("name", CARRIED)
def test_a_stream_and_an_exported_model_hand_a_state_to_each_other(name, cell, tmp_path):
    case, model = CASES[name], fitted(name, cell)
    stream = model.stream(**case.options)
    reader, outside = stream._stepping.reader, Onnx(model.export(tmp_path / "model.onnx"))
    sizes = [int(np.prod(outside.shapes[field][1:])) for field in outside.fields]
    for events in case.streams:
        truth, state = case.whole(model, events), stream.initial_state()
        for place, event in enumerate(events):
            if place % 2 == 0:
                answer, after = stream.step(event, state)
            else:  # this event is answered outside, from the stream's own state
                piece, memory = reader.take(event, state.memory[2])
                steps, statics = padded(reader.encode([piece], [False]))
                fields = dict(zip(outside.fields, np.split(state.network[None], np.cumsum(sizes)[:-1], 1), strict=True))
                shaped = {field: values.reshape(1, *outside.shapes[field][1:]) for field, values in fields.items()}
                said, found = outside.run(steps | statics, shaped)
                network = np.concatenate([found[field].reshape(-1) for field in outside.fields])
                after = type(state)((True, None, memory), network)
                if isinstance(model, ur.Recommender | ur.NextPlace):  # it scores every item
                    answer = {"scores": np.sort(said[0, -1])[::-1][: len(truth[place])].tolist()}
                    answer = stream.step(event, state)[0] if case.options.get("exclude_seen") else answer
                else:
                    rows = torch.from_numpy(said if said.ndim == 2 else said[0])
                    (answer,) = reader.answers(Ragged(rows, torch.tensor([len(rows)])), [piece])
            state = after
            assert_close(case, [answer], [truth[place]])


# ---- texts, which may be cut anywhere ------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["characters", "words", "subwords", Characters("text", lowercase=True)], ids=str)
def test_a_text_may_be_cut_anywhere_even_inside_a_character(unit):
    model, text = language_model(unit=unit)("gru"), "The cat sat, 3.50 on ΟΔΟΣ Straße 日本 😀 don't stop"
    stream, data = model.stream(), text.encode()
    for size in (1, 2, 3, 5, 8):
        state = None
        for start in range(0, len(data), size):
            _, state = stream.step(data[start : start + size], state)
        answer, state = stream.finish(state)
        wanted = model.stream().step(text + " ")[0] if unit == "words" else None
        said = answer or stream.step("", state)[0]
        reference = likely(model, {"text": text})
        if said is not None:
            np.testing.assert_allclose(shares(said), reference, rtol=TOLERANCE, atol=TOLERANCE)
        assert wanted is None or wanted["next"] == said["next"]


def test_a_text_classifier_repeats_its_answer_while_a_word_is_unfinished():
    records = [{"text": TEXT[seed : seed + 20], "y": seed % 2} for seed in range(24)]
    model = ur.Classifier(inputs=[Words("text")], hidden_size=6, bidirectional=False).fit(records, **SMALL)
    stream = model.stream()
    first, state = stream.step("the cat ")
    held, state = stream.step("sa", state)
    assert held == first
    _, state = stream.step("t", state)
    last, _ = stream.finish(state)
    (truth,) = model.predict_proba([{"text": "the cat sat"}])
    np.testing.assert_allclose(list(last["probabilities"].values()), truth, rtol=TOLERANCE, atol=TOLERANCE)


def test_an_event_without_a_vector_changes_nothing_that_comes_after_it():
    for name in ("SequenceModel", "SequenceModel, mixture"):
        case, model = CASES[name], fitted(name)
        events, stream = case.streams[0], model.stream()
        _, state = stream.step([])
        answers = [stream.step(events[0], state)[0], stream.step(events[0], stream.feed([[], []]))[0]]
        assert_close(case, answers, [case.whole(model, events)[0]] * 2)


def test_a_tagger_says_which_words_it_tagged():
    records = [{"words": "the cat sat", "tags": ["N", "V", "N"]}] * 12
    model = ur.Tagger(inputs=[Words("words")], hidden_size=6, bidirectional=False).fit(records, **SMALL)
    stream, state, said = model.stream(), None, []
    for piece in ("the c", "at", " sat on"):
        answer, state = stream.step(piece, state)
        said.append(answer["words"])
    assert said == [["the"], [], ["cat", "sat"]]
    assert stream.finish(state)[0]["words"] == ["on"]


# ---- what cannot be streamed -------------------------------------------------------------------------


def test_a_bidirectional_model_says_why_it_cannot_be_stepped():
    records = [{"x": frames(seed), "y": seed % 2} for seed in range(12)]
    model = ur.Classifier(inputs=[Frames("x")], hidden_size=6).fit(records, **SMALL)
    with pytest.raises(UnsupportedError, match="bidirectional=False"):
        model.stream()


def test_a_translator_says_why_it_cannot_be_stepped():
    records = [{"a": TEXT[seed : seed + 9], "b": TEXT[seed + 3 : seed + 12]} for seed in range(12)]
    model = ur.Translator(source="a", target="b", hidden_size=6).fit(records, **SMALL)
    with pytest.raises(UnsupportedError, match="predict"):
        model.stream()


def test_a_state_of_another_model_is_refused_with_the_remedy():
    one, other = fitted("SequenceModel", "lstm").stream(), fitted("SequenceModel", "gru").stream()
    data = one.pack(one.initial_state())
    assert one.fingerprint != other.fingerprint
    with pytest.raises(ArtifactError, match="initial_state"):
        other.unpack(data)


def test_an_unknown_option_of_a_stream_names_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'exclude_seen'"):
        fitted("Recommender").stream(exclude_sen=True)


def test_a_value_that_belongs_to_the_whole_sequence_is_asked_for_once():
    stream = fitted("Classifier").stream()
    with pytest.raises(DataError, match="first event"):
        stream.step({"load": 1.0})
    _, state = stream.step({"load": 1.0, "site": "n"})
    answer, _ = stream.step({"load": 2.0}, state)
    again, _ = stream.step({"load": 2.0, "site": "n"}, state)
    assert answer == again


def test_rows_that_do_not_come_in_order_are_refused():
    for name in ("Detector", "NextPlace", "Forecaster"):
        case = CASES[name]
        stream, events = fitted(name).stream(**case.options), case.streams[0]
        state = stream.feed(events[:3])
        with pytest.raises(DataError, match="time"):
            stream.step(events[0], state)


# ---- the same as a feature: the proof on the user's own model ---------------------------------------------


DATA = {
    "SequenceModel": [{"frames": frames(seed)} for seed in range(6)],
    "SequenceModel, binary": [{"frames": roll(seed)} for seed in range(6)],
    "SequenceModel, mixture": [{"frames": frames(seed)} for seed in range(6)],
    "LanguageModel": [{"text": TEXT[seed : seed + 30]} for seed in range(5)],
    "LanguageModel, given": [{"text": TEXT[seed : seed + 30], "kind": "ab"[seed % 2]} for seed in range(5)],
    "Classifier": [
        {"load": draw(seed).normal(size=2 + seed).tolist(), "site": "ns"[seed % 2], "y": seed % 3} for seed in range(6)
    ],
    "Tagger": [
        {"words": TEXT.split()[seed : seed + 2 + seed], "tags": ["N", "V", "X", "N", "V", "X", "N"][: 2 + seed]}
        for seed in range(5)
    ],
    "Recommender": [{"user": visit["user"], "place": visit["place"]} for visit in VISITS],
    "NextPlace": VISITS,
    "Detector": [row for seed in range(3) for row in series(seed, 70)],
    "Forecaster": [row for seed in range(3) for row in series(seed, 60)],
}


@pytest.mark.parametrize("name", DATA)
def test_a_model_can_prove_the_laws_on_its_own_data(name):
    data = table(DATA[name]) if name in ("Detector", "Forecaster") else DATA[name]
    found = fitted(name).check(data)
    assert found.holds, str(found)
    assert {law.name.partition(":")[0] for law in found.laws} >= {"streams", "gradients", "saved and loaded"}
    assert "a state is" in str(found)


def test_a_stream_that_mixes_its_users_is_caught(monkeypatch):
    from unrolled.tasks.shared.laws_check import check_task

    model = fitted("SequenceModel")
    stream = model.stream()
    before = type(stream).step_many

    def mixed(self, events, states, errors="raise"):
        return before(self, events, [states[0]] * len(states), errors)

    monkeypatch.setattr(type(stream), "step_many", mixed)
    found = check_task(model, DATA["SequenceModel"])
    assert [law.name for law in found.laws if not law.holds] == ["streams: many of them interleaved, side by side"]
    assert "1 of 11 laws BROKEN" in str(found)
