"""Event logs in XES: times keep their zone, and what a table of events cannot show is said."""

import datetime as dt
import re

import pytest

import unrolled as ur
from unrolled.cli.reading import read_data
from unrolled.errors import DataError, OptionError

CASE = '<string key="concept:name" value="c1"/>'
NOON = "2024-01-31T12:00:00"


def event(time=NOON, name="pay", more=""):
    activity = f'<string key="concept:name" value="{name}"/>' if name else ""
    return f'<event>{activity}<date key="time:timestamp" value="{time}"/>{more}</event>'


def read(*traces, head="", **options):
    text = f"<?xml version='1.0'?><log>{head}{''.join(f'<trace>{trace}</trace>' for trace in traces)}</log>"
    return ur.read_xes(text.encode(), **options)


ZONES = {
    "one offset": ([f"{NOON}+01:00", "2024-01-31T13:30:00.5+01:00"], "Etc/GMT-1", [12, 13]),
    "two offsets": ([f"{NOON}+01:00", "2024-07-31T12:00:00+02:00"], "Europe/Berlin", [12, 12]),
    "an odd offset": ([f"{NOON}+05:30"], "Asia/Kolkata", [12]),
    "UTC": ([f"{NOON}.000Z", f"{NOON}+00:00"], "UTC", [12, 12]),
    "none": ([NOON, "2024-01-31T23:00:00.123"], None, [12, 23]),
    "days": (["2024-01-31"], None, [0]),
}


@pytest.mark.parametrize("name", ZONES)
def test_times_keep_their_zone(name):
    written, zone, hours = ZONES[name]
    times = read(CASE + "".join(map(event, written))).frame["time"]
    assert times.dtype.time_zone == zone
    assert times.dt.hour().to_list() == hours


def test_a_zone_that_is_given_is_that_of_times_without_one_and_others_are_converted(tmp_path):
    both = CASE + event() + event("2024-01-31T12:00:00Z")
    assert [time.hour for time in read(both, zone="Europe/Berlin").frame["time"]] == [12, 13]
    assert read(CASE + event(), zone="Europe/Berlin").frame["time"][0].utcoffset() == dt.timedelta(hours=1)
    with pytest.raises(DataError, match=r"row 0 without one and row 1 with one.*zone="):
        read(both)
    with pytest.raises(OptionError, match="the name of a zone"):
        read(both, zone="Berlin")
    (tmp_path / "a.xes").write_text(f"<log><trace>{both}</trace></log>")
    assert len(read_data(str(tmp_path / "a.xes"), zone="Europe/Berlin")) == 2
    with pytest.raises(OptionError, match=r"--day-first.*format xes"):
        read_data(str(tmp_path / "a.xes"), day_first=True)


def test_further_columns_of_times_keep_theirs():
    due = '<date key="due" value="2024-02-01T00:00:00+02:00"/>'
    assert read(CASE + event(more=due)).frame["due"][0].isoformat() == "2024-02-01T00:00:00+02:00"


def test_a_time_that_no_calendar_has_is_refused_with_its_line():
    for time in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "31/01/2024", "2024-02-30"):
        with pytest.raises(DataError, match=re.escape(f"line 1: expected a value of kind date, received '{time}'")):
            read(CASE + event(time))


NESTED = '<string key="o" value="x"><int key="deep" value="3"/></string>'
LISTED = '<list key="l"><values><string key="a" value="1"/><string key="a" value="2"/></values></list>'
SAID = {
    "attributes of attributes": ([CASE + event(more=NESTED)], "1 attributes in lists, or of attributes, are left out"),
    "lists": ([CASE + event(more=LISTED)], "2 attributes in lists, or of attributes, are left out"),
    "attributes of attributes of traces": ([CASE + NESTED + event()], "1 attributes in lists"),
    "events without a name": ([CASE + event(name="") + event()], "1 of 2 events have no concept:name"),
    "traces of one name": (
        [CASE + event(), CASE + event()],
        "2 traces have 1 names, and those of one name are one case",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_a_table_cannot_show_is_said(name):
    traces, words = SAID[name]
    (note,) = read(*traces).notes
    assert words in note


def test_a_plain_log_has_no_notes_and_its_head_fills_nothing():
    head = (
        '<global scope="event"><string key="concept:name" value="none"><string key="d" value="1"/></string></global>'
        '<classifier name="Activity" keys="concept:name lifecycle:transition"/><string key="a" value="x"/>'
    )
    table = read(CASE + event(more='<string key="lifecycle:transition" value="start"/>'), event(), head=head)
    assert table.notes == ()
    assert [(row["case"], row["activity"], row["lifecycle:transition"]) for row in table] == [
        ("c1", "pay", "start"),
        ("trace 2", "pay", None),
    ]


@pytest.mark.parametrize(
    ("keys", "want"),
    [("task", "A"), ("task 'sub task'", "A+7"), ("'sub task'", "7"), ("task none", None), ("", None)],
)
def test_the_classifier_names_activities_where_no_event_has_a_name(keys, want):
    head = f'<classifier scope="trace" name="T" keys="kind"/><classifier name="C" keys="{keys}"/>'
    more = '<string key="task" value="A"/><int key="sub task" value="7"/>'
    assert read(CASE + event(name="", more=more), head=head).frame["activity"].to_list() == [want]


def test_an_attribute_without_a_value_is_missing_and_an_empty_text_a_text():
    more = '<date key="d" value=""/><int key="i" value=" "/><string key="n"/><string key="s" value=""/>'
    row = next(iter(read(CASE + event(more=more) + event(more='<int key="i" value="1"/>'))))
    assert (row["i"], row["s"]) == (None, "")
    assert set(row) == {"case", "activity", "time", "i", "s"}


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
HOSTILE = {
    "entities that grow": f'<!DOCTYPE log [<!ENTITY l0 "ha">{LAUGHS}]><log><event>&l11;</event></log>',
    "a file as an entity": '<!DOCTYPE log [<!ENTITY x SYSTEM "{secret}">]>'
    '<log><event><string key="a" value="&x;"/></event></log>',
    "a file as text": '<!DOCTYPE log [<!ENTITY x SYSTEM "{secret}">]><log><event>&x;</event></log>',
    "a type elsewhere": '<!DOCTYPE log SYSTEM "{secret}"><log><event/></log>',
    "parameters": '<!DOCTYPE log [<!ENTITY % x SYSTEM "{secret}">%x;]><log><event/></log>',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", HOSTILE)
def test_entities_neither_grow_nor_open_files(name, encoding, tmp_path):
    (tmp_path / "secret").write_text("<!ENTITY found 'secret'>")
    text = HOSTILE[name].replace("{secret}", (tmp_path / "secret").as_uri())
    with pytest.raises(DataError, match="line 1: expected XML without a document type") as caught:
        ur.read_xes(text.encode(encoding))
    assert "secret" not in str(caught.value)


def test_depth_and_numbers_of_digits_are_bounded():
    with pytest.raises(DataError, match="at most 64 nested elements"):
        ur.read_xes(("<log>" + "<a>" * 100_000).encode())
    with pytest.raises(DataError, match="a value of kind int"):
        read(CASE + event(more=f'<int key="n" value="{"9" * 10_000}"/>'))
