"""Workbooks: values, kinds and names of sheets are those that a spreadsheet shows, and none outgrows its file."""

import datetime as dt
import warnings
import zipfile

import pytest

import unrolled as ur
from unrolled.data.formats.binary_cells import BinaryCells
from unrolled.data.formats.workbook_size import check_workbook
from unrolled.errors import DataError, OptionError

pytest.importorskip("fastexcel")

PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
FORMATS = {"day": 14, "clock": 21, "stamp": 22, "percent": 9}  # numbers of the formats that every workbook has
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/>'
    + "".join(f'<xf numFmtId="{number}" applyNumberFormat="1"/>' for number in FORMATS.values())
    + "</cellXfs></styleSheet>"
)


def cell(value, place=""):
    """The XML of a cell: a number, text, truth, error, formula, or a number with the name of its format."""
    where = f' r="{place}"' if place else ""
    if value is None:
        return f"<c{where}/>"
    if isinstance(value, tuple):
        style = list(FORMATS).index(value[1]) + 1
        return f'<c{where} s="{style}"><v>{value[0]}</v></c>'
    if isinstance(value, bool):
        return f'<c{where} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str) and value.startswith("#"):
        return f'<c{where} t="e"><v>{value}</v></c>'
    if isinstance(value, str) and value.startswith("="):
        formula, _, result = value[1:].partition("=")
        return f"<c{where}><f>{formula}</f><v>{result}</v></c>"
    if isinstance(value, str):
        return f'<c{where} t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
    return f"<c{where}><v>{value}</v></c>"


def sheet(rows):
    lines = [
        f'<row r="{number}">'
        + "".join(cell(value, f"{chr(65 + place)}{number}") for place, value in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, 1)
    ]
    return "".join(lines)


