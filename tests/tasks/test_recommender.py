"""The recommender: rules that reach far back, newcomers, new items, filters, and going on without forgetting."""

import copy
import datetime as dt

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.base import clone

from unrolled.errors import ArtifactError, DataError, NotFittedError, OptionError, UnsupportedError
from unrolled.tasks.items.recommender import Recommender
from unrolled.tasks.registry import load

FAST = {"epochs": 12, "learning_rate": 0.01, "device": "cpu"}


def sessions(count: int, seed: int = 0, shop: str = "") -> list[list[str]]:
    """The first item decides the last one; those between are drawn at random."""
    draw = np.random.default_rng(seed)
    return [
        [
            f"{shop}door {door}",
            *(f"shelf {shelf}" for shelf in draw.integers(12, size=draw.integers(2, 6))),
            "till",
            f"{shop}gift {door}",
        ]
        for door in draw.integers(5, size=count)
    ]


def table(count: int, seed: int = 0) -> pl.DataFrame:
    """The same as a log in no order, with times, prices and kinds."""
    draw, rows = np.random.default_rng(seed), []
    for user, items in enumerate(sessions(count, seed)):
        time = dt.datetime(2024, 1, 1) + dt.timedelta(hours=user)
        for item in items:
            time += dt.timedelta(seconds=int(draw.integers(1, 300)))
            kind = item.partition(" ")[0]
            rows.append({"user": f"u{user}", "item": item, "time": time, "price": float(len(item)), "kind": kind})
    return pl.DataFrame(rows)[draw.permutation(len(rows))]


def make(**options: object) -> Recommender:
    return Recommender(
        **{"user": None, "item": "x", "hidden_size": 32, "embedding_size": 16, "dropout": 0.0, **options}
    )


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return make().fit(sessions(800), **FAST)


@pytest.fixture(scope="module")
def timed() -> Recommender:
    model = make(user="user", item="item", time="time", features=["price"], item_features=["kind"])
    return model.fit(table(300), **FAST)


# ---- what it learns ----------------------------------------------------------------------------------


def test_a_rule_that_reaches_far_back_is_found_where_the_baselines_cannot(shop):
    scores = shop.evaluate(sessions(200, seed=1))
    assert scores.model["hr_1"] > 0.95
    assert scores.baselines["first-order Markov"]["hr_1"] < 0.5
    assert scores.baselines["item neighbours over sessions"]["hr_1"] < 0.8
    assert scores.wins


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr_max"])
def test_drawing_from_the_catalogue_finds_it_too(loss):
    model = make(loss=loss).fit(sessions(800), baselines=False, **FAST)
    assert model.evaluate(sessions(200, seed=1)).model["hr_1"] > 0.95


def test_whole_sessions_teach_as_lanes_do():
    model = make().fit(sessions(800), baselines=False, bptt_steps=0, batch_size=32, **FAST)
    assert model.evaluate(sessions(200, seed=1)).model["hr_1"] > 0.95


def test_a_first_event_is_foretold_from_nothing(shop):
    first = shop.predict([[]], k=5)["x"].to_list()
    assert sorted(first) == [f"door {door}" for door in range(5)]


# ---- answers -----------------------------------------------------------------------------------------


def test_answers_come_in_order_of_users_and_ranks(shop):
    asked = sessions(3, seed=2)
    answers = shop.predict(asked, k=4)
    assert answers.columns == ["user", "rank", "x", "score"]
    assert answers["user"].to_list() == [user for user in range(3) for _ in range(4)]
    assert answers["rank"].to_list() == [1, 2, 3, 4] * 3
    for _, rows in answers.group_by("user"):
        assert rows["score"].is_sorted(descending=True)
        assert rows["x"].n_unique() == 4


def test_an_answer_does_not_depend_on_who_else_is_asked_about(shop):
    asked = sessions(40, seed=3)
    together = shop.predict(asked, k=3)
    alone = shop.predict(asked[7:8], k=3)
    theirs = together.filter(pl.col("user") == 7)
    assert theirs["x"].to_list() == alone["x"].to_list()
    np.testing.assert_allclose(theirs["score"], alone["score"], rtol=1e-4, atol=1e-4)


def test_what_was_seen_is_left_out_on_request(shop):
    asked = sessions(20, seed=4)
    answers = shop.predict(asked, k=shop.catalogue_.size, exclude_seen=True)
    for (user,), rows in answers.group_by("user"):
        assert not set(rows["x"]) & set(asked[user])
        assert len(rows) == shop.catalogue_.size - len(set(asked[user]))


def test_only_allowed_items_are_answered(shop):
    answers = shop.predict(sessions(5, seed=4), k=10, allowed=["gift 1", "gift 2", "never seen"])
    assert set(answers["x"]) == {"gift 1", "gift 2"}
    with pytest.raises(DataError, match="allowed"):
        shop.predict(sessions(5), allowed=["never seen"])


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_items_and_users_that_nobody_knows_are_read_without_harm(shop):
    answers = shop.predict([["door 3", "never seen", "till"]], k=1)
    assert answers["x"].to_list() == ["gift 3"]


