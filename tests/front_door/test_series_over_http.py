"""Series of several zones over HTTP and in streams, and later times of another calendar."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

import unrolled as ur
from serving.toys import client_of
from unrolled.errors import DataError
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings

QUICK = {"epochs": 1, "progress": False, "baselines": False}
ZONES = {"Berlin": ZoneInfo("Europe/Berlin"), "New York": ZoneInfo("America/New_York")}
DAYS = [dt.datetime(2024, 2, 20) + dt.timedelta(days=day) for day in range(60)]  # the clocks change on different days


def rows(days):
    return [
        {"t": day.replace(tzinfo=zone).isoformat(), "shop": shop, "y": float(day.weekday())}
        for shop, zone in ZONES.items()
        for day in days
    ]


def utc(shop, day):
    return day.replace(tzinfo=ZONES[shop]).astimezone(dt.UTC)


@pytest.fixture(scope="module")
def model():
    data = ur.as_source(rows(DAYS[:44]), time="t", group="shop")
    return ur.Forecaster(horizon=2, hidden_size=4).fit(data, **QUICK)


@pytest.fixture(scope="module")
def client(model):
    with client_of(Service(Settings("m", timeout=60), model)) as made:
        yield made


def test_an_answer_over_http_has_the_days_of_each_zone_in_utc(client, model):
    assert model.schema_.facts["zone"] == "of each series: Berlin: Europe/Berlin, New York: America/New_York"
    assert client.get("/v1/model").json()["reading"]["zone"] == model.schema_.facts["zone"]
    answer = client.post("/v1/predict", json={"records": rows(DAYS[30:50])})
    assert answer.status_code == 200, answer.text
    found = {(row["shop"], dt.datetime.fromisoformat(row["t"])) for row in answer.json()["predictions"]}
    assert found == {(shop, utc(shop, day)) for shop in ZONES for day in DAYS[50:52]}


@pytest.mark.parametrize("shop", ZONES)
def test_an_answer_of_a_stream_has_the_days_of_its_zone_in_utc(model, shop):
    event = {"t": DAYS[44].replace(tzinfo=ZONES[shop]).isoformat(), "shop": shop, "y": 1.0}
    answer, _ = model.stream().step(event)
    assert [dt.datetime.fromisoformat(time) for time in answer["t"]] == [utc(shop, day) for day in DAYS[45:47]]


def test_times_without_an_offset_are_one_sentence_with_status_422(client):
    answer = client.post("/v1/predict", json={"records": [{"t": "2024-04-10", "shop": "Berlin", "y": 1.0}]})
    assert answer.status_code == 422
    assert "times with an offset, as in training" in answer.text


LATER = {"text": "2567-02-19", "date": dt.date(2567, 2, 19), "moment": dt.datetime(2567, 2, 19)}


@pytest.mark.parametrize("time", LATER.values(), ids=LATER)
@pytest.mark.parametrize("make", [lambda: ur.Forecaster("x", horizon=2, hidden_size=4),
                                  lambda: ur.Detector("x", warm_up=5, hidden_size=4)],
                         ids=["Forecaster", "Detector"])  # fmt: skip
def test_years_of_another_calendar_are_refused_in_later_tables_and_events(make, time):
    data = [{"t": day.date().isoformat(), "x": float(place % 7)} for place, day in enumerate(DAYS)]
    model = make().fit(ur.as_source(data, time="t"), **QUICK)
    stream, event = model.stream(), {"t": time, "x": 1.0}
    state = stream.feed([{"t": "2024-04-20", "x": 1.0}])
    packed = stream.pack(state)
    with pytest.raises(DataError, match="of the year 2567, likely of the Buddhist calendar"):
        stream.step(event, state)
    assert stream.pack(state) == packed
    with pytest.raises(DataError, match="of the year 2567, likely of the Buddhist calendar"):
        model.predict([*data, event] if isinstance(time, str) else [event])
