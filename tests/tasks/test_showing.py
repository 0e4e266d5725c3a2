"""Translators and captioners show their working: scores, mistakes, both sides unfolded, and where each piece looked."""

import json
import random

import numpy as np
import pytest

from unrolled.cli.main import make_app
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.tables.frames import Frames
from unrolled.errors import NotFittedError, OptionError
from unrolled.inspection.graph import DECODER, ENCODER, INPUT, LOSS, OUTPUT
from unrolled.plots.attention_maps import draw_sheet
from unrolled.report.inspection import sections_of
from unrolled.tasks.registry import load
from unrolled.tasks.seq2seq.captioner import Captioner
from unrolled.tasks.seq2seq.translator import Translator

DRAW = random.Random(0)
WORDS = ["".join(DRAW.choices("abcde", k=DRAW.randint(2, 6))) for _ in range(120)]
PAIRS = [{"source": word, "target": word[::-1]} for word in WORDS]
SENTENCES = [{"source": f"drop {word} now", "target": f"remove {word}"} for word in WORDS]
SHADES = [
    {
        "picture": np.full((16, 16), 255 * (row % 2), dtype=np.uint8),
        "caption": f"a {['dark', 'bright'][row % 2]} square",
    }
    for row in range(40)
]
MAPS = [{"map": np.eye(3)[: 2 + row % 2].tolist(), "caption": f"{2 + row % 2} things"} for row in range(40)]
QUICK = {"hidden_size": 16, "dropout": 0.0, "training": {"epochs": 3, "device": "cpu", "learning_rate": 0.01}}
CASES = {
    "letters": (lambda: Translator(**QUICK), PAIRS),
    "words, copied": (lambda: Translator(unit="words", decoder={"copy": True}, **QUICK), SENTENCES),
    "input feeding": (lambda: Translator(decoder={"input_feeding": True, "coverage": True}, **QUICK), PAIRS),
    "no attention": (lambda: Translator(attention="none", num_layers=2, **QUICK), PAIRS),
    "pictures": (lambda: Captioner(Pictures("picture", size=16, channels=1), **QUICK), SHADES),
    "maps": (lambda: Captioner(Frames("map"), **QUICK), MAPS),
}
every = pytest.mark.parametrize("case", CASES)
translating = pytest.mark.parametrize("case", list(CASES)[:4])


@pytest.fixture(scope="module")
def fitted():
    """Each task fitted once, when it is first asked for."""
    known = {}

    def fit(case):
        if case not in known:
            make, data = CASES[case]
            known[case] = make().fit(data[:100]), data[:24]  # each is searched anew by every inspection
        return known[case]

    return fit


@every
def test_an_inspection_is_of_one_record_and_fits_together(fitted, case):
    model, data = fitted(case)
    seen = model.inspect(data, row=1)
    true = model.target_.codec.pieces(data[1:2])[0]
    assert seen.scores == model.evaluate(data)
    assert seen.before == ("<start>", *true)
    assert seen.unfolding.length == len(true) + 1
    assert [layer.name for layer in seen.gradient_flow.layers] == [layer.name for layer in seen.states.layers]
    for layer in seen.states.layers:
        assert layer.outputs.lengths.tolist() == [len(seen.labels_of(layer))]
    assert {layer.stack for layer in seen.states.layers} == (
        {ENCODER, DECODER} if case in list(CASES)[:4] else {DECODER}
    )
    assert (seen.saliency, seen.confusion) == (None, None)
    assert json.loads(json.dumps(seen.to_json()))["workings"][0]["row"] == 1


@every
def test_a_loaded_model_shows_the_same(fitted, case, tmp_path):
    model, data = fitted(case)
    again = load(model.save(tmp_path / "model")).inspect(data)
    assert again.to_json() == model.inspect(data).to_json()


@every
def test_mistakes_are_wrong_answers_the_costliest_first(fitted, case):
    model, data = fitted(case)
    answers, true = model.predict(data), [row[model.target_.column] for row in data]
    wrong = {row for row in range(len(data)) if answers[row] != true[row]}
    found = model.inspect(data).mistakes
    assert {one.row for one in found} <= wrong
    assert len(found) == min(len(wrong), 8)
    costs = -model.score_pairs(data) / [len(pieces) + 1 for pieces in model.target_.codec.pieces(data)]
    assert [one.loss for one in found] == pytest.approx(sorted(costs[list(wrong)], reverse=True)[:8], rel=1e-4)
    for one in found:
        assert (one.true, one.given) == (true[one.row], answers[one.row])
        assert one.read == data[one.row].get("source", "")


def test_a_planted_mistake_is_found():
    data = [dict(row) for row in SHADES]
    model = Captioner(Pictures("picture", size=16, channels=1), hidden_size=16, dropout=0.0)
    model.fit(data, epochs=20, learning_rate=0.01, device="cpu", baselines=False)
    data[7]["caption"] = "a dark square"
    (mistake,) = model.inspect(data).mistakes
    assert (mistake.row, mistake.true, mistake.given) == (7, "a dark square", "a bright square")