def test_every_user_of_a_log_is_answered(timed):
    log = table(20, seed=5)
    answers = timed.predict(log, k=2)
    assert answers["user"].unique(maintain_order=True).to_list() == log["user"].unique(maintain_order=True).to_list()


def test_steps_are_the_whole_sequence(timed):
    log = timed._log(timed._source(table(3, seed=6)))
    steps = timed._steps(log, whole=True)
    network = timed.network_.eval()
    with torch.no_grad():
        whole, _ = network(steps)
        for row, queries in enumerate(whole):
            one, state = steps.select(torch.tensor([row])), network.initial_state(1)
            for place, query in enumerate(queries):
                answer, state = network.step(one.slice_time(place, place + 1), state)
                torch.testing.assert_close(answer[0], query, atol=1e-5, rtol=1e-4)


# ---- scores ------------------------------------------------------------------------------------------


def test_nothing_after_an_event_is_used_to_foretell_it(timed):
    log = table(60, seed=7)
    cut = log.filter(pl.col("time") < dt.datetime(2024, 1, 2, 6))
    edge = dt.datetime(2024, 1, 2)
    whole = timed.evaluate(log, after=edge)
    part = timed.evaluate(cut, after=edge)
    assert part.n < whole.n
    own = timed._queries(timed._steps(timed._log(timed._source(log)), whole=False), torch.arange(20))
    theirs = timed._queries(timed._steps(timed._log(timed._source(cut)), whole=False), torch.arange(20))
    first = log["user"].unique(maintain_order=True)[0] == cut["user"].unique(maintain_order=True)[0]
    assert not first or torch.allclose(own[:5], theirs[:5], atol=1e-5)


def test_the_last_events_of_each_user_are_foretold(shop):
    data = sessions(30, seed=8)
    assert shop.evaluate(data).n == 30
    assert shop.evaluate(data, last=2).n == 60
    assert shop.evaluate(data, last=1000).n == sum(len(items) - 1 for items in data)


def test_events_of_unknown_items_are_misses_and_are_counted(shop):
    scores = shop.evaluate([["door 1", "never seen"], ["door 2"], ["door 1", "till"], ["door 3", "till"]])
    assert scores.n == 3
    assert scores.model["hr_20"] <= 2 / 3
    assert all(own["hr_20"] <= 2 / 3 and own["mrr_20"] <= 2 / 3 for own in scores.baselines.values())
    assert "1 events of items that were not learnt count as misses" in scores.notes
    assert any("first events" in note for note in scores.notes)


def test_nothing_to_foretell_is_refused(shop):
    with pytest.raises(DataError, match="event after another"):
        shop.evaluate([["door 1"], ["door 2"]])
    with pytest.raises(OptionError, match="time column"):
        shop.evaluate(sessions(3), after="2024-01-01")
    with pytest.raises(OptionError, match="last: expected"):
        shop.evaluate(sessions(3), last=0)


# ---- going on ----------------------------------------------------------------------------------------


def test_new_events_are_learnt_and_the_old_ones_not_forgotten(shop):
    kept, lost = copy.deepcopy(shop), copy.deepcopy(shop)
    news = sessions(300, seed=9, shop="new ")
    more = {"epochs": 25, "learning_rate": 0.01, "device": "cpu"}
    kept.partial_fit(news, **more)
    lost.partial_fit(news, replay=0.0, **more)
    old, new = sessions(200, seed=1), sessions(200, seed=10, shop="new ")
    assert kept.evaluate(new).model["hr_1"] > 0.9
    assert kept.evaluate(old).model["hr_1"] > 0.9
    assert lost.evaluate(new).model["hr_1"] > 0.9
    assert lost.evaluate(old).model["hr_1"] < 0.5  # what replay is for
    assert kept.catalogue_.size == shop.catalogue_.size + 10
    assert kept.evaluate(new).baselines["popularity"]["hr_20"] == 0  # fitted before these items were there


def test_the_rival_is_trained_compared_and_goes_on_too():
    name = "causal convolution net of the same size"
    model = make().fit(sessions(60), rival=True, epochs=1, device="cpu")
    assert name in model.evaluate(sessions(10, seed=1)).baselines
    model.partial_fit(sessions(40, seed=9, shop="new "), device="cpu")
    assert model.rival_.catalogue_.size == model.catalogue_.size
    assert name in model.evaluate(sessions(10, shop="new ")).baselines


def test_going_on_before_fit_is_fitting():
    assert make().partial_fit(sessions(40), epochs=1, device="cpu").network_ is not None