def workbook(path, more=None, **sheets):
    """A workbook of the XML of its sheets, as the standard ECMA-376 has it."""
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="r{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + f'<Relationship Id="s" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        **{
            f"xl/worksheets/sheet{n}.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
            for n, rows in enumerate(sheets.values(), 1)
        },
        **(more or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


DAY = 45322  # 2024-01-31
TABLES = {
    "whole numbers and decimals": (["a", "b"], [[1, 2.5], [3, 4]], {"a": [1, 3], "b": [2.5, 4.0]}),
    "codes as text": (["a", "b"], [["007", 1], ["012", 2]], {"a": ["007", "012"], "b": [1, 2]}),
    "numbers as text": (["a", "b"], [["1.10", 1], ["1.9", 2]], {"a": ["1.10", "1.9"], "b": [1, 2]}),
    "numbers and marks": (["a"], [[1], ["n/a"], [2.5], ["-"], [4]], {"a": [1.0, None, 2.5, None, 4.0]}),
    "numbers and words": (["a"], [[1], ["many"]], {"a": ["1", "many"]}),
    "numbers, some as text": (["a"], [[1], ["2"], [3.5]], {"a": [1.0, 2.0, 3.5]}),
    "errors": (["a", "b"], [["#N/A", 1], [2, "#DIV/0!"]], {"a": [None, 2], "b": [1, None]}),
    "days": (["a"], [[(DAY, "day")], [(DAY + 1, "day")]], {"a": [dt.date(2024, 1, 31), dt.date(2024, 2, 1)]}),
    "times": (["a"], [[(DAY + 0.25, "stamp")]], {"a": [dt.datetime(2024, 1, 31, 6)]}),
    "times of day": (["a"], [[(0.25, "clock")], [(0.5, "clock")]], {"a": [dt.time(6), dt.time(12)]}),
    "percentages": (["a"], [[(0.25, "percent")], [(1, "percent")]], {"a": [0.25, 1.0]}),
    "truth": (["a", "b"], [[True, 1], [False, 0]], {"a": [True, False], "b": [1, 0]}),
    "results of formulas": (["a", "b"], [[1, "=A2*2=2"], [2, "=A3*2=4"]], {"a": [1, 2], "b": [2, 4]}),
    "empty rows": (["a", "b"], [[1, 2], [None, None], [3, None], []], {"a": [1, 3], "b": [2, None]}),
    "a series with a gap": (["a"], [[1], [None], [3], []], {"a": [1, None, 3]}),
    "an empty column": (["a", "b"], [[1, None], [2, None]], {"a": [1, 2], "b": [None, None]}),
    "more digits than 64 bits": (["a"], [[12345678901234567890], [1]], {"a": [1.2345678901234567e19, 1.0]}),
    "blanks": ([" a "], [[" x "], ["y"]], {"a": [" x ", "y"]}),
    "days as names": (["n", (DAY, "day"), (DAY + 1, "day")], [["x", 1, 2]],
                      {"n": ["x"], "2024-01-31": [1], "2024-02-01": [2]}),
    "numbers as names": ([2021, 2022], [[1, 2]], {"2021": [1], "2022": [2]}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_sheet_has_the_values_that_a_spreadsheet_shows(name, tmp_path):
    names, rows, want = TABLES[name]
    table = ur.read(workbook(tmp_path / "a.xlsx", Sheet=sheet([names, *rows])))
    assert {column.name: column.to_list() for column in table.frame} == want
    assert table.notes == ()


def test_a_table_may_begin_anywhere_and_one_without_names_is_numbered(tmp_path):
    rows = '<row r="3">' + cell("a", "B3") + cell("b", "C3") + "</row>" + '<row r="4">' + cell(1, "B4") + cell(2, "C4")
    assert list(ur.read(workbook(tmp_path / "a.xlsx", Sheet=rows + "</row>"))) == [{"a": 1, "b": 2}]
    path = workbook(tmp_path / "b.xlsx", Sheet=sheet([["x", 1], ["y", 2]]))
    assert list(ur.read_excel(path, header=False))[1] == {"column_1": "y", "column_2": 2}


def test_columns_without_a_name_are_said(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Sheet=sheet([["Sales", None, None], ["shop", "sold", None], ["x", 1, None]]))
    table = ur.read(path)
    assert table.columns == ["Sales", "column_2"]
    assert table.notes == ("columns without a name in the first row are called column_2",)


def test_a_sheet_is_chosen_by_name_and_the_first_one_is_said(tmp_path):
    path = workbook(tmp_path / "a.xlsx", One=sheet([["a"], [1]]), Two=sheet([["b"], [2]]), Empty=sheet([["c"]]))
    assert ur.read(path).notes == ("sheet 'One' is read; further sheets are 'Two', 'Empty'",)
    assert list(ur.read_excel(path, sheet="Two")) == [{"b": 2}]
    with pytest.raises(OptionError, match=r"sheet.*Tow.*did you mean 'Two'"):
        ur.read_excel(path, sheet="Tow")
    with pytest.raises(OptionError, match="the name of a sheet, received 1"):
        ur.read_excel(path, sheet=1)
    with pytest.raises(DataError, match="none in sheet 'Empty'; choose another with sheet=, such as sheet='One'"):
        ur.read_excel(path, sheet="Empty")


def test_columns_of_errors_are_missing_and_taken_names_are_left(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Sheet=sheet([["a", None, "column_2"], ["#N/A", 1, 2], ["#NAME?", 3, 4]]))
    table = ur.read(path)
    assert table.frame.rows() == [(None, 1, 2), (None, 3, 4)]
    assert table.columns == ["a", "column_2_", "column_2"]


def test_a_workbook_on_which_its_library_gives_up_is_one_sentence(tmp_path, monkeypatch):
    class PanicException(BaseException):
        pass

    def panic(_):
        raise PanicException("range start index 4 out of range")

    monkeypatch.setattr("fastexcel.read_excel", panic)
    with pytest.raises(DataError, match=r"a\.xlsx: expected a workbook that can be read, received a damaged one"):
        ur.read(workbook(tmp_path / "a.xlsx", Sheet=sheet([["a"], [1]])))


def test_formulas_without_a_result_are_said(tmp_path):
    table = ur.read(workbook(tmp_path / "a.xlsx", Sheet=sheet([["a", "b"], [1, "=A2*2"], [2, "=A3*2=4"]])))
    assert table.frame["b"].to_list() == [None, 4]
    assert table.notes == ("1 formulas have no stored result and are missing; save the workbook in a spreadsheet",)


def test_columns_of_times_are_read_as_such(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Sheet=sheet([["day", "y"], ["01.02.2024", 2], ["31.01.2024", 1]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ur.read(path, time="day").frame["y"].to_list() == [1, 2]


HEAD = sheet([["a", "b"]])
OUTSIZE = {
    "a far corner": HEAD + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    "a far row without places": HEAD + f'<row r="1048576">{"<c/>" * 9000}<c><v>1</v></c></row>',
    "another prefix": '<x:row xmlns:x="x" r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
}
DOCUMENT = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body><office:spreadsheet>'
    '<table:table table:name="S"><table:table-row table:number-rows-repeated="1000000"><table:table-cell '
    'table:number-columns-repeated="1000" office:value-type="float" office:value="1"/></table:table-row></table:table>'
    "</office:spreadsheet></office:body></office:document-content>"
)


@pytest.mark.parametrize("name", OUTSIZE)
def test_a_sheet_with_far_more_cells_than_values_is_refused(name, tmp_path):
    with pytest.raises(DataError, match=r"a\.xlsx: expected a sheet of which most cells are filled.*delete the rows"):
        ur.read(workbook(tmp_path / "a.xlsx", Sheet=OUTSIZE[name]))


def test_repeated_cells_of_a_document_are_counted(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("content.xml", DOCUMENT)
    with pytest.raises(DataError, match=r"1,000,000,000 cells for 1 values in content\.xml"):
        ur.read(tmp_path / "a.ods")


def record(kind, *numbers):
    """A record of a binary sheet: its kind, its size and numbers of 4 bytes."""
    content = b"".join(number.to_bytes(4, "little") for number in numbers)
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + bytes([len(content)]) + content


def test_the_cells_of_a_binary_sheet_are_counted_wherever_its_bytes_are_cut(tmp_path):
    rows = [record(0, row, 0, 0) + record(5, column, 0, 0, 0) for row, column in ((0, 0), (1_048_575, 16_383))]
    data = record(129) + record(145) + b"".join(rows) + record(146)
    for size in (1, 3, 1000):
        cells = BinaryCells()
        for start in range(0, len(data), size):
            cells.read(data[start : start + size])
        assert (cells.count(), cells.filled) == (1_048_576 * 16_384, 2)
    with zipfile.ZipFile(tmp_path / "a.xlsb", "w") as archive:
        archive.writestr("xl/worksheets/sheet1.bin", data)
        archive.writestr("xl/vbaProject.bin", rows[1] * 3)  # which is no sheet
    with pytest.raises(DataError, match=r"17,179,869,184 cells for 2 values in xl/worksheets/sheet1\.bin"):
        check_workbook(tmp_path / "a.xlsb")


def test_a_sheet_without_places_or_with_styled_corners_is_read(tmp_path):
    rows = "".join("<row>" + cell(n) * 10 + "</row>" for n in range(2000))
    path = workbook(tmp_path / "a.xlsx", Sheet=rows + '<row r="1048576"><c r="XFD1048576" s="1"/></row>')
    assert ur.read_excel(path, header=False).frame.shape == (2000, 10)


def test_parts_that_are_no_sheets_may_be_damaged_and_sheets_may_not(tmp_path):
    notes = {
        "docProps/custom.xml": "<Properties><a></b>",
        "xl/vmlDrawing1.vml": "<xml><br></xml>",
        "xl/a.bin": "\0" * 99,
    }
    path = workbook(tmp_path / "a.xlsx", notes, Sheet=sheet([["a"], [1]]))
    assert list(ur.read(path)) == [{"a": 1}]
    with pytest.raises(DataError, match="filled sheet, received a damaged one"):
        ur.read(workbook(tmp_path / "b.xlsx", Sheet=sheet([["a"], [1]]) + "<c & d>" + OUTSIZE["a far corner"]))


def test_a_workbook_unpacks_to_a_bounded_size_whatever_its_archive_says(tmp_path, monkeypatch):
    path = workbook(tmp_path / "a.xlsx", {"xl/media/a.png": b"\0" * 100_000}, Sheet=sheet([["a"], [1]]))
    assert check_workbook(path) == 0
    monkeypatch.setenv("UNROLLED_UNPACKED_BYTES", "50000")
    with pytest.raises(DataError, match="at most 50,000 bytes when it is unpacked"):
        ur.read(path)
    raw = path.read_bytes()
    path.write_bytes(raw.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match="at most 50,000 bytes"):
        check_workbook(path)


def test_texts_that_many_cells_share_are_bounded_by_what_they_are_together(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLLED_UNPACKED_BYTES", "200000")
    texts = {"xl/sharedStrings.xml": "<sst><si><t>" + "a" * 2000 + "</t></si><si><r><t>b</t></r></si></sst>"}
    for long, is_read in ((50, True), (150, False)):
        rows = "".join(f'<row><c t="s"><v>{int(place >= long)}</v></c></row>' for place in range(1500))
        path = workbook(tmp_path / "a.xlsx", texts, Sheet=rows)
        if is_read:
            assert check_workbook(path) == 0
        else:
            with pytest.raises(DataError, match="at most 200,000 bytes when it is unpacked"):
                check_workbook(path)


def test_texts_of_a_binary_workbook_and_repeated_ones_of_a_document_are_bounded_too(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLLED_UNPACKED_BYTES", "200000")
    texts = b"\x9f\x01\0" + bytes([19, 0xD0, 0x0F]) + bytes(2000)  # one of 2,000 bytes
    for count, is_read in ((90, True), (150, False)):
        cells = b"".join(bytes([7, 12]) + place.to_bytes(4, "little") + bytes(8) for place in range(count))
        path = tmp_path / "a.xlsb"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/worksheets/sheet1.bin", b"\x81\x01\0\0\4" + bytes(4) + cells)
            archive.writestr("xl/sharedStrings.bin", texts)
        if is_read:
            assert check_workbook(path) == 0
        else:
            with pytest.raises(DataError, match="at most 200,000 bytes when it is unpacked"):
                check_workbook(path)
        with zipfile.ZipFile(path, "w") as archive:
            row = f'<table-row><table-cell value-type="string" number-columns-repeated="{count}"><p>{"a" * 2000}</p>'
            archive.writestr("content.xml", f"<document-content>{row}</table-cell></table-row></document-content>")
        if is_read:
            assert check_workbook(path) == 0
        else:
            with pytest.raises(DataError, match="at most 200,000 bytes when it is unpacked"):
                check_workbook(path)
