"""Plain English: what people read uses the words of the field, and no idiom of the house."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from unrolled.cli.fit import KINDS
from unrolled.cli.main import make_app

ROOT = Path(__file__).parents[1]
COMMANDS = ("evaluate", "predict", "check", "generate", "stream", "info", "inspect", "export", "lecture", "serve")
HELP = [[], ["fit"], *(["fit", kind] for kind in KINDS), *([command] for command in COMMANDS)]
UNITS = (
    "nats|bits|alarms|events|steps|values|numbers|bytes|pixels|frames|samples|tokens|characters|rows|seconds|"
    "milliseconds|microseconds|µs|requests|updates|items|losses|sequences"
)
OF = (
    "token|character|letter|word|piece|frame|pixel|byte|weight|number|value|step|second|minute|hour|core|row|record|line|"
    "event|session|user|request|message|client|connection|batch|update|epoch|sequence|series|window|loss|item|timing|run"
)  # not a day or a year: "two hours a day" is plain English
VERBS = r"(?! (?:is|has|holds|touches|waits|may|can|of \d))"  # "the seconds an event waits" is no rate


class Rule(NamedTuple):
    """Wording that is refused.

    Args:
        pattern: a regular expression; a space in it is any white space, so that a line break hides nothing.
        better: what to write instead.
    """

    pattern: str
    better: str


RULES = (
    Rule(r"\b(?:surprises )?use to be\b", "larger than usual for this series; usually are"),
    Rule("what is not as usual|not as usual", "anomalies, anomaly detection"),
    Rule(r"foretell(?:s|ing)?|foretold", "predict"),
    Rule(r"(?:when|if|where|unless) nobody says|unless told(?! not)|without being told", "by default"),
    Rule("of the same:", "name the kinds of model: 'translators and captioners: ...'"),
    Rule(r"(?:over|beyond|about|after|of|where) so many", "for `size` features; the number itself"),
    Rule("for company|in company", "to be batched; together with others"),
    Rule(r"lets? go of|letting go of|lets go|nothing to let go", "release; no resources to release"),
    Rule("fell over takes", "if reading or writing fails, close the connection"),
    Rule("whatever a user calls|whatever is called", "convert the accepted formats to ..."),
    Rule("known by what he did", "represented by their events"),
    Rule(r"(?:compiled|machine|log|files?) at hand", "on this machine; given"),
    Rule(r"stands? beside|standing beside", "is reported next to"),
    Rule(r"learn(?:t|ed|s)? by heart", "memorised; overfitted"),
    Rule(r"sa(?:id|ys) of itself", "describes"),
    Rule(r"hands? over|handed over", "passes, returns"),
    Rule("(?:changes|figures) that users see", "Changelog"),
    Rule(
        r"nobody (?:said|knows|labels|reads|looked|has (?:taken|looked))", "say what happens: is not read, has no label"
    ),
    Rule(r"cry wolf|tiny machine", "raise false alarms; small machine"),
    Rule(rf"\b(?:{UNITS}) an? (?:{OF})\b{VERBS}", "per: 'nats per token', 'alarms per step', 'bytes per second'"),
)
PEOPLE = Rule(r"\busers?\b[^.]{0,80}\b(?:he|him|his|himself)\b", "they, them, their")


def prose(path: Path) -> str:
    """What is read of a file: all of it; in Markdown without program output, which stands in ```text blocks."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"```text\n.*?```", "", text, flags=re.DOTALL) if path.suffix == ".md" else text


def faults(text: str) -> list[str]:
    """Line, wording and better wording, for every refused wording of a text."""
    flat = re.sub(r"[ \t]*\n[ \t]*(?:#:? |// |\* )?", "\n", text)  # the same lines, without indents and comment marks
    found = []
    for rule in (*RULES, PEOPLE):
        pattern = rule.pattern.replace(" ", r"\s+")
        for match in re.finditer(pattern, flat, re.IGNORECASE):
            line = flat.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {' '.join(match[0].split())!r}; better: {rule.better}")
    return found


def files() -> list[Path]:
    """The source, the pages, the examples and the benchmarks."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/unrolled/**/*"), ROOT / "pyproject.toml"]
    found += [*ROOT.glob("examples/**/*.py"), *ROOT.glob("bench/*.py")]
    return sorted(path for path in found if path.suffix in {".py", ".md", ".html", ".js", ".jinja", ".toml"})


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", files(), ids=label)
def test_a_file_is_written_in_plain_english(path):
    found = faults(prose(path))
    assert not found, f"{label(path)}\n" + "\n".join(found)


@pytest.mark.parametrize("words", HELP, ids=lambda words: " ".join(words) or "unrolled")
def test_the_help_of_a_command_is_written_in_plain_english(words):
    done = CliRunner().invoke(make_app(words), [*words, "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.output
    found = faults(re.sub(r"[│╭╮╰╯─]+", " ", done.output))
    assert not found, "\n".join(found)


def test_contributing_fits_one_screen():
    lines = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 120


def test_contributing_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "src" / "unrolled").glob("*/__init__.py")}
    assert not {room for room in rooms if f"- `{room}/" not in text}


# ---- the check checks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wording"),
    [
        ("It costs 1.4 nats a\n    character.", "nats a character"),
        ("# far in the tail of what surprises use\n# to be", "surprises use to be"),
        ("Foretold from nothing.", "Foretold"),
        ("of the same: pieces", "of the same:"),
        ("A user is known by what he did.", "user is known by what he"),
        ("bytes a second", "bytes a second"),
    ],
)
def test_refused_wording_is_found_across_lines(text, wording):
    assert any(repr(wording) in one for one in faults(text))


@pytest.mark.parametrize(
    "text",
    [
        "two hours a day, 100 events a day",
        "the maximum number of seconds an event waits to be batched",
        "refuse to be recorded, unless told not to",
        "events per second",
        "a checkpoint of the steps and a state",
    ],
)
def test_plain_wording_passes(text):
    assert faults(text) == []