def test_a_new_item_is_known_by_its_features(timed):
    model = copy.deepcopy(timed)
    with pytest.raises(DataError, match="kind"):
        model.add_items(pl.DataFrame({"item": ["gift new"]}))
    model.add_items(pl.DataFrame({"item": ["gift new", "shelf new"], "kind": ["gift", "shelf"]}))
    asked = table(20, seed=11).filter(~pl.col("item").str.starts_with("gift"))
    answers = model.predict(asked, k=model.catalogue_.size)
    ranks = {name: answers.filter(pl.col("item") == name)["rank"].mean() for name in ("gift new", "shelf new")}
    assert ranks["gift new"] < ranks["shelf new"] - 3  # after the till comes a gift
    assert model.network_.vectors.size == timed.network_.vectors.size + 2


def test_a_model_without_features_knows_nothing_of_a_new_item(shop):
    with pytest.raises(OptionError, match="partial_fit"):
        shop.add_items(pl.DataFrame({"x": ["gift 9"]}))


# ---- seeing inside -----------------------------------------------------------------------------------


def test_one_user_is_unfolded_with_the_names_of_items(shop):
    seen = shop.inspect(sessions(20, seed=1), row=3)
    items = sessions(20, seed=1)[3]
    assert seen.labels == ("", *items[:-1])  # nothing is read before the first event
    assert len(seen.saliency.occlusion) == len(items)
    by_label = dict(zip(seen.labels, seen.saliency.occlusion, strict=True))
    shelves = [value for label, value in by_label.items() if label.startswith("shelf")]
    assert by_label[items[0]] > max(shelves)  # the last item hangs on the first one
    assert all(mistake.true.endswith(f"gift {mistake.true[5]}") for mistake in seen.mistakes)


# ---- manners -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["shop", "timed"])
def test_a_saved_model_answers_the_same(name, request, tmp_path):
    model = request.getfixturevalue(name)
    data = sessions(10, seed=12) if name == "shop" else table(10, seed=12)
    again = load(model.save(tmp_path / "m"))
    assert again.predict(data).equals(model.predict(data))
    assert again.evaluate(data) == model.evaluate(data)
    assert again.get_params() == model.get_params()
    again.partial_fit(data, device="cpu")  # what it replays was saved with it


def test_a_damaged_model_is_refused(shop, tmp_path):
    folder = shop.save(tmp_path / "m")
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ArtifactError):
        load(folder)


def test_the_same_seed_gives_the_same_model():
    one, other = (make().fit(sessions(60), epochs=1, baselines=False, device="cpu") for _ in range(2))
    assert one.predict(sessions(3)).equals(other.predict(sessions(3)))


def test_the_constructor_only_stores_and_clone_works(shop):
    assert clone(shop).get_params() == shop.get_params()
    with pytest.raises(NotFittedError):
        make().predict(sessions(3))


CHANGES = {
    "cell": "lstm",
    "hidden_size": 33,
    "embedding_size": 17,
    "num_layers": 2,
    "dropout": 0.5,
    "loss": "bpr_max",
    "layers": {"learn_initial_state": True},
    "time": None,
    "features": None,
    "item_features": None,
    "item": "kind",
    "user": "kind",
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_option_changes_something(name):
    options = {"user": "user", "item": "item", "time": "time", "features": ["price"], "item_features": ["kind"]}
    data, settings = table(30), {"epochs": 1, "baselines": False, "device": "cpu"}
    one = make(**options).fit(data, **settings)
    other = make(**{**options, name: CHANGES[name]}).fit(data, **settings)
    mine, theirs = one.network_.state_dict(), other.network_.state_dict()
    same = mine.keys() == theirs.keys() and all(
        torch.equal(mine[key], theirs[key]) for key in mine if mine[key].shape == theirs[key].shape
    )
    assert not same or any(mine[key].shape != theirs[key].shape for key in mine)


# ---- bad input ---------------------------------------------------------------------------------------


def test_users_with_one_event_are_learnt_from():
    model = make().fit([["a"], ["b"], ["a"], ["a", "b"]] * 10, epochs=1, device="cpu")
    assert set(model.predict([[]], k=2)["x"]) == {"a", "b"}


def test_a_catalogue_of_one_is_refused():
    with pytest.raises(OptionError, match="at least 2 items"):
        make().fit([["a", "a"]] * 20, epochs=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "bpr"}, "bpr_max"),
        ({"embedding_size": 0}, "embedding_size"),
        ({"dropout": 1.0}, "dropout"),
        ({"cell": "grv"}, "gru"),
        ({"features": ["prise"]}, "prise"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises((OptionError, DataError), match=words):
        make(**options).fit(sessions(20), epochs=1)


def test_a_backward_reader_is_no_recommender():
    with pytest.raises(UnsupportedError, match="causal"):
        make(layers={"bidirectional": True}).fit(sessions(20), epochs=1)