@every
def test_nodes_say_what_was_read_and_what_would_be_written(fitted, case):
    model, data = fitted(case)
    seen = model.inspect(data, row=2)
    graph = seen.unfolding
    before = [node.text for node in graph.of_kind(INPUT) if node.side == DECODER]
    assert before == [seen.before[step - 1] for step in graph.shown]
    assert graph.of_kind(LOSS)[-1].text == "<end>"
    assert [node.text for node in graph.of_kind(LOSS)][:-1] == [seen.before[step] for step in graph.shown[:-1]]
    assert all(node.text for node in graph.of_kind(OUTPUT))


# ---- workings ------------------------------------------------------------------------------------------------


@every
def test_workings_hold_the_answers_and_where_they_looked(fitted, case):
    model, data = fitted(case)
    some = data[:5]
    found = model.workings(some)
    assert [one.answer for one in found] == model.predict(some)
    assert [one.true for one in found] == [row[model.target_.column] for row in some]
    assert [one.read for one in found] == [row.get("source", "") for row in some]
    if case == "no attention":
        assert all(one.alignment is None for one in found)
        return
    for one, alone in zip(found, model.align(some), strict=True):
        np.testing.assert_array_equal(one.alignment.weights, alone.weights)
        assert one.alignment.weights.shape[0] == len(one.alignment.written)


def test_workings_hold_the_pictures_that_were_looked_at(fitted):
    model, data = fitted("pictures")
    for one, row in zip(model.workings(data[:3]), data, strict=False):
        np.testing.assert_array_equal(one.picture, row["picture"])
    model, data = fitted("maps")
    assert model.workings(data[:1])[0].picture is None


def test_without_true_texts_workings_leave_them_open(fitted):
    model, data = fitted("letters")
    assert [one.true for one in model.workings([row["source"] for row in data[:2]])] == ["", ""]
    model, data = fitted("pictures")
    drawn = draw_sheet(model.workings([{"picture": row["picture"]} for row in data[:3]]))
    assert len(drawn.axes) >= 3


def test_the_record_looked_at_comes_first_and_others_by_chance(fitted):
    model, data = fitted("letters")
    rows = [one.row for one in model.inspect(data, row=5).workings]
    assert rows[0] == 5
    assert len(set(rows)) == len(rows) == 12
    assert rows[1:] != sorted(rows[1:])


# ---- data that is hard to show -------------------------------------------------------------------------------


@translating
def test_records_with_nothing_to_read_or_to_write_can_be_looked_at(fitted, case):
    model, data = fitted(case)
    odd = [{"source": "", "target": data[0]["target"]}, {"source": "ab", "target": ""}, *data[:6]]
    for row in (0, 1):
        seen = model.inspect(odd, row=row)
        assert sections_of(seen, model.history_)
    assert seen.before == ("<start>",)


def test_long_records_are_cut_to_what_can_be_shown(fitted):
    model, data = fitted("letters")
    long = [{"source": "abc" * 300, "target": "cba" * 200}, *data[:3]]
    seen = model.inspect(long)
    assert [layer.outputs.num_steps for layer in seen.states.layers] == [400] * 4
    assert (seen.unfolding.places, seen.unfolding.length) == (400, 400)


def test_what_cannot_be_inspected_is_refused_in_words(fitted):
    model, data = fitted("letters")
    with pytest.raises(OptionError, match="row: expected an integer from 0 to 23, received 24"):
        model.inspect(data, row=24)
    with pytest.raises(NotFittedError):
        Translator().inspect(data)


# ---- the report ----------------------------------------------------------------------------------------------


@every
def test_the_report_has_the_parts_that_make_sense(fitted, case):
    model, data = fitted(case)
    seen = model.inspect(data)
    titles = [section.title for section in sections_of(seen, model.history_)]
    wanted = ["Scores", "Training", "Largest errors", "Answers", "Attention", "Gradient flow"]
    wanted += ["Unfolded in time", "Hidden states"]
    left_out = {
        "Attention": case == "no attention" or not any(one.alignment.written for one in seen.workings),
        "Largest errors": not seen.mistakes,
    }
    assert titles == [title for title in wanted if not left_out.get(title)]


@pytest.mark.parametrize(("case", "names"), [("letters", {"attention-1"}), ("pictures", {"sheet", "looks"})])
def test_every_picture_of_the_report_can_be_drawn(fitted, case, names):
    model, data = fitted(case)
    pictures = [one for part in sections_of(model.inspect(data), model.history_) for one in part.pictures]
    assert names | {"training", "unfolding", "state-gradients"} <= {one.name for one in pictures}
    for one in pictures:
        if one.name in names | {"unfolding"}:
            assert one.draw().axes


def test_the_command_writes_the_report_of_a_translator(fitted, tmp_path, capsys):
    model, data = fitted("letters")
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, data[:20])), encoding="utf-8")
    out, numbers = tmp_path / "report.html", tmp_path / "all.json"
    words = ["inspect", model.save(tmp_path / "model"), tmp_path / "data.jsonl", "--out", out, "--json", numbers]
    make_app(["inspect"])([str(word) for word in words], standalone_mode=False)
    assert "gradient flow:" in capsys.readouterr().out
    assert "Unfolded in time" in out.read_text(encoding="utf-8")
    assert json.loads(numbers.read_text(encoding="utf-8"))["scores"]["n"] == 20
