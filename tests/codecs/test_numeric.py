"""Numbers, frames and times."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.errors import DataError, OptionError, UnsupportedError


def rows(*values: Any) -> list[dict[str, Any]]:
    return [{"x": value} for value in values]


@pytest.mark.parametrize("scaling", ["standard", "robust"])
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_scaled_numbers_come_back(scaling: str, values: list[float]) -> None:
    codec = Numbers("x", scaling).fit(rows(values))
    (back,) = codec.decode(codec.encode(rows(values)))
    np.testing.assert_allclose(back, values, rtol=1e-5, atol=1e-6 * max(map(abs, values)))


@given(st.lists(st.floats(-1e307, 1e307), min_size=1))
def test_any_finite_numbers_can_be_learnt(values: list[float]) -> None:
    codec = Numbers("x", "standard").fit(rows(values))
    assert np.isfinite(codec.scaling_).all()
    assert codec.encode(rows(values)).values.isfinite().all()


def test_standard_scaling_gives_mean_zero_and_deviation_one() -> None:
    values = np.random.default_rng(0).normal(40, 5, 1000)
    encoded = Numbers("x", "standard").fit(rows(*values)).encode(rows(*values)).values
    torch.testing.assert_close(encoded.mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(encoded.std(correction=0), torch.tensor(1.0), atol=1e-4, rtol=0)


def test_robust_scaling_ignores_outliers() -> None:
    values = np.random.default_rng(0).normal(40, 5, 1000)
    calm = Numbers("x").fit(rows(values)).scaling_
    wild = Numbers("x").fit(rows(np.append(values, [1e9] * 5))).scaling_
    np.testing.assert_allclose(wild, calm, rtol=0.02)
    np.testing.assert_allclose(np.ravel(calm), [40, 5], rtol=0.05)


def test_mostly_constant_columns_fall_back_to_the_deviation() -> None:
    codec = Numbers("x").fit(rows([0.0] * 99 + [5.0]))
    assert codec.scaling_[1][0] == pytest.approx(np.std([0.0] * 99 + [5.0]))


def test_constant_columns_keep_their_unit() -> None:
    codec = Numbers("x").fit(rows(0.1, 0.1, 0.1))
    assert codec.encode(rows(0.1, 1.1)).values.flatten().tolist() == [0.0, 1.0]


def test_columns_stand_side_by_side() -> None:
    codec = Numbers(["a", "b"], "none").fit([{"a": [1, 2], "b": [3.5, 4.5]}])
    assert codec.encode([{"a": [1, 2], "b": [3.5, 4.5]}]).values.tolist() == [[1.0, 3.5], [2.0, 4.5]]
    assert codec.decode(codec.encode([{"a": [1], "b": [3.5]}])) == [{"a": [1.0], "b": [3.5]}]


def test_unequal_lists_name_column_and_record() -> None:
    good, bad = {"a": [1, 2], "b": [3, 4]}, {"a": [1, 2], "b": [3]}
    with pytest.raises(DataError, match="column 'b', record 1: expected 2 numbers, as column 'a' has, received 1"):
        Numbers(["a", "b"]).fit([good, bad])
    with pytest.raises(DataError, match="record 0"):
        Numbers(["a", "b"]).fit([good]).encode([bad])


@pytest.mark.parametrize("infinity", [float("inf"), -float("inf"), np.float32("inf")])
def test_infinity_names_column_and_record(infinity: float) -> None:
    codec = Numbers("x").fit(rows([1.0], [2.0]))
    for use in (Numbers("x").fit, codec.encode):
        with pytest.raises(DataError, match=r"column 'x', record 2: expected finite numbers, received -?inf"):
            use(rows([1.0, 2.0], [], [3.0, infinity]))


def test_records_are_counted_over_the_whole_fit() -> None:
    with pytest.raises(DataError, match="record 5000"):
        Numbers("x").fit(rows(*[1.0] * 5000, "five"))


@pytest.mark.parametrize("bad", ["3.5", [[1.0]], datetime(2024, 1, 1), {"a": 1}, [1.0, "2"]])
def test_what_is_no_number_is_named(bad: Any) -> None:
    good = [2.0] if isinstance(bad, list) else 2.0
    with pytest.raises(DataError, match="column 'x', record 1: expected numbers"):
        Numbers("x").fit(rows(good, bad))


def test_numbers_too_large_for_float32_are_refused() -> None:
    with pytest.raises(DataError, match="fits after scaling"):
        Numbers("x", "none").fit(rows(1.0)).encode(rows(1e300))


def test_missing_numbers_become_the_centre_and_a_flag() -> None:
    codec = Numbers(["a", "b"], "standard").fit([{"a": [1.0, None], "b": [2.0, 4.0]}, {"a": [3.0], "b": [3.0]}])
    assert codec.spec.size == 3
    encoded = codec.encode([{"a": [None, 2.0], "b": [3.0, float("nan")]}])
    assert encoded.values.tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert codec.report() == {"missing": 1}  # b was never missing in fit; a has its flag


def test_missing_zero_adds_no_flag_and_keep_leaves_nan() -> None:
    records = rows([1.0, None])
    assert Numbers("x", "none", missing="zero").fit(records).encode(records).values.tolist() == [[1.0], [0.0]]
    kept = Numbers("x", "none", missing="keep").fit(records).encode(records).values.flatten()
    assert kept.isnan().tolist() == [False, True]


def test_groups_are_scaled_by_themselves() -> None:
    records = [{"x": [0.0, 2.0], "g": "a"}, {"x": [100.0, 300.0], "g": "b"}, {"x": [4.0, 6.0], "g": "a"}]
    codec = Numbers("x", "standard", group="g").fit(records)
    for row, name in enumerate(["a", "b"]):
        values = [value for record in records if record["g"] == name for value in record["x"]]  # type: ignore[attr-defined]
        centre, spread = codec.statistics(records)
        np.testing.assert_allclose([centre[row, 0], spread[row, 0]], [np.mean(values), np.std(values)])
    np.testing.assert_allclose(codec.decode(codec.encode(records), records)[1], [100.0, 300.0], rtol=1e-6)


def test_unseen_groups_use_the_statistics_of_all() -> None:
    records = [{"x": [0.0, 2.0], "g": 1}, {"x": [100.0, 300.0], "g": 2}]
    grouped, common = Numbers("x", group="g").fit(records), Numbers("x").fit(records)
    fresh = [{"x": [50.0], "g": 3}]
    assert torch.equal(grouped.encode(fresh).values, common.encode(fresh).values)
    assert grouped.report() == {"unseen_group": 1}
    assert grouped.columns == ("x", "g")


def test_groups_need_records_to_decode() -> None:
    codec = Numbers("x", group="g").fit([{"x": 1.0, "g": "a"}, {"x": 2.0, "g": "a"}])
    with pytest.raises(OptionError, match="records with the group 'g'"):
        codec.decode(codec.encode([{"x": 1.0, "g": "a"}]))


def test_a_constant_group_takes_the_common_scale() -> None:
    records = [{"x": [5.0, 5.0], "g": "flat"}, {"x": [0.0, 10.0], "g": "wide"}, {"x": [None], "g": "empty"}]
    codec = Numbers("x", "standard", group="g").fit(records)
    common = codec.scaling_
    assert codec.groups_["flat"] == [[5.0], common[1]]
    assert codec.groups_["empty"] == common


@pytest.mark.parametrize(("arguments", "named"), [({"scaling": "robst"}, "robust"), ({"missing": "kep"}, "keep")])
def test_unknown_names_suggest_the_nearest(arguments: dict[str, str], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        Numbers("x", **arguments).fit(rows(1.0))


# ---- frames -------------------------------------------------------------------------------------


def test_piano_rolls_are_seen_to_be_binary() -> None:
    assert Frames("x").fit(rows([[0, 1], [1, 0]], [[True, False]])).binary_ is True
    assert Frames("x").fit(rows([[0, 1]], [[0.5, 0]])).binary_ is False


def test_features_that_are_0_or_1_beside_numbers_are_found_and_can_be_left_unscaled():
    records = rows([[0, 5.0, None, 1]], [], [[1, 7.0, None, 1], [None, 1, None, 1]])
    codec = Frames("x", "standard").fit(records)
    assert codec.switches_ == [0, 3]
    assert codec.binary_ is False
    kept = codec.leave(codec.switches_).observe(records).values
    assert kept[:, 0].tolist()[:2] == [0, 1]
    assert kept[2, 0].isnan()
    assert kept[:, 3].tolist() == [1, 1, 1]
    assert abs(float(kept[:, 1].mean())) < 1e-6
    assert Frames("x").fit(rows([]) + rows([[0.0, 2.0]])).switches_ == [0]


def test_vectors_are_standardised_by_feature_and_switches_stay_switches():
    records = rows([[1000.0, 0, 5.0], [3000.0, 1, 5.0]], [[2000.0, None, None]])
    codec = Frames("x").fit(records)
    encoded = codec.encode(records).values
    assert encoded[:, 0].mean().abs() < 1e-6
    assert encoded[:, 0].std(unbiased=False).item() == pytest.approx(1)
    assert encoded[:, 1].tolist() == [0, 1, 0]
    assert encoded[:, 2].tolist() == [0, 0, 0]  # constant, and missing
    assert codec.decode(codec.encode(records))[0] == [pytest.approx(row, rel=1e-6) for row in records[0]["x"]]


@pytest.mark.parametrize("as_array", [True, False])
def test_frames_keep_their_shape(as_array: bool) -> None:
    roll = np.arange(6.0).reshape(3, 2)
    encoded = Frames("x", "none").fit(rows(roll)).encode(rows(roll if as_array else roll.tolist(), []))
    assert encoded.lengths.tolist() == [3, 0]
    assert encoded.values.tolist() == roll.tolist()


def test_a_frame_of_another_width_is_named() -> None:
    codec = Frames("x").fit(rows([[0, 1]]))
    with pytest.raises(DataError, match="column 'x', record 1: expected 2 numbers in every step, received 3"):
        codec.encode(rows([], [[0, 1, 2]]))
    with pytest.raises(DataError, match=r"record 0: expected .*received steps of \[1, 2\] numbers"):
        codec.encode(rows([[0, 1], [1]]))


@pytest.mark.parametrize("bad", [[1.0, 2.0], "text", [["a"]], 3])
def test_what_is_no_frame_is_refused(bad: Any) -> None:
    with pytest.raises(DataError, match="a list of equally long lists of numbers"):
        Frames("x").fit(rows(bad))


def test_infinite_frames_are_refused() -> None:
    with pytest.raises(DataError, match="record 1: expected finite numbers, received inf"):
        Frames("x").fit(rows([[1.0]], [[2.0], [float("inf")]]))


def test_frames_are_scaled_by_feature() -> None:
    records = rows([[0.0, 100.0], [2.0, 300.0]])
    assert Frames("x", "standard").fit(records).encode(records).values.tolist() == [[-1.0, -1.0], [1.0, 1.0]]


# ---- times --------------------------------------------------------------------------------------

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("times", "features"),
    [
        ([datetime(2023, 1, 1) + timedelta(hours=h) for h in range(24 * 40)],
         ["hour_of_day", "day_of_week", "day_of_month", "day_of_year"]),
        ([date(2023, 1, 1) + day * DAY for day in range(90)], ["day_of_week", "day_of_month", "day_of_year"]),
        ([date(2023, 1, 2) + 7 * day * DAY for day in range(60)], ["day_of_month", "day_of_year"]),
        ([date(2023, month, 1) for month in range(1, 13)], ["day_of_year"]),
        ([date(2023, month, 28 if month == 2 else 30) for month in range(1, 13)], ["day_of_year"]),
        ([date(2000 + year, 1, 1) for year in range(20)], []),
        ([1.0, 2.0, 3.0], []),
    ],
    ids=["hourly", "daily", "weekly", "monthly", "month ends", "yearly", "numbers"],
)  # fmt: skip
def test_only_cycles_that_the_data_resolve_are_used(times: list[Any], features: list[str]) -> None:
    codec = TimeFeatures("x").fit(rows(times))
    assert codec.features_ == features
    assert codec.spec.size == 2 * len(features) + 1


def test_cycles_close() -> None:
    codec = TimeFeatures("x", position=False).fit(rows([datetime(2024, 1, 1) + h * DAY / 24 for h in range(48)]))
    place = codec.features_.index("hour_of_day")
    encoded = codec.encode(rows(datetime(2024, 1, 1, 6), datetime(2024, 1, 2, 6)) if not codec.per_step_ else
                           rows([datetime(2024, 1, 1, 6), datetime(2024, 1, 2, 6)])).values  # fmt: skip
    cycles = len(codec.features_)
    torch.testing.assert_close(encoded[0, [place, place + cycles]], encoded[1, [place, place + cycles]])
    torch.testing.assert_close(encoded[0, [place, place + cycles]], torch.tensor([1.0, 0.0]), atol=1e-6, rtol=0)


def test_the_position_runs_on_after_the_last_time() -> None:
    codec = TimeFeatures("x").fit(rows(date(2024, 1, 1), date(2024, 1, 11)))
    encoded = codec.encode(rows(date(2024, 1, 1), date(2024, 1, 11), date(2024, 1, 21)))
    assert encoded.values[:, -1].tolist() == [0.0, 1.0, 2.0]
    assert not codec.spec.per_step


@given(st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)), min_size=2, max_size=9))
def test_times_come_back_to_the_minute_in_every_form(times: list[datetime]) -> None:
    days = [datetime(time.year, time.month, time.day) for time in times]
    for column in (days, [day.date() for day in days], [day.isoformat(" ", "minutes") for day in days]):
        codec = TimeFeatures("x").fit(rows(*column))
        assert codec.decode(codec.encode(rows(*column))) == column


@pytest.mark.parametrize("text", ["2024-05", "2024-05-06", "2024-05-06T07:08", "2024-05-06 07:08:09"])
def test_text_comes_back_as_it_was_written(text: str) -> None:
    codec = TimeFeatures("x").fit(rows(text))
    assert codec.decode(codec.encode(rows(text))) == [text]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d %b %Y", "%Y%m%d %H%M", "%d.%m.%Y %H:%M"])
def test_texts_are_read_in_every_form_of_a_table(form: str) -> None:
    times = [datetime(2024, 1, 1) + day * DAY for day in range(60)]
    plain = TimeFeatures("x").fit(rows(*times))
    codec = TimeFeatures("x").fit(rows(*(time.strftime(form) for time in times)))
    again = TimeFeatures.from_json(json.loads(json.dumps(codec.to_json())))
    asked = datetime(2024, 4, 5)  # its order is open without what was learnt
    assert torch.equal(again.encode(rows(asked.strftime(form))).values, plain.encode(rows(asked)).values)
    assert again.decode(again.encode(rows(asked.strftime(form))))[0][:10] == "2024-04-05"


def test_an_order_in_doubt_is_settled_by_the_option_of_the_codec() -> None:
    with pytest.raises(DataError, match="day_first="):
        TimeFeatures("x").fit(rows("01/02/2024", "03/02/2024"))
    codec = TimeFeatures("x", day_first=True).fit(rows("01/02/2024", "03/02/2024"))
    assert codec.decode(codec.encode(rows("02/02/2024"))) == ["2024-02-02"]


def test_time_zones_are_ignored() -> None:
    plain = datetime(2024, 5, 6, 7)
    codec = TimeFeatures("x").fit(rows(plain, plain + 3 * DAY))
    zoned = plain.replace(tzinfo=UTC)
    assert torch.equal(codec.encode(rows(zoned)).values, codec.encode(rows("2024-05-06T07:00+05:00")).values)
    assert torch.equal(codec.encode(rows(zoned)).values, codec.encode(rows(np.datetime64(plain))).values)


@pytest.mark.parametrize("bad", ["soon", "2024-13-01", 5])
def test_what_is_no_time_is_named(bad: Any) -> None:
    with pytest.raises(DataError, match="column 'x', record 1: expected a date, a time or ISO 8601 text"):
        TimeFeatures("x").fit(rows("2024-01-01", bad))


def test_missing_times_are_zero_and_counted() -> None:
    codec = TimeFeatures("x").fit(rows(date(2024, 1, 1), date(2024, 3, 11)))
    assert not codec.encode(rows(None)).values.any()
    assert codec.report() == {"missing": 1}


def test_without_position_there_must_be_a_cycle_and_no_decoding() -> None:
    with pytest.raises(DataError, match="position=True"):
        TimeFeatures("x", position=False).fit(rows(1, 2, 3))
    codec = TimeFeatures("x", position=False).fit(rows(date(2024, 1, 1), date(2024, 1, 2)))
    with pytest.raises(UnsupportedError, match="position=True"):
        codec.decode(codec.encode(rows(date(2024, 1, 1))))
